// SPDX-License-Identifier: GPL-2.0-only
/*
 * Elements which somebody opens while the last file that was open is still being closed, because a request by it hangs in
 * a page fault: those who wait by the old file are sent away for as long as that takes, those who come anew are left alone.
 */
#include "puppet.h"
#include "fault.h"
#include <evl/flags.h>
#include <evl/sem.h>
#include <evl/xbuf.h>

/* While a release is held up, it looks for waiters every 100 ms. */
#define SOME_TIME	(350 * NSEC_PER_MSEC)

static struct puppet stuck;
static struct fault_page page;
static pthread_t closer;
static atomic_int closer_tid;
static atomic_bool closed;

static void *close_slowly(void *arg)
{
	atomic_store(&closer_tid, get_tid());
	check_sys(close((intptr_t)arg));
	atomic_store(&closed, true);
	return NULL;
}

/* Threads cannot attach from then on, for lack of locked memory. On return @fd does not lead anywhere, and the file was told so, while the request @hang is under way. */
static void begin_close(int fd, int (*hang)(struct puppet *))
{
	attach_fifo(20);
	start_puppet(&stuck, "stuck", 10, other_cpu());
	check_sys(munlockall());
	new_fault_page(&page);
	begin(&stuck, hang, (void *)(intptr_t)fd);
	await_fault(&page);
	check_eq(pthread_create(&closer, NULL, close_slowly, (void *)(intptr_t)fd), 0);
	await(atomic_load(&closed) || task_is(atomic_load(&closer_tid), 'D'));
}

static void end_close(void)
{
	check(atomic_load(&stuck.busy));
	resolve_fault(&page, NULL);
	finish_act(&stuck);
	check_eq(pthread_join(closer, NULL), 0);
	end_puppet(&stuck);
}

static struct timespec later(void)
{
	return ns_ts(now() + SOME_TIME);
}

/* --- Monitors -------------------------------------------------------------------------- */

static int try_wait(struct puppet *p)
{
	return oob_ioctl((intptr_t)p->arg, EVL_MONIOC_TRYWAIT, page.addr) ? -errno : 0;
}

static int enter(struct puppet *p)
{
	return oob_ioctl((intptr_t)p->arg, EVL_MONIOC_ENTER, page.addr) ? -errno : 0;
}

static void opens_semaphore(void)
{
	struct evl_sem old, new;
	struct timespec date;

	check_ok(evl_init());
	begin_close(check_ok(evl_new_sem(&old, "/reopened-sem")), try_wait);
	check_ok(evl_open_sem(&new, "/reopened-sem"));
	date = later();
	check_eq(evl_timedget_sem(&new, &date), -ETIMEDOUT);
	end_close();
	check_ok(evl_close_sem(&new));
}

static void opens_flags(void)
{
	struct evl_flags old, new;
	struct timespec date;
	int bits;

	check_ok(evl_init());
	begin_close(check_ok(evl_new_flags(&old, "/reopened-flags")), try_wait);
	check_ok(evl_open_flags(&new, "/reopened-flags"));
	date = later();
	check_eq(evl_timedwait_flags(&new, &date, &bits), -ETIMEDOUT);
	end_close();
	check_ok(evl_close_flags(&new));
}

static void opens_mutex(void)
{
	struct evl_mutex old, new;
	struct puppet owner;
	struct timespec date;

	check_ok(evl_init());
	start_puppet(&owner, "owner", 10, 0);
	begin_close(check_ok(evl_new_mutex(&old, "/reopened-mutex")), enter);
	check_ok(evl_open_mutex(&new, "/reopened-mutex"));
	check_eq(perform(&owner, lock, &new), 0);
	date = later();
	check_eq(evl_timedlock_mutex(&new, &date), -ETIMEDOUT);
	check_eq(perform(&owner, unlock, &new), 0);
	end_puppet(&owner);
	end_close();
	check_ok(evl_close_mutex(&new));
}

/* --- Cross-buffers --------------------------------------------------------------------- */

static int write_page(struct puppet *p)
{
	return oob_write((intptr_t)p->arg, page.addr, 1) < 0 ? -errno : 0;
}

static int read_oob(struct puppet *p)
{
	char c = 0;

	return oob_read((intptr_t)p->arg, &c, 1) == 1 ? c : -errno;
}

static int read_inband(struct puppet *p)
{
	char c = 0;

	return read((intptr_t)p->arg, &c, 1) == 1 ? c : -errno;
}

static void opens_xbuf(void)
{
	struct puppet oob, inband;
	struct timespec date;
	int fd;

	check_ok(evl_init());
	start_puppet(&oob, "oob", 10, 0);
	start_puppet(&inband, "inband", 10, 0);
	begin_close(check_ok(evl_new_xbuf(64, "/reopened-xbuf")), write_page);
	fd = check_sys(open("/dev/evl/xbuf/reopened-xbuf", O_RDWR));
	begin_wait(&oob, read_oob, (void *)(intptr_t)fd);
	begin(&inband, read_inband, (void *)(intptr_t)fd);
	date = later();
	check_ok(evl_sleep_until(EVL_CLOCK_MONOTONIC, &date));
	check_eq(write(fd, "a", 1), 1);
	check_eq(result(&oob), 'a');
	check_eq(oob_write(fd, "b", 1), 1);
	check_eq(result(&inband), 'b');
	end_puppet(&oob);
	end_puppet(&inband);
	end_close();
	check_sys(close(fd));
}

static const struct CMUnitTest tests[] = {
	TEST(opens_semaphore, "whoever opens a semaphore again, waits in peace"),
	TEST(opens_flags, "so for flags"),
	TEST(opens_mutex, "and a mutex"),
	TEST(opens_xbuf, "and a cross-buffer, on both stages"),
};

TEST_MAIN("reopen", tests)
