// SPDX-License-Identifier: GPL-2.0-only
/* Cross-buffers: both directions, blocking and not, polling, errors. */
#include "helpers.h"
#include <evl/xbuf.h>
#include <poll.h>

/* The same test on both directions. */
struct way {
	ssize_t (*read)(int fd, void *buf, size_t count);
	ssize_t (*write)(int fd, const void *buf, size_t count);
};

static ssize_t oob_read_at(int fd, void *buf, size_t count)
{
	return oob_read(fd, buf, count);
}

static ssize_t oob_write_at(int fd, const void *buf, size_t count)
{
	return oob_write(fd, buf, count);
}

static const struct way ways[] = {
	{ .read = read, .write = oob_write_at },
	{ .read = oob_read_at, .write = write },
};

#define for_each_way(__way) \
	for (const struct way *__way = ways; __way < ways + ARRAY_SIZE(ways); __way++)

static int new_xbuf(size_t size)
{
	return check_ok(evl_new_xbuf(size, "xbuf:%d", getpid()));
}

/* --- Creation ------------------------------------------------------------------------------ */

static void bad_sizes(void)
{
	check_ok(evl_init());
	check_eq(evl_create_xbuf(0, 0, 0, "bad:%d", getpid()), -EINVAL);
	check_eq(evl_create_xbuf((1UL << 30) + 1, 64, 0, "bad:%d", getpid()), -EINVAL);
	check_eq(evl_create_xbuf(64, (1UL << 30) + 1, 0, "bad:%d", getpid()), -EINVAL);
	check_eq(evl_create_xbuf(64, UINT_MAX, 0, "bad:%d", getpid()), -EINVAL);
	check_lt(evl_create_xbuf(64, (size_t)1 << 32, 0, "bad:%d", getpid()), 0);
	check(!has_element("xbuf", own_name("bad")));
}

static void bad_flags(void)
{
	check_ok(evl_init());
	check_eq(evl_create_xbuf(64, 64, EVL_CLONE_OBSERVABLE, "bad:%d", getpid()), -EINVAL);
	check_eq(evl_create_xbuf(64, 64, EVL_CLONE_INPUT, "bad:%d", getpid()), -EINVAL);
	check_eq(evl_create_xbuf(64, 64, EVL_CLONE_UNICAST, "bad:%d", getpid()), -EINVAL);
	check(!has_element("xbuf", own_name("bad")));
}

static void names_and_visibility(void)
{
	int fd, other;

	check_ok(evl_init());
	fd = check_ok(evl_create_xbuf(64, 64, EVL_CLONE_NONBLOCK, "/shared:%d", getpid()));
	check(has_node("xbuf", own_name("shared")));
	check(is_nonblocking(fd));
	check(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	check_eq(evl_new_xbuf(64, "shared:%d", getpid()), -EEXIST);
	check_eq(evl_new_xbuf(64, "in/side"), -EINVAL);
	other = check_ok(evl_open_element("xbuf", "shared:%d", getpid()));
	close(fd);
	check(has_node("xbuf", own_name("shared")));
	close(other);
	check(!has_element("xbuf", own_name("shared")));
	fd = check_ok(evl_new_xbuf(64, "shared:%d", getpid()));
	check(!has_node("xbuf", own_name("shared")));
	check(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	check(!is_nonblocking(fd));
}

/* --- Transfers -------------------------------------------------------------------------------- */

static void what_goes_in_comes_out(void)
{
	char in[64], out[64];
	int fd, size;

	attach_fifo(10);
	fd = new_xbuf(64);
	for_each_way(way) {
		for (size = 1; size <= 64; size++) {
			memset(in, size, sizeof(in));
			memset(out, 0, sizeof(out));
			check_eq(way->write(fd, in, size), size);
			check_eq(way->read(fd, out, size), size);
			check_eq(memcmp(in, out, size), 0);
		}
	}
}

/* Sizes which share no factor with the ring, so that transfers wrap at each place. */
static void rings_wrap(void)
{
	unsigned char in[50], out[50];
	unsigned char put = 0, got = 0;
	int fd, i, n;

	attach_fifo(10);
	fd = new_xbuf(61);
	for_each_way(way) {
		for (n = 0; n < 500; n++) {
			int size = 1 + n % 50;

			for (i = 0; i < size; i++)
				in[i] = put++;
			check_eq(way->write(fd, in, size), size);
			check_eq(way->read(fd, out, size), size);
			for (i = 0; i < size; i++)
				check_eq(out[i], got++);
		}
	}
}

static void directions_are_apart(void)
{
	char buf[4];
	int fd;

	attach_fifo(10);
	fd = new_xbuf(64);
	check_eq(oob_write(fd, "in", 2), 2);
	check_eq(write(fd, "out", 3), 3);
	check_eq(oob_read(fd, buf, 3), 3);
	check_eq(memcmp(buf, "out", 3), 0);
	check_eq(read(fd, buf, 2), 2);
	check_eq(memcmp(buf, "in", 2), 0);
}

static void nothing_costs_nothing(void)
{
	char c;
	int fd;

	attach_fifo(10);
	fd = new_xbuf(64);
	for_each_way(way) {
		check_eq(way->read(fd, &c, 0), 0);
		check_eq(way->write(fd, &c, 0), 0);
	}
}

static void oob_side_stays_oob(void)
{
	char c = 'c';
	int fd;

	attach_fifo(10);
	fd = new_xbuf(64);
	check_ok(evl_switch_oob());
	for (int i = 0; i < 64; i++)
		check_eq(oob_write(fd, &c, 1), 1);
	check(!evl_is_inband());
}

/* --- Errors ------------------------------------------------------------------------------------- */

static void more_than_the_ring(void)
{
	char buf[65];
	int fd;

	attach_fifo(10);
	fd = new_xbuf(64);
	for_each_way(way) {
		check_errno(way->read(fd, buf, 65), EINVAL);
		check_errno(way->write(fd, buf, 65), EINVAL);
		check_errno(way->read(fd, buf, 1 << 20), EINVAL);
		check_eq(way->write(fd, buf, 64), 64);
		check_eq(way->read(fd, buf, 64), 64);
	}
}

static void one_way_only(void)
{
	char c = 0;
	int fd;

	attach_fifo(10);
	fd = check_ok(evl_create_xbuf(64, 0, 0, "in:%d", getpid()));
	check_errno(write(fd, &c, 1), ENOBUFS);
	check_errno(oob_read(fd, &c, 1), ENOBUFS);
	check_eq(oob_write(fd, &c, 1), 1);
	check_eq(read(fd, &c, 1), 1);
	fd = check_ok(evl_create_xbuf(0, 64, 0, "out:%d", getpid()));
	check_errno(oob_write(fd, &c, 1), ENOBUFS);
	check_errno(read(fd, &c, 1), ENOBUFS);
	check_eq(write(fd, &c, 1), 1);
	check_eq(oob_read(fd, &c, 1), 1);
}

static void no_waiting(void)
{
	char buf[64] = "";
	int fd;

	attach_fifo(10);
	fd = check_ok(evl_create_xbuf(64, 64, EVL_CLONE_NONBLOCK, "nb:%d", getpid()));
	for_each_way(way) {
		check_errno(way->read(fd, buf, 1), EAGAIN);
		check_eq(way->write(fd, buf, 60), 60);
		/* All or nothing. */
		check_errno(way->write(fd, buf, 5), EAGAIN);
		check_eq(way->write(fd, buf, 4), 4);
		check_errno(way->write(fd, buf, 1), EAGAIN);
		/* A reader takes what there is. */
		check_eq(way->read(fd, buf, 50), 50);
		check_eq(way->read(fd, buf, 50), 14);
		check_errno(way->read(fd, buf, 1), EAGAIN);
	}
}

static void no_requests(void)
{
	int fd, arg = 0;

	attach_fifo(10);
	fd = new_xbuf(64);
	check_errno(ioctl(fd, EVL_THRIOC_YIELD), ENOTTY);
	check_errno(ioctl(fd, EVL_CLKIOC_NEW_TIMER, &arg), ENOTTY);
	check_errno(oob_ioctl(fd, EVL_THRIOC_YIELD), ENOTTY);
}

static void access_modes(void)
{
	char path[64], c = 0;
	int fd, rdonly, wronly;

	attach_fifo(10);
	fd = check_ok(evl_new_xbuf(64, "/modes:%d", getpid()));
	snprintf(path, sizeof(path), "/dev/evl/xbuf/modes:%d", getpid());
	rdonly = check_sys(open(path, O_RDONLY));
	wronly = check_sys(open(path, O_WRONLY));
	check_errno(oob_write(rdonly, &c, 1), EBADF);
	check_errno(oob_read(wronly, &c, 1), EBADF);
	check_errno(write(rdonly, &c, 1), EBADF);
	check_eq(oob_write(wronly, "m", 1), 1);
	check_eq(read(rdonly, &c, 1), 1);
	check_eq(c, 'm');
	close(fd);
}

/* --- Waiting ------------------------------------------------------------------------------------ */

struct transfer {
	const struct way *way;
	int fd;
	int count;
	ssize_t result;
	int code;
	char buf[64];
};

static void transfer_in(struct worker *w)
{
	struct transfer *t = w->arg;

	if (w->prio)
		attach_worker(w);
	errno = 0;
	t->result = t->way->read(t->fd, t->buf, t->count);
	t->code = errno;
}

static void transfer_out(struct worker *w)
{
	struct transfer *t = w->arg;

	if (w->prio)
		attach_worker(w);
	errno = 0;
	t->result = t->way->write(t->fd, t->buf, t->count);
	t->code = errno;
}

static bool is_oob(ssize_t (*op)(int, void *, size_t))
{
	return op == oob_read_at;
}

/* The worker is on the out-of-band side if its operation is. */
static void start_transfer(struct worker *w, struct transfer *t, bool reader)
{
	bool oob = reader == is_oob(t->way->read);

	*w = (struct worker){ .body = reader ? transfer_in : transfer_out, .name = "mover", .arg = t,
			      .prio = oob ? 20 : 0, .cpu = oob ? other_cpu() : 0 };
	start_worker(w);
	await(oob ? worker_sleeps(w) : task_sleeps(atomic_load(&w->tid)));
}

static void end_transfer(struct worker *w)
{
	join_worker(w);
}

static void reader_waits_for_all(void)
{
	struct transfer t = { .count = 10 };
	struct worker w;

	attach_weak();
	t.fd = new_xbuf(64);
	for_each_way(way) {
		t.way = way;
		start_transfer(&w, &t, true);
		check_eq(way->write(t.fd, "1234", 4), 4);
		check_eq(way->write(t.fd, "56", 2), 2);
		check(!atomic_load(&w.done));
		check_eq(way->write(t.fd, "7890", 4), 4);
		end_transfer(&w);
		check_eq(t.result, 10);
		check_eq(memcmp(t.buf, "1234567890", 10), 0);
	}
}

static void writer_waits_for_room(void)
{
	struct transfer t = { .count = 10, .buf = "abcdefghij" };
	char buf[64];
	struct worker w;

	attach_weak();
	t.fd = new_xbuf(64);
	for_each_way(way) {
		t.way = way;
		memset(buf, '.', 60);
		check_eq(way->write(t.fd, buf, 60), 60);
		start_transfer(&w, &t, false);
		check_eq(way->read(t.fd, buf, 60), 60);
		end_transfer(&w);
		check_eq(t.result, 10);
		check_eq(way->read(t.fd, buf, 10), 10);
		check_eq(memcmp(buf, "abcdefghij", 10), 0);
	}
}

/* Waiting for more than what is there, with a writer waiting for room, would never end. */
static void short_read_if_writer_waits(void)
{
	struct transfer t = { .count = 10, .buf = "abcdefghij" };
	char buf[64];
	struct worker w;

	attach_weak();
	t.fd = new_xbuf(64);
	for_each_way(way) {
		t.way = way;
		memset(buf, '.', 60);
		check_eq(way->write(t.fd, buf, 60), 60);
		start_transfer(&w, &t, false);
		check_eq(way->read(t.fd, buf, 64), 60);
		end_transfer(&w);
		check_eq(t.result, 10);
		check_eq(way->read(t.fd, buf, 10), 10);
	}
}

/* The reader waits already when the writer finds no room. */
static void short_read_of_waiting_reader(void)
{
	struct transfer t = { .count = 64 };
	char buf[64];
	struct worker w;

	attach_weak();
	t.fd = new_xbuf(64);
	for_each_way(way) {
		t.way = way;
		start_transfer(&w, &t, true);
		memset(buf, 'x', 60);
		check_eq(way->write(t.fd, buf, 60), 60);
		check_eq(way->write(t.fd, buf, 10), 10);
		end_transfer(&w);
		check_eq(t.result, 60);
		check_eq(way->read(t.fd, buf, 10), 10);
	}
}

static void interrupted(void)
{
	struct transfer t = { .count = 10 };
	struct worker w;

	attach_weak();
	catch_signal(SIGUSR1, 0);
	t.fd = new_xbuf(64);
	for_each_way(way) {
		t.way = way;
		start_transfer(&w, &t, true);
		signal_worker(&w, SIGUSR1);
		end_transfer(&w);
		check_eq(t.result, -1);
		check_eq(t.code, EINTR);
	}
	check_eq(atomic_load(&signal_count), 2);
}

/* Of two writers in-band who want more room than there is, one leaves: the other one gets what it wants. */
static void one_writer_leaves(void)
{
	struct transfer t[2] = { { .count = 40, .way = &ways[1] }, { .count = 10, .way = &ways[1] } };
	struct worker w[2];
	char buf[64] = "";

	attach_weak();
	catch_signal(SIGUSR1, 0);
	t[0].fd = t[1].fd = new_xbuf(64);
	for (int leaver = 0; leaver < 2; leaver++) {
		int other = !leaver;

		check_eq(write(t[0].fd, buf, 64), 64);
		start_transfer(&w[0], &t[0], false);
		start_transfer(&w[1], &t[1], false);
		signal_worker(&w[leaver], SIGUSR1);
		end_transfer(&w[leaver]);
		check_eq(t[leaver].result, -1);
		check_eq(t[leaver].code, EINTR);
		check_eq(oob_read(t[0].fd, buf, 40), 40);
		end_transfer(&w[other]);
		check_eq(t[other].result, t[other].count);
		check_eq(oob_read(t[0].fd, buf, 24 + t[other].count), 24 + t[other].count);
	}
}

static void unblocked(void)
{
	struct transfer t = { .count = 10, .way = &ways[1] };
	struct worker w;

	attach_weak();
	t.fd = new_xbuf(64);
	start_transfer(&w, &t, true);
	check_ok(evl_unblock_thread(w.efd));
	end_transfer(&w);
	check_eq(t.result, -1);
	check_eq(t.code, EINTR);
	/* Nothing was lost, the ring works on. */
	check_eq(write(t.fd, "ok", 2), 2);
	check_eq(oob_read(t.fd, t.buf, 2), 2);
}

static void close_wakes_reader(void)
{
	struct transfer t = { .count = 10, .way = &ways[1] };
	struct worker w;

	attach_weak();
	t.fd = new_xbuf(64);
	start_transfer(&w, &t, true);
	close(t.fd);
	end_transfer(&w);
	check_eq(t.result, -1);
	check_eq(t.code, EIDRM);
	check_errno(oob_read(t.fd, t.buf, 1), EBADF);
}

/* Of its own file, that is; others come and go. */
static void close_wakes_writer(void)
{
	struct transfer t = { .count = 10, .way = &ways[0] };
	char buf[64] = "";
	struct worker w;
	int other;

	attach_weak();
	t.fd = check_ok(evl_create_xbuf(64, 64, EVL_CLONE_PUBLIC, "wide:%d", getpid()));
	other = check_ok(evl_open_element("xbuf", "wide:%d", getpid()));
	check_eq(oob_write(t.fd, buf, 60), 60);
	start_transfer(&w, &t, false);
	close(other);
	check(worker_sleeps(&w));
	other = check_ok(evl_open_element("xbuf", "wide:%d", getpid()));
	close(t.fd);
	end_transfer(&w);
	check_eq(t.result, -1);
	check_eq(t.code, EIDRM);
	check_eq(read(other, buf, 60), 60);
	close(other);
}

/* --- Polling ---------------------------------------------------------------------------------------- */

static int poll_now(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };

	check_ge(poll(&pfd, 1, 0), 0);
	return pfd.revents;
}

static void poll_tells(void)
{
	char buf[64] = "";
	int fd;

	attach_fifo(10);
	fd = new_xbuf(64);
	check_eq(poll_now(fd), POLLOUT);
	check_eq(oob_write(fd, buf, 1), 1);
	check_eq(poll_now(fd), POLLIN | POLLOUT);
	check_eq(write(fd, buf, 64), 64);
	check_eq(poll_now(fd), POLLIN);
	check_eq(read(fd, buf, 1), 1);
	check_eq(poll_now(fd), 0);
	check_eq(oob_read(fd, buf, 64), 64);
	check_eq(poll_now(fd), POLLOUT);
}

static void poll_until(struct worker *w)
{
	struct pollfd pfd = { .fd = *(int *)w->arg, .events = POLLIN };

	check_eq(poll(&pfd, 1, -1), 1);
	check_eq(pfd.revents, POLLIN);
}

static void poll_wakes_up(void)
{
	struct worker w = { .body = poll_until, .name = "poller" };
	int fd;

	attach_weak();
	fd = new_xbuf(64);
	w.arg = &fd;
	start_worker(&w);
	await(task_sleeps(atomic_load(&w.tid)));
	check_eq(oob_write(fd, "!", 1), 1);
	join_worker(&w);
}

static void sysfs_tells(void)
{
	char buf[32] = "";
	int fd;

	attach_fifo(10);
	fd = check_ok(evl_create_xbuf(48, 64, 0, "rings:%d", getpid()));
	check_str(read_attr("xbuf", own_name("rings"), "rings"), "0 48 0 64");
	check_eq(oob_write(fd, buf, 10), 10);
	check_eq(write(fd, buf, 20), 20);
	check_str(read_attr("xbuf", own_name("rings"), "rings"), "10 48 20 64");
}

static const struct CMUnitTest tests[] = {
	TEST(bad_sizes, "sizes of zero or beyond a gigabyte are -EINVAL"),
	TEST(bad_flags, "flags of other classes are -EINVAL"),
	TEST(names_and_visibility, "names, visibility, descriptor flags"),
	TEST(what_goes_in_comes_out, "what is written on one side is read on the other"),
	TEST(rings_wrap, "transfers wrap around the end of the ring"),
	TEST(directions_are_apart, "the two directions do not mix"),
	TEST(nothing_costs_nothing, "a count of zero is zero"),
	TEST(oob_side_stays_oob, "transfers do not move the out-of-band side"),
	TEST(more_than_the_ring, "more than the ring holds is EINVAL"),
	TEST(one_way_only, "a missing direction is ENOBUFS"),
	TEST(no_waiting, "O_NONBLOCK: EAGAIN when full or empty"),
	TEST(no_requests, "there are no ioctl requests"),
	TEST(access_modes, "the access mode of the file holds for both sides"),
	TEST(reader_waits_for_all, "a reader waits for all it wants"),
	TEST(writer_waits_for_room, "a writer waits for room"),
	TEST(short_read_if_writer_waits, "a read is short if a writer waits for room"),
	TEST(short_read_of_waiting_reader, "also if it waited first"),
	TEST(interrupted, "a signal ends a wait: EINTR"),
	TEST(unblocked, "so does evl_unblock_thread"),
	TEST(one_writer_leaves, "of two writers, one leaves: the other one gets its room"),
	TEST(close_wakes_reader, "closing wakes a reader: EIDRM, then EBADF"),
	TEST(close_wakes_writer, "closing its file wakes a writer: EIDRM; that of another does not"),
	TEST(poll_tells, "poll tells what can be read and written"),
	TEST(poll_wakes_up, "poll wakes up for what comes in"),
	TEST(sysfs_tells, "sysfs tells the fill of both rings"),
};

TEST_MAIN("xbuf", tests)
