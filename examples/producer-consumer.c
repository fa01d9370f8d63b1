// SPDX-License-Identifier: GPL-2.0-only
/*
 * Producers and consumers share a queue of a few slots: a mutex guards it, one
 * event tells of a slot which became free, another one of an item which came
 * in. All of them run out-of-band.
 *
 * Each item must arrive once, and those which a consumer gets from a producer
 * in the order they were sent.
 */
#include <error.h>
#include <pthread.h>
#include <stdio.h>
#include <evl/evl.h>

#define NR_SLOTS	8
#define NR_PRODUCERS	3
#define NR_CONSUMERS	2
#define NR_ITEMS	1000	/* of each producer */

static struct {
	struct evl_mutex lock;
	struct evl_event not_full, not_empty;
	int slots[NR_SLOTS];		/* an item is a number */
	unsigned int first, count;
	unsigned int producers;		/* which are not done yet */
	unsigned int full, empty;	/* waits for a slot, for an item */
} queue;

static unsigned int arrived[NR_PRODUCERS * NR_ITEMS], disorder;

static void check(int ret, const char *what)
{
	if (ret < 0)
		error(1, -ret, "%s", what);
}

/* What is waited for is looked at again each time: somebody may have come first. */
static void put(int item)
{
	check(evl_lock_mutex(&queue.lock), "evl_lock_mutex");
	while (queue.count == NR_SLOTS) {
		queue.full++;
		check(evl_wait_event(&queue.not_full, &queue.lock), "evl_wait_event");
	}
	queue.slots[(queue.first + queue.count++) % NR_SLOTS] = item;
	check(evl_signal_event(&queue.not_empty), "evl_signal_event");
	check(evl_unlock_mutex(&queue.lock), "evl_unlock_mutex");
}

/* False once the queue is empty for good. */
static bool get(int *item)
{
	bool found;

	check(evl_lock_mutex(&queue.lock), "evl_lock_mutex");
	while (queue.count == 0 && queue.producers > 0) {
		queue.empty++;
		check(evl_wait_event(&queue.not_empty, &queue.lock), "evl_wait_event");
	}
	found = queue.count > 0;
	if (found) {
		*item = queue.slots[queue.first];
		queue.first = (queue.first + 1) % NR_SLOTS;
		queue.count--;
		check(evl_signal_event(&queue.not_full), "evl_signal_event");
	}
	check(evl_unlock_mutex(&queue.lock), "evl_unlock_mutex");

	return found;
}

static void *produce(void *arg)
{
	int number = (int)(long)arg, n;

	check(evl_attach_self("producer-%d:%d", number, getpid()), "evl_attach_self");

	for (n = 0; n < NR_ITEMS; n++)
		put(number * NR_ITEMS + n);

	/* The last one to go tells all consumers, whatever they have waited for. */
	check(evl_lock_mutex(&queue.lock), "evl_lock_mutex");
	if (--queue.producers == 0)
		check(evl_broadcast_event(&queue.not_empty), "evl_broadcast_event");
	check(evl_unlock_mutex(&queue.lock), "evl_unlock_mutex");
	evl_detach_self();

	return NULL;
}

static void *consume(void *arg)
{
	int last[NR_PRODUCERS] = { 0 }, item;

	check(evl_attach_self("consumer-%d:%d", (int)(long)arg, getpid()), "evl_attach_self");

	while (get(&item)) {
		__atomic_fetch_add(&arrived[item], 1, __ATOMIC_RELAXED);
		if (item < last[item / NR_ITEMS])
			__atomic_fetch_add(&disorder, 1, __ATOMIC_RELAXED);
		last[item / NR_ITEMS] = item;
	}
	evl_detach_self();

	return NULL;
}

static pthread_t start(void *(*run)(void *), int number)
{
	struct sched_param param = { .sched_priority = 50 };
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	check(-pthread_create(&thread, &attr, run, (void *)(long)number), "pthread_create");

	return thread;
}

int main(void)
{
	pthread_t threads[NR_PRODUCERS + NR_CONSUMERS];
	unsigned int wrong = 0;
	int n;

	check(evl_init(), "evl_init");
	check(evl_new_mutex(&queue.lock, NULL), "evl_new_mutex");
	check(evl_new_event(&queue.not_full, NULL), "evl_new_event");
	check(evl_new_event(&queue.not_empty, NULL), "evl_new_event");

	queue.producers = NR_PRODUCERS;
	for (n = 0; n < NR_PRODUCERS + NR_CONSUMERS; n++)
		threads[n] = n < NR_PRODUCERS ? start(produce, n) : start(consume, n - NR_PRODUCERS);
	for (n = 0; n < NR_PRODUCERS + NR_CONSUMERS; n++)
		pthread_join(threads[n], NULL);

	for (n = 0; n < NR_PRODUCERS * NR_ITEMS; n++)
		wrong += arrived[n] != 1;
	printf("%d items through %d slots, %d producers waited %u times, %d consumers %u times\n",
	       NR_PRODUCERS * NR_ITEMS, NR_SLOTS, NR_PRODUCERS, queue.full,
	       NR_CONSUMERS, queue.empty);
	printf("%u lost or duplicated, %u out of order: %s\n", wrong, disorder,
	       wrong || disorder ? "wrong" : "right");

	return wrong || disorder;
}
