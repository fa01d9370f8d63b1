/* SPDX-License-Identifier: GPL-2.0-only */
/* An ordinary user who may make elements of one class. */
#ifndef EVL_TEST_USER_H
#define EVL_TEST_USER_H

#include "helpers.h"
#include <grp.h>

#define USER	4321

/* The owner of a clone device is that of whatever comes out of it, once it was opened. */
static void give_device(const char *path, int user)
{
	check_sys(chown(path, user, user));
	close(check_sys(open(path, O_RDWR)));
}

__attribute__((unused))
static void become_user(void)
{
	check_sys(setgroups(0, NULL));
	check_sys(setgid(USER));
	check_sys(setuid(USER));
}

/* Run @body as that user, in a process which locked its memory before. */
__attribute__((unused))
static void as_user(const char *class, void (*body)(void))
{
	char path[64];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "/dev/evl/%s/clone", class);
	give_device(path, USER);
	pid = check_sys(fork());
	if (!pid) {
		check_ok(evl_init());
		become_user();
		body();
		_exit(0);
	}
	status = wait_for(pid);
	give_device(path, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED)
		_exit(EXIT_SKIPPED);
	check_eq(status, 0);
}

#endif /* !EVL_TEST_USER_H */
