// SPDX-License-Identifier: GPL-2.0-only
/* What attaching lets a thread do, who else may do that, and who may change threads of others. */
#include "user.h"
#include "fault.h"
#include <evl/xbuf.h>
#include <spawn.h>
#include <sys/socket.h>

#define CAP_BIT(__nr)	(1ULL << (__nr))
#define THREAD_CAPS	(CAP_BIT(14) | CAP_BIT(17) | CAP_BIT(23))	/* IPC_LOCK, SYS_RAWIO, SYS_NICE */

/* Effective capabilities of the calling thread. */
static unsigned long long caps(void)
{
	FILE *file = fopen("/proc/thread-self/status", "r");
	unsigned long long set = ~0ULL;
	char line[128];

	check(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %llx", &set) == 1)
			break;
	fclose(file);
	return set;
}

/* --- Capabilities ------------------------------------------------------------------------------ */

static void user_thread_has(void)
{
	check_eq(caps(), 0);
	check_ok(evl_attach_self("rights:%d", getpid()));
	check_eq(caps(), THREAD_CAPS);
	check_ok(evl_detach_self());
	check_eq(caps(), 0);
}

static void thread_has(void)
{
	as_user("thread", user_thread_has);
}

static void expect_none(void *arg)
{
	(void)arg;
	check_eq(caps(), 0);
}

static void spawn_expecting_none(void)
{
	char *argv[] = { "sh", "-c", "grep -q '^CapEff:.*0000000000000000' /proc/self/status", NULL }, *env[] = { NULL };
	pid_t pid;

	check_eq(posix_spawnp(&pid, "sh", NULL, NULL, argv, env), 0);
	wait_success(pid);
}

static void *fork_from_here(void *arg)
{
	(void)arg;
	wait_success(fork_child(expect_none, NULL));
	return NULL;
}

static void user_child_has_none(void)
{
	pthread_t thread;

	check_ok(evl_attach_self("rights:%d", getpid()));
	wait_success(fork_child(expect_none, NULL));
	spawn_expecting_none();
	/* Nor do children of other threads, which it made. */
	check_eq(pthread_create(&thread, NULL, fork_from_here, NULL), 0);
	pthread_join(thread, NULL);
	check_eq(caps(), THREAD_CAPS);
	check_ok(evl_detach_self());
}

static void child_has_none(void)
{
	as_user("thread", user_child_has_none);
}

static void expect_same(void *arg)
{
	check_eq(caps(), *(unsigned long long *)arg);
}

/* What somebody had before is not taken away. */
static void child_of_root_has_all(void)
{
	unsigned long long all = caps();

	check_ok(evl_attach_self("rights:%d", getpid()));
	check_eq(caps(), all | THREAD_CAPS);
	wait_success(fork_child(expect_same, &all));
	check_ok(evl_detach_self());
	check_eq(caps(), all);
}

/* --- Members of a group ---------------------------------------------------------------------------- */

/* No udev here, which would come too late anyway: who makes something opens it at once. */
static void member_makes_public(void *arg)
{
	(void)arg;
	check_ok(evl_init());
	check_sys(setgroups(0, NULL));
	check_sys(setgid(USER));
	check_sys(setuid(USER));
	check_ok(evl_create_xbuf(64, 64, EVL_CLONE_PUBLIC, "member:%d", getpid()));
	check_ok(evl_attach_self("/member:%d", getpid()));
	check_ok(evl_detach_self());
}

static void members_make_public(void)
{
	const char *nodes[] = {
		"control", "poll", "xbuf/clone", "proxy/clone", "clock/monotonic", "clock/realtime", "thread/clone",
	};
	char path[64];
	int made;

	for (unsigned int n = 0; n < ARRAY_SIZE(nodes); n++) {
		snprintf(path, sizeof(path), "/dev/evl/%s", nodes[n]);
		check_sys(chown(path, 0, USER));
		check_sys(chmod(path, 0660));
	}
	wait_success(fork_child(member_makes_public, NULL));
	for (unsigned int n = 0; n < ARRAY_SIZE(nodes); n++) {
		snprintf(path, sizeof(path), "/dev/evl/%s", nodes[n]);
		check_sys(chown(path, 0, 0));
		check_sys(chmod(path, 0600));
		/* Clone devices remember who owned them when they were opened. */
		made = open(path, O_RDWR);
		if (made >= 0)
			close(made);
	}
}

/* --- Threads of others ---------------------------------------------------------------------------- */

static void sleep_long(struct worker *w)
{
	attach_worker(w);
	w->result = sleep_until(now() + 1000 * NSEC_PER_SEC);
}

/* In a process which was given a descriptor, and has nothing else. */
static void meddle(void *arg)
{
	struct evl_sched_attrs attrs = { .sched_policy = SCHED_FIFO, .sched_priority = 99 };
	struct evl_thread_state state;
	int efd = *(int *)arg;
	unsigned int mask = EVL_T_WOSS;

	become_user();
	check_sys(ioctl(efd, EVL_THRIOC_GET_STATE, &state));
	check_sys(ioctl(efd, EVL_THRIOC_GET_SCHEDPARAM, &attrs));
	attrs.sched_priority = 99;
	check_errno(ioctl(efd, EVL_THRIOC_SET_SCHEDPARAM, &attrs), EPERM);
	check_errno(ioctl(efd, EVL_THRIOC_SET_MODE, &mask), EPERM);
	check_errno(ioctl(efd, EVL_THRIOC_CLEAR_MODE, &mask), EPERM);
	check_errno(ioctl(efd, EVL_THRIOC_UNBLOCK), EPERM);
	check_errno(ioctl(efd, EVL_THRIOC_DEMOTE), EPERM);
}

static void others_may_look(void)
{
	struct worker w = { .body = sleep_long, .name = "sleeper", .prio = 20, .cpu = other_cpu() };
	int efd;

	check_ok(evl_init());
	start_worker(&w);
	await(worker_sleeps(&w));
	efd = check_sys(dup(w.efd));
	wait_success(fork_child(meddle, &efd));
	close(efd);
	check_eq(attrs_of(w.efd).sched_priority, 20);
	check(worker_sleeps(&w));
	check_ok(set_fifo(w.efd, 30));
	check_ok(evl_unblock_thread(w.efd));
	join_worker(&w);
	check_eq(w.result, -EINTR);
}

/* The main thread of a program need not be attached to look after the others. */
static void user_may_change_own(void)
{
	struct worker w = { .body = sleep_long, .name = "sleeper", .cpu = other_cpu() };

	start_worker(&w);
	await(worker_sleeps(&w));
	check_ok(set_fifo(w.efd, 30));
	check_eq(attrs_of(w.efd).sched_priority, 30);
	check_ok(evl_demote_thread(w.efd));
	join_worker(&w);
	check_eq(w.result, -EINTR);
}

static void may_change_own(void)
{
	as_user("thread", user_may_change_own);
}

/* --- Threads which have ended --------------------------------------------------------------------- */

static struct fault_page slow;
static atomic_bool detached, may_end;
static atomic_int changes_to = -1;

/* Of a request, the thread is looked at first, and what it is to become then. */
static void *change_slowly(void *arg)
{
	int efd = *(int *)arg;

	errno = 0;
	atomic_store(&changes_to, ioctl(efd, EVL_THRIOC_SET_SCHEDPARAM, slow.addr) ? errno : 0);
	return NULL;
}

/* It ends for the core only, and sleeps in Linux for as long as it likes. */
static void detach_and_sleep(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_inband());
	await(atomic_load(&may_end));
	check_ok(evl_detach_self());
	atomic_store(&detached, true);
	pause();
}

static void ends_while_it_is_changed(void)
{
	static struct evl_sched_attrs attrs[4096 / sizeof(struct evl_sched_attrs)] __attribute__((aligned(4096)));
	struct worker w = { .body = detach_and_sleep, .name = "leaver", .cpu = other_cpu() };
	pthread_t thread;

	check_ok(evl_init());
	attrs[0] = (struct evl_sched_attrs){ .sched_policy = SCHED_FIFO, .sched_priority = 30 };
	start_worker(&w);
	await(atomic_load(&w.attached));
	check_sys(munlockall());
	new_fault_page(&slow);
	check_eq(pthread_create(&thread, NULL, change_slowly, &w.efd), 0);
	await_fault(&slow);
	atomic_store(&may_end, true);
	await(atomic_load(&detached));
	resolve_fault(&slow, attrs);
	check_eq(pthread_join(thread, NULL), 0);
	check_eq(atomic_load(&changes_to), ESTALE);
	/* Nothing of it is left behind, although the task sleeps on. */
	close(w.efd);
	await(!has_element("thread", own_name("leaver")));
}

static const struct CMUnitTest tests[] = {
	TEST(thread_has, "a thread has three capabilities, until it detaches"),
	TEST(child_has_none, "its children have none of them"),
	TEST(child_of_root_has_all, "but what its parent had before"),
	TEST(members_make_public, "a member of the group may make public elements, and open them at once"),
	TEST(others_may_look, "another user who has a descriptor may look, and not touch: -EPERM"),
	TEST(may_change_own, "a user may change threads of his own"),
	TEST(ends_while_it_is_changed, "a change which comes too late for its thread says so"),
};

TEST_MAIN("rights", tests)
