// SPDX-License-Identifier: GPL-2.0-only
/* What users may keep Linux waiting for: threads and names of others do not depend on that. */
#include "driver.h"
#include "fault.h"
#include "helpers.h"
#include <evl/observable.h>
#include <evl/proxy.h>
#include <evl/xbuf.h>
#include <semaphore.h>
#include <sys/resource.h>
#include "../module/evl_file_test.h"

/* More than a workqueue of Linux runs at once: 256 works for each of two CPUs which share no cache. */
#define MANY		600

static void raise_limits(void)
{
	struct rlimit limit = { 4 * MANY, 4 * MANY };

	check_sys(setrlimit(RLIMIT_NOFILE, &limit));
}

/* What it leaves is for a worker of the core to dispose of, once its descriptor is gone. */
static void exit_oob(struct worker *w)
{
	attach_worker(w);
	check_sys(close(w->efd));
	check_ok(evl_switch_oob());
	pthread_exit(NULL);
}

/* Each round needs what the last one left to be gone. */
static void check_life_goes_on(void)
{
	struct worker w = { .body = exit_oob, .name = "mortal", .prio = 10 };

	for (int n = 0; n < 5; n++) {
		start_worker(&w);
		join_worker(&w);
		await(!has_element("thread", own_name("mortal")));
		close(check_ok(evl_new_xbuf(64, "again:%d", getpid())));
		check(!has_element("xbuf", own_name("again")));
	}
}

/* --- Directories of nodes -------------------------------------------------------------------------- */

static int to_lister[2], from_lister[2];
static struct fault_page page;

static const char *directory = "/dev/evl/thread";

static void *list_directory(void *arg)
{
	int dir = check_sys(open(directory, O_RDONLY | O_DIRECTORY));

	check_gt(syscall(SYS_getdents64, dir, page.addr, 4096L), 0);
	return arg;
}

/* Where the directory is told to is not there until the parent says so. */
static void run_lister(void *arg)
{
	pthread_t thread;
	char c;

	(void)arg;
	check_eq(read(to_lister[0], &c, 1), 1);
	new_fault_page(&page);
	check_eq(pthread_create(&thread, NULL, list_directory, NULL), 0);
	await_fault(&page);
	check_eq(write(from_lister[1], &c, 1), 1);
	check_eq(read(to_lister[0], &c, 1), 1);
	resolve_fault(&page, NULL);
	check_eq(pthread_join(thread, NULL), 0);
}

static sem_t leave;

static void run_public(struct worker *w)
{
	static atomic_int nr;

	w->efd = check_ok(evl_attach_self("/stall-%d", atomic_fetch_add(&nr, 1)));
	/* Left to a worker, too, who waits for the node. */
	check_sys(close(w->efd));
	atomic_store(&w->attached, true);
	while (sem_wait(&leave))
		;
}

/* The nodes of those who are gone cannot be removed before the lister knows what there was. */
static void nodes_cannot_be_removed(void)
{
	static struct worker w[MANY];
	pid_t lister;
	char c = 0;

	raise_limits();
	check_sys(pipe(to_lister));
	check_sys(pipe(from_lister));
	lister = fork_child(run_lister, NULL);
	sem_init(&leave, 0, 0);
	check_ok(evl_init());
	for (int i = 0; i < MANY; i++) {
		w[i] = (struct worker){ .body = run_public };
		start_worker(&w[i]);
	}
	for (int i = 0; i < MANY; i++)
		await(atomic_load(&w[i].attached));
	check_eq(write(to_lister[1], &c, 1), 1);
	check_eq(read(from_lister[0], &c, 1), 1);
	for (int i = 0; i < MANY; i++)
		sem_post(&leave);
	for (int i = 0; i < MANY; i++)
		join_worker(&w[i]);
	check_life_goes_on();
	check(has_element("thread", "stall-0"));
	check_eq(write(to_lister[1], &c, 1), 1);
	wait_success(lister);
	await(!first_element("thread"));
}

/* --- What they have subscribed to ------------------------------------------------------------------------ */

static int observable;
static atomic_int nr_subscribed;

static void subscribe_to_it(struct worker *w)
{
	(void)w;
	check_ok(evl_subscribe(observable, 1, 0));
	atomic_fetch_add(&nr_subscribed, 1);
	while (sem_wait(&leave))
		;
}

static atomic_int closer_tid;

static void *close_observable(void *arg)
{
	atomic_store(&closer_tid, get_tid());
	check_sys(close(observable));
	return arg;
}

/* An observable on its way out, whose node cannot be removed, and all of its subscribers end. */
static void observable_cannot_be_removed(void)
{
	static struct worker w[MANY];
	pthread_t closer;
	pid_t lister;
	char c = 0;

	raise_limits();
	check_sys(pipe(to_lister));
	check_sys(pipe(from_lister));
	directory = "/dev/evl/observable";
	lister = fork_child(run_lister, NULL);
	sem_init(&leave, 0, 0);
	check_ok(evl_init());
	observable = check_ok(evl_create_observable(EVL_CLONE_PUBLIC, "/stall"));
	check_sys(write(to_lister[1], &c, 1));
	check_eq(read(from_lister[0], &c, 1), 1);
	for (int i = 0; i < MANY; i++) {
		w[i] = (struct worker){ .body = subscribe_to_it, .name = "listener" };
		start_worker(&w[i]);
	}
	await(atomic_load(&nr_subscribed) == MANY);
	check_eq(pthread_create(&closer, NULL, close_observable, NULL), 0);
	/* A look at the descriptor might be the last use of the file: the end of it would be ours. */
	await(task_is(atomic_load(&closer_tid), 'D'));
	for (int i = 0; i < MANY; i++)
		sem_post(&leave);
	for (int i = 0; i < MANY; i++)
		join_worker(&w[i]);
	check_life_goes_on();
	check(has_element("observable", "stall"));
	check_eq(write(to_lister[1], &c, 1), 1);
	wait_success(lister);
	check_eq(pthread_join(closer, NULL), 0);
	await(!has_element("observable", "stall"));
}

/* --- Mappings which are being made -------------------------------------------------------------------- */

static int device, proxy;

static void map_device(void *arg)
{
	(void)arg;
	check(mmap(NULL, 4096, PROT_READ, MAP_SHARED, proxy, 0) != MAP_FAILED);
}

/* Nor can be told how a mapping went while that is not known. */
static void mappings_take_long(void)
{
	pid_t mapper[MANY];

	raise_limits();
	check_ok(evl_init());
	device = check_sys(open(EVL_FILE_TEST_DEVICE, O_RDWR));
	proxy = check_ok(evl_create_proxy(device, 0, 0, EVL_CLONE_PRIVATE, "map:%d", getpid()));
	check_sys(ioctl(device, FILE_TEST_KEEP_MAPPERS, 1L));
	for (int i = 0; i < MANY; i++)
		mapper[i] = fork_child(map_device, NULL);
	await(ioctl(device, FILE_TEST_NR_MAPPERS, 0L) == MANY);
	check_life_goes_on();
	check_sys(ioctl(device, FILE_TEST_KEEP_MAPPERS, 0L));
	for (int i = 0; i < MANY; i++)
		wait_success(mapper[i]);
}

static const struct CMUnitTest tests[] = {
	TEST_WITHIN(nodes_cannot_be_removed, 150, "whoever lists a directory of nodes, slowly, holds up nothing but those"),
	TEST_WITHIN(observable_cannot_be_removed, 150, "nor do the subscribers of one of them, when they end"),
	TEST_WITHIN(mappings_take_long, 150, "nor does who takes long to map a proxy"),
};

static int setup(void **state)
{
	(void)state;
	return load_module("evl_file_test", EVL_FILE_TEST_DEVICE);
}

/* What was mapped is let go a moment after the last process is gone. */
static int teardown(void **state)
{
	int ret = -1;

	(void)state;
	for (int i = 0; ret && i < 5000; i++) {
		nap();
		ret = unload_module("evl_file_test");
	}
	return ret;
}

int main(int argc, char *argv[])
{
	prepare_main(argc, argv);
	return cmocka_run_group_tests_name("stalls", tests, setup, teardown);
}
