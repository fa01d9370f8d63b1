// SPDX-License-Identifier: GPL-2.0-only
/* What an update of an observable costs, by the number of its subscribers. */
#include "bench.h"
#include <evl/observable.h>

/* Updates in each round: nobody reads what is sent in rounds of the first kind. */
#define UPDATES		20
#define BACKLOG		(UPDATES * (ROUNDS + 4))

static int ofd;
static volatile int over;
static pthread_barrier_t ready;

static void update(void)
{
	const struct evl_notice ntc = { .tag = EVL_NOTICE_USER, .event = evl_intval(1) };

	must(evl_update_observable(ofd, &ntc, 1));
}

/* Subscribes, and comes back for nothing but the end. */
static void *subscribe_only(void *arg)
{
	(void)arg;
	must(evl_subscribe(ofd, BACKLOG, EVL_NOTIFY_ALWAYS));
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&ready);

	return NULL;
}

/* Reads each notice as it comes, ahead of who sends it. */
static void *read_all(void *arg)
{
	struct evl_notification nf;

	must(evl_attach_self("bench-reader%d:%d", (int)(intptr_t)arg, getpid()));
	must(evl_subscribe(ofd, BACKLOG, EVL_NOTIFY_ALWAYS));
	pthread_barrier_wait(&ready);
	must(evl_switch_oob());
	while (!over)
		must(evl_read_observable(ofd, &nf, 1));
	must(evl_detach_self());

	return NULL;
}

/* Until this reader is back in line for the next notice. */
static void await_reader(int nr)
{
	unsigned int state;
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/thread/bench-reader%d:%d/state", nr, getpid());
	do {
		file = fopen(path, "r");
		if (!file || fscanf(file, "%x", &state) != 1)
			die("cannot read %s", path);
		fclose(file);
	} while (!(state & EVL_T_PEND) && sched_yield() == 0);
}

static void run(const char *kind, int count, int prio, void *(*subscriber)(void *))
{
	pthread_t *threads = calloc(count, sizeof(threads[0]));
	char name[64];
	int n;

	must(evl_switch_inband());
	over = 0;
	ofd = must(evl_new_observable("bench-observable:%d", getpid()));
	pthread_barrier_init(&ready, NULL, count + 1);
	for (n = 0; n < count; n++)
		threads[n] = start_thread(prio, subscriber, (void *)(intptr_t)n);
	pthread_barrier_wait(&ready);
	for (n = 0; n < count && subscriber == read_all; n++)
		await_reader(n);

	must(evl_switch_oob());
	snprintf(name, sizeof(name), "observable_update_%s_%dsub", kind, count);
	measure(name, UPDATES, update());

	must(evl_switch_inband());
	over = 1;
	update();
	if (subscriber == subscribe_only)
		pthread_barrier_wait(&ready);
	for (n = 0; n < count; n++)
		pthread_join(threads[n], NULL);
	close(ofd);
	free(threads);
}

int main(void)
{
	static const int counts[] = { 1, 10, 100, 1000 };
	size_t n;
	int fd;

	setvbuf(stdout, NULL, _IONBF, 0);
	must(evl_init());
	fd = evl_new_observable("bench-observable:%d", getpid());
	if (fd < 0) {
		report_skipped("all of them", "there are no observables");
		return 0;
	}
	close(fd);

	become_fifo(MAIN_PRIO);
	must(evl_attach_self("bench-observable:%d", getpid()));
	for (n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
		run("post", counts[n], MAIN_PRIO - 10, subscribe_only);
		run("wake_read", counts[n], MAIN_PRIO + 10, read_all);
	}

	return 0;
}
