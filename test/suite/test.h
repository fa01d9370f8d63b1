/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frame of the cmocka suites. Each test runs in a process of its own, which may crash, hang, attach threads and lock
 * memory without harm to the others. The process which runs cmocka only waits for it, within a bound, and then looks
 * for elements that were left behind.
 *
 * In a test, on any thread: check(), check_eq() and so on. A failed one ends the process of the test.
 */
#ifndef EVL_TEST_TEST_H
#define EVL_TEST_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define EXIT_FAILED	1
#define EXIT_SKIPPED	77

/* Generous: it only has to end a test which hangs. */
#define TEST_SECONDS	90

#define NSEC_PER_SEC	1000000000LL
#define NSEC_PER_MSEC	1000000LL

#define ARRAY_SIZE(__a)	(sizeof(__a) / sizeof((__a)[0]))

struct isolated {
	void (*body)(void);
	int seconds;
};

/* Rows of the table which main() hands to cmocka. */
#define TEST_WITHIN(__fn, __seconds, __what)					\
	{									\
		#__fn ": " __what, run_isolated, NULL, NULL,			\
		&(struct isolated){ .body = __fn, .seconds = __seconds }	\
	}
#define TEST(__fn, __what)	TEST_WITHIN(__fn, TEST_SECONDS, __what)

/* What a test says of its end, in memory shared with all its descendants. */
struct report {
	atomic_bool taken;
	char text[480];
};

static struct report *report;

__attribute__((format(printf, 2, 3), noreturn, unused))
static void end_test(int status, const char *fmt, ...)
{
	va_list ap;

	if (!report || atomic_exchange(&report->taken, true))
		_exit(status);
	va_start(ap, fmt);
	vsnprintf(report->text, sizeof(report->text), fmt, ap);
	va_end(ap);
	_exit(status);
}

#define check_fail(__fmt, ...)	\
	end_test(EXIT_FAILED, "%s:%d: " __fmt, __FILE__, __LINE__, ##__VA_ARGS__)
#define check_skip(__fmt, ...)	end_test(EXIT_SKIPPED, __fmt, ##__VA_ARGS__)

#define check(__cond)					\
	do {						\
		if (!(__cond))				\
			check_fail("not so: %s", #__cond); \
	} while (0)

#define check_op(__a, __op, __b)					\
	do {								\
		long long __va = (long long)(__a);			\
		long long __vb = (long long)(__b);			\
		if (!(__va __op __vb))					\
			check_fail("%s is %lld, wanted " #__op " %s (%lld)", \
				   #__a, __va, #__b, __vb);		\
	} while (0)

#define check_eq(__a, __b)	check_op(__a, ==, __b)
#define check_ne(__a, __b)	check_op(__a, !=, __b)
#define check_ge(__a, __b)	check_op(__a, >=, __b)
#define check_le(__a, __b)	check_op(__a, <=, __b)
#define check_gt(__a, __b)	check_op(__a, >, __b)
#define check_lt(__a, __b)	check_op(__a, <, __b)

/* For calls which answer a descriptor, a count or a negated error code. */
#define check_ok(__call)						\
	({								\
		long __r = (long)(__call);				\
		if (__r < 0)						\
			check_fail("%s: %s", #__call, strerror(-__r));	\
		__r;							\
	})

/* For calls which answer -1 and set errno. */
#define check_sys(__call)						\
	({								\
		long __r = (long)(__call);				\
		if (__r == -1)						\
			check_fail("%s: %s", #__call, strerror(errno));	\
		__r;							\
	})
#define check_errno(__call, __code)					\
	do {								\
		errno = 0;						\
		check_eq(__call, -1);					\
		check_eq(errno, __code);				\
	} while (0)

#define check_str(__a, __b)						\
	do {								\
		const char *__sa = (__a), *__sb = (__b);		\
		if (strcmp(__sa, __sb))					\
			check_fail("%s is \"%s\", wanted \"%s\"", #__a, __sa, __sb); \
	} while (0)

/* Poll for a condition that another thread or process brings about. */
#define await(__cond)							\
	do {								\
		int __n = 0;						\
		while (!(__cond)) {					\
			if (++__n > 30000)				\
				check_fail("never came: %s", #__cond);	\
			nap();						\
		}							\
	} while (0)

__attribute__((unused))
static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = NSEC_PER_MSEC }, NULL);
}

__attribute__((unused))
static bool kernel_has_dovetail(void)
{
	FILE *symbols = fopen("/proc/kallsyms", "re");
	char line[256];
	bool found = false;

	check(symbols);
	while (!found && fgets(line, sizeof(line), symbols))
		found = strstr(line, " dovetail_start\n");
	fclose(symbols);
	return found;
}

__attribute__((unused))
static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	check_sys(sched_setaffinity(0, sizeof(set), &set));
}

/* The two CPUs of a guest; a machine with one gives the same twice. */
__attribute__((unused))
static int other_cpu(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 1 : 0;
}

/* Wait for a child of a test; its own failure is that of the test. */
__attribute__((unused))
static int wait_for(pid_t pid)
{
	int status;

	check_eq(waitpid(pid, &status, 0), pid);
	return status;
}

__attribute__((unused))
static void wait_success(pid_t pid)
{
	int status = wait_for(pid);

	if (!WIFEXITED(status) || WEXITSTATUS(status))
		check_fail("child ended with status %#x", status);
}

__attribute__((unused))
static void wait_signal(pid_t pid, int sig)
{
	int status = wait_for(pid);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != sig)
		check_fail("child ended with status %#x, wanted signal %d", status, sig);
}

/* Fork a child which runs @body and ends. */
__attribute__((unused))
static pid_t fork_child(void (*body)(void *), void *arg)
{
	pid_t pid = check_sys(fork());

	if (!pid) {
		body(arg);
		_exit(0);
	}
	return pid;
}

/* First element of a class in sysfs but for its clone device, or NULL. */
static const char *first_element(const char *class)
{
	static char name[sizeof(((struct dirent *)0)->d_name)];
	char path[64];
	struct dirent *entry;
	const char *found = NULL;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/devices/virtual/%s", class);
	dir = opendir(path);
	if (!dir)
		return NULL;
	while (!found && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "clone"))
			found = strcpy(name, entry->d_name);
	}
	closedir(dir);
	return found;
}

/* Disposal may be deferred, so give it time. */
static void fail_on_leftovers(void)
{
	static const char *const classes[] = { "thread", "monitor", "xbuf", "proxy" };
	const char *left;
	unsigned int i;
	int tries;

	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		for (tries = 0; (left = first_element(classes[i])); tries++) {
			if (tries > 10000)
				fail_msg("%s \"%s\" outlived its process", classes[i], left);
			nap();
		}
	}
}

static void print_file(const char *label, const char *path)
{
	char buf[512];
	ssize_t count;
	int fd;

	fd = open(path, O_RDONLY);
	if (fd < 0)
		return;
	count = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (count <= 0)
		return;
	buf[count] = '\0';
	for (char *line = strtok(buf, "\n"); line; line = strtok(NULL, "\n"))
		printf("# %s: %s\n", label, line);
}

/* Where the threads of a process that hangs are. */
static void print_threads(pid_t pid)
{
	static const char *const files[] = { "comm", "stat", "syscall", "stack" };
	char path[320], label[280];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		for (unsigned int i = 0; i < ARRAY_SIZE(files); i++) {
			snprintf(path, sizeof(path), "/proc/%d/task/%s/%s", pid, entry->d_name, files[i]);
			snprintf(label, sizeof(label), "%s %s", entry->d_name, files[i]);
			print_file(label, path);
		}
	}
	if (dir)
		closedir(dir);
	fflush(stdout);
}

/* All processes of a group. */
static void print_group(pid_t group)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	while (dir && (entry = readdir(dir))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && getpgid(pid) == group)
			print_threads(pid);
	}
	if (dir)
		closedir(dir);
}

static bool reap_within(pid_t pid, int *status, int seconds)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	do {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		nap();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));

	return false;
}

/* cmocka catches these, and would resume its own work in the child. */
static void reset_signals(void)
{
	static const int caught[] = { SIGABRT, SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS };

	for (unsigned int i = 0; i < ARRAY_SIZE(caught); i++)
		signal(caught[i], SIG_DFL);
}

/* A kernel which checks everything takes several times as long. */
static int patience(int seconds)
{
	return access("/proc/lockdep_stats", F_OK) ? seconds : 4 * seconds;
}

/* Test function of every row: the body is in a child, in a process group of its own. */
static void run_isolated(void **state)
{
	const struct isolated *test = *state;
	int status;
	pid_t pid;

	if (!report)
		report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(report, MAP_FAILED);
	memset(report, 0, sizeof(*report));

	fflush(NULL);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (!pid) {
		setpgid(0, 0);
		reset_signals();
		test->body();
		fflush(NULL);
		_exit(0);
	}
	if (!reap_within(pid, &status, patience(test->seconds))) {
		print_group(pid);
		kill(-pid, SIGKILL);
		if (!reap_within(pid, &status, patience(20)))
			fail_msg("hangs, and SIGKILL does not end it");
		fail_msg("hangs");
	}
	kill(-pid, SIGKILL);
	if (WIFSIGNALED(status))
		fail_msg("killed by signal %d; %s", WTERMSIG(status), report->text);
	if (WEXITSTATUS(status) == EXIT_SKIPPED) {
		print_message("%s\n", report->text);
		skip();
	}
	if (WEXITSTATUS(status))
		fail_msg("%s", report->text[0] ? report->text : "child failed without a word");
	fail_on_leftovers();
}

/*
 * An argument selects tests by a pattern, for work on a single one. Everything stays on CPU 0 unless a test says
 * otherwise: a thread which keeps another CPU busy out-of-band would keep a Linux task there from running at all.
 */
__attribute__((unused))
static void prepare_main(int argc, char *argv[])
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
}

#define TEST_MAIN(__name, __tests)					\
	int main(int argc, char *argv[])				\
	{								\
		prepare_main(argc, argv);				\
		return cmocka_run_group_tests_name(__name, __tests, NULL, NULL); \
	}

#endif /* !EVL_TEST_TEST_H */
