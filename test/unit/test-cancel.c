// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread which was handed a unit is cancelled on its way back from the core,
 * at each instruction in turn: either it ends and gives the unit back, or it
 * returns with it. Built in C, in C with exceptions, and in C++, since each of
 * them unwinds the stack in its own way.
 */
/* For the names of registers; C++ has it anyway. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

/* Have the library call prctl() and ioctl(), which are ours. */
#define EVL_LIBC_PRCTL
static int fake_ioctl(int fd, unsigned long request, void *arg);
#define ioctl	fake_ioctl
#include <evl/sem.h>
#undef ioctl

#define TRAP_FLAG	0x100

/* How the process of one attempt ends. */
enum { GIVEN_BACK, KEPT, LOST, PASSED_BY };

static struct evl_user_window window;
static struct evl_monitor_state state;
static struct evl_sem sem;
static volatile int target, step, given_back, got;

/* The caller is in-band after a signal, so this is how it gives back. */
static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	__s32 units;

	(void)fd;
	memcpy(&units, arg, sizeof(units));
	if (request == EVL_MONIOC_SIGNAL)
		given_back += units;

	return 0;
}

/* Hands a unit to the caller, and has it trap after each instruction from here. */
__EVL_BEGIN_DECLS
int fake_prctl(int option, ...) __asm__("prctl");
__EVL_END_DECLS

int fake_prctl(int option, ...)
{
	struct evl_monitor_waitreq *req = NULL;
	va_list ap;
	int n;

	va_start(ap, option);
	for (n = 0; n < 4; n++)
		req = va_arg(ap, struct evl_monitor_waitreq *);
	va_end(ap);
	req->status = 0;
	__asm__ __volatile__("pushfq; orq %0, (%%rsp); popfq" : : "i"(TRAP_FLAG) : "memory", "cc");

	return 0;
}

static void trapped(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = (ucontext_t *)context;

	(void)sig;
	(void)info;
	if (++step == target) {
		uc->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
		pthread_cancel(pthread_self());
	}
}

static void *get_unit(void *arg)
{
	(void)arg;
	__evl_hl_self()->window = &window;
	got = evl_get_sem(&sem) == 0;
	if (step < target)
		_exit(PASSED_BY);
	pthread_testcancel();

	return NULL;
}

static int attempt(void)
{
	pthread_t thread;
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		if (pthread_create(&thread, NULL, get_unit, NULL) || pthread_join(thread, NULL))
			_exit(LOST);
		_exit(got + given_back != 1 ? LOST : got ? KEPT : GIVEN_BACK);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return LOST;

	return WEXITSTATUS(status);
}

int main(int argc, char *argv[])
{
	int count[PASSED_BY + 1] = { 0, 0, 0, 0 };
	struct sigaction sa;

	(void)argc;
	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = trapped;
	sa.sa_flags = SA_SIGINFO | SA_NODEFER;
	sigaction(SIGTRAP, &sa, NULL);

	window.state = EVL_T_INBAND;
	sem.monitor.magic = __EVL_HL_SEM | __EVL_HL_LIVE;
	sem.monitor.state = &state;
	do {
		target++;
		count[attempt()]++;
	} while (!count[PASSED_BY] && count[LOST] < 10);

	printf("%s: a unit was given back %d times, kept %d times, lost %d times\n",
	       strrchr(argv[0], '/') + 1, count[GIVEN_BACK], count[KEPT], count[LOST]);

	return !count[GIVEN_BACK] || !count[KEPT] || count[LOST];
}
