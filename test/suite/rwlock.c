// SPDX-License-Identifier: GPL-2.0-only
/* Read/write locks. */
#include "puppet.h"
#include <evl/rwlock.h>

static struct evl_rwlock rw;

static int read_lock(struct puppet *p)
{
	(void)p;
	return evl_lock_read(&rw);
}

static int write_lock(struct puppet *p)
{
	(void)p;
	return evl_lock_write(&rw);
}

static int read_unlock(struct puppet *p)
{
	(void)p;
	return evl_unlock_read(&rw);
}

static int write_unlock(struct puppet *p)
{
	(void)p;
	return evl_unlock_write(&rw);
}

static void try_both(void)
{
	attach_fifo(10);
	check_ok(evl_new_rwlock(&rw));
	check_ok(evl_trylock_read(&rw));
	check_ok(evl_trylock_read(&rw));
	check_eq(evl_trylock_write(&rw), -EAGAIN);
	check_ok(evl_unlock_read(&rw));
	check_eq(evl_trylock_write(&rw), -EAGAIN);
	check_ok(evl_unlock_read(&rw));
	check_ok(evl_trylock_write(&rw));
	check_eq(evl_trylock_read(&rw), -EAGAIN);
	check_eq(evl_trylock_write(&rw), -EAGAIN);
	check_ok(evl_unlock_write(&rw));
	check_ok(evl_destroy_rwlock(&rw));
	check_eq(evl_lock_read(&rw), -EINVAL);
}

static void writer_goes_first(void)
{
	struct puppet reader, writer;

	attach_fifo(10);
	check_ok(evl_new_rwlock(&rw));
	start_puppet(&reader, "reader", 20, 0);
	start_puppet(&writer, "writer", 15, other_cpu());
	check_ok(evl_lock_read(&rw));
	begin_wait(&writer, write_lock, NULL);
	/* It waits, so no reader comes in any more. */
	begin_wait(&reader, read_lock, NULL);
	check_ok(evl_unlock_read(&rw));
	check_eq(result(&writer), 0);
	check(atomic_load(&reader.busy));
	check_eq(perform(&writer, write_unlock, NULL), 0);
	check_eq(result(&reader), 0);
	check_eq(perform(&reader, read_unlock, NULL), 0);
	end_puppet(&reader);
	end_puppet(&writer);
	check_ok(evl_destroy_rwlock(&rw));
}

#define ROUNDS	300

static long pair[2];
static atomic_int writes;

static void write_pair(struct worker *w)
{
	attach_worker(w);
	for (int i = 0; i < ROUNDS; i++) {
		check_ok(evl_lock_write(&rw));
		pair[0]++;
		spin_until(now() + 20000);
		pair[1]++;
		check_ok(evl_unlock_write(&rw));
		atomic_fetch_add(&writes, 1);
		sleep_until(now() + 100000);
	}
	check_ok(evl_detach_self());
}

static void read_pair(struct worker *w)
{
	attach_worker(w);
	while (atomic_load(&writes) < 2 * ROUNDS) {
		check_ok(evl_lock_read(&rw));
		check_eq(pair[0], pair[1]);
		check_ok(evl_unlock_read(&rw));
		sleep_until(now() + 100000);
	}
	check_ok(evl_detach_self());
}

static void readers_see_whole_writes(void)
{
	struct worker w[5];

	attach_fifo(5);
	check_ok(evl_new_rwlock(&rw));
	for (int i = 0; i < 5; i++) {
		static const char *const names[] = { "w0", "w1", "r0", "r1", "r2" };

		w[i] = (struct worker){ .body = i < 2 ? write_pair : read_pair, .name = names[i],
					.prio = 10 + i, .cpu = i & 1 ? other_cpu() : 0 };
		start_worker(&w[i]);
	}
	for (int i = 0; i < 5; i++)
		join_worker(&w[i]);
	check_eq(pair[0], 2 * ROUNDS);
	check_eq(pair[1], 2 * ROUNDS);
	check_ok(evl_destroy_rwlock(&rw));
}

static DEFINE_EVL_RWLOCK(ready_made);

static void made_on_first_use(void)
{
	attach_fifo(10);
	check_ok(evl_lock_write(&ready_made));
	check_eq(evl_trylock_read(&ready_made), -EAGAIN);
	check_ok(evl_unlock_write(&ready_made));
	check_ok(evl_destroy_rwlock(&ready_made));
}

/* Cancelled in line, it would be a writer for all others, who never leaves. */
static void write_once(struct worker *w)
{
	attach_worker(w);
	w->result = evl_lock_write(&rw) ?: evl_unlock_write(&rw);
	pthread_testcancel();
	w->result = -EINVAL;
}

static void cancelled_writer(void)
{
	struct worker w = { .body = write_once, .name = "writer", .prio = 20, .cpu = other_cpu(), .result = 1 };

	attach_fifo(10);
	check_ok(evl_new_rwlock(&rw));
	check_ok(evl_lock_write(&rw));
	start_worker(&w);
	await(worker_sleeps(&w));
	check_eq(pthread_cancel(w.thread), 0);
	nap();
	check_ok(evl_unlock_write(&rw));
	join_worker(&w);
	check_eq(w.result, 0);
	check_ok(evl_trylock_write(&rw));
}

static const struct CMUnitTest tests[] = {
	TEST(try_both, "many readers or one writer, and an error if nobody may wait"),
	TEST(writer_goes_first, "a writer which waits keeps new readers out, and comes before them"),
	TEST(readers_see_whole_writes, "readers never see half of a change"),
	TEST(cancelled_writer, "a waiter which is cancelled takes its turn first"),
	TEST(made_on_first_use, "a static one is made when it is used"),
};

TEST_MAIN("rwlock", tests)
