// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of elements are formats, but what they are made of need not be known
 * to the compiler, and may be nothing. To be compiled only.
 */
#include <evl/evl.h>

int names(const char *name, int n);

int names(const char *name, int n)
{
	static const char constant[] = "constant";
	char buf[16] = "buf";
	struct evl_mutex m;
	struct evl_event e;
	struct evl_sem s;
	struct evl_flags f;

#ifdef WRONG
	return evl_new_mutex(&m, WRONG, n) + evl_new_event(&e, "%s", name) +
		evl_new_sem(&s, constant) + evl_new_flags(&f, buf);
#endif
	if (evl_attach_self("%d", n++) < 0)
		return n;

	return evl_attach_self(name) + evl_attach_self("") + evl_attach_self(NULL) +
		evl_attach_self(constant) + evl_attach_self(buf) +
		evl_attach_self(n ? name : NULL) + evl_attach_self(&buf[1]) +
		evl_attach_self("%s", name) +
		evl_attach_self("%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d", n, n, n, n, n, n, n,
				n, n, n, n, n, n, n, n, n, n, n) +
		evl_new_mutex(&m, name) + evl_new_event(&e, name) + evl_new_sem(&s, name) +
		evl_new_flags(&f, name) + evl_new_xbuf(1024, name) +
		evl_new_proxy(1, 1024, name) + evl_new_observable(name) +
		evl_attach_thread(EVL_CLONE_PRIVATE, name) + evl_attach_thread(0, "") +
		evl_create_mutex(&m, EVL_CLOCK_MONOTONIC, 0, 0, name) +
		evl_create_event(&e, EVL_CLOCK_MONOTONIC, 0, name) +
		evl_create_sem(&s, EVL_CLOCK_MONOTONIC, 0, 0, name) +
		evl_create_flags(&f, EVL_CLOCK_MONOTONIC, 0, 0, name) +
		evl_create_xbuf(1, 1, 0, name) + evl_create_proxy(1, 1, 1, 0, name) +
		evl_create_observable(0, name) + evl_open_mutex(&m, name) +
		evl_open_event(&e, name) + evl_open_sem(&s, name) + evl_open_flags(&f, name) +
		evl_open_element(EVL_MONITOR_DEV, name);
}
