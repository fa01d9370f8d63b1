/* SPDX-License-Identifier: GPL-2.0-only */
/* What the suites on observables have in common. */
#ifndef EVL_TEST_NOTICES_H
#define EVL_TEST_NOTICES_H

#include "helpers.h"
#include <evl/observable.h>

#define TAG	EVL_NOTICE_USER

__attribute__((unused))
static int new_observable(int flags)
{
	return check_ok(evl_create_observable(flags, "obs:%d", getpid()));
}

__attribute__((unused))
static struct evl_notice notice(unsigned int tag, long long value)
{
	return (struct evl_notice){ .tag = tag, .event = evl_intval(value) };
}

/* Send one: what evl_update_observable() says. */
__attribute__((unused))
static int send_value(int ofd, unsigned int tag, long long value)
{
	struct evl_notice ntc = notice(tag, value);

	return evl_update_observable(ofd, &ntc, 1);
}

/* Receive one, which has to be there. */
__attribute__((unused))
static struct evl_notification receive(int ofd)
{
	struct evl_notification nf;

	check_eq(evl_read_observable(ofd, &nf, 1), 1);
	return nf;
}

__attribute__((unused))
static void check_received(int ofd, unsigned int tag, long long value)
{
	struct evl_notification nf = receive(ofd);

	check_eq(nf.tag, tag);
	check_eq(nf.event.lval, value);
}

#endif /* !EVL_TEST_NOTICES_H */
