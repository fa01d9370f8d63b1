/* SPDX-License-Identifier: GPL-2.0-only */
/* What cmocka wants to be included first, and a way to test in a child. */
#ifndef _EVL_TEST_UNIT_H
#define _EVL_TEST_UNIT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <cmocka.h>

/*
 * Runs a function in a child, since it may only happen once in a process.
 * Returns what it did, if within -127..127, else -999.
 */
static inline int run_in_child(int (*fn)(void *), void *arg)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	if (pid == 0) {
		int ret = fn(arg);

		fflush(stdout);
		_exit(ret & 0xff);
	}

	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -999;

	return (int)(signed char)WEXITSTATUS(status);
}

#endif /* _EVL_TEST_UNIT_H */
