// SPDX-License-Identifier: GPL-2.0-only
/* Proxies to files: creation, output, order, back-pressure, printing. */
#include "helpers.h"
#include <evl/proxy.h>
#include <poll.h>
#include <sys/eventfd.h>

static int pipe_fds[2];

static int new_output(int fd, size_t size, size_t granularity)
{
	return check_ok(evl_create_proxy(fd, size, granularity, EVL_CLONE_OUTPUT, "out:%d", getpid()));
}

static int pipe_output(size_t size)
{
	check_sys(pipe(pipe_fds));
	return new_output(pipe_fds[1], size, 0);
}

/* Read until @count bytes came, whatever the portions. */
static void read_all(int fd, void *buf, size_t count)
{
	size_t done = 0;

	while (done < count) {
		ssize_t ret = check_sys(read(fd, (char *)buf + done, count - done));

		check_gt(ret, 0);
		done += ret;
	}
}

/* --- Creation ------------------------------------------------------------------------------- */

static int try_proxy(int fd, size_t size, size_t granularity, int flags)
{
	int ret = evl_create_proxy(fd, size, granularity, flags, "try:%d", getpid());

	if (ret >= 0)
		close(ret);
	return ret;
}

static void bad_attributes(void)
{
	const int out = EVL_CLONE_OUTPUT, in = EVL_CLONE_INPUT;

	check_ok(evl_init());
	check_eq(try_proxy(-1, 1024, 0, out), -EBADF);
	check_eq(try_proxy(1000, 1024, 0, out), -EBADF);
	check_eq(try_proxy(1, 0, 0, out), -EINVAL);
	check_eq(try_proxy(1, 0, 0, in), -EINVAL);
	check_eq(try_proxy(1, (1UL << 30) + 1, 0, out), -EINVAL);
	check_eq(try_proxy(1, 1023, 8, out), -EINVAL);
	check_eq(try_proxy(1, 4, 8, out), -EINVAL);
	check_eq(try_proxy(1, 1024, 0, EVL_CLONE_OBSERVABLE), -EINVAL);
	check_eq(try_proxy(1, 1024, 0, EVL_CLONE_UNICAST), -EINVAL);
	check(!has_element("proxy", own_name("try")));
	check_ok(try_proxy(1, 1024, 8, out));
	check_ok(try_proxy(check_sys(open("/dev/null", O_RDWR)), 1023, 1, out | in));
	check_ok(try_proxy(1, 1024, 0, 0));
	check_ok(try_proxy(check_sys(memfd_create("mapped", 0)), 0, 0, 0));
	check(!has_element("proxy", own_name("try")));
}

static void names_and_visibility(void)
{
	int fd;

	check_ok(evl_init());
	fd = check_ok(evl_create_proxy(1, 64, 0, EVL_CLONE_NONBLOCK, "/known:%d", getpid()));
	check(has_node("proxy", own_name("known")));
	check(is_nonblocking(fd));
	check_eq(evl_new_proxy(1, 64, "known:%d", getpid()), -EEXIST);
	close(fd);
	check(!has_element("proxy", own_name("known")));
	fd = check_ok(evl_new_proxy(1, 64, "known:%d", getpid()));
	check(!has_node("proxy", own_name("known")));
	check(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

/* --- Output ----------------------------------------------------------------------------------- */

static void output_arrives(void)
{
	char buf[32] = "";
	int fd;

	attach_fifo(10);
	fd = pipe_output(1024);
	check_ok(evl_switch_oob());
	check_eq(evl_write_proxy(fd, "from afar", 9), 9);
	check(!evl_is_inband());
	read_all(pipe_fds[0], buf, 9);
	check_str(buf, "from afar");
	/* In-band too. */
	check(evl_is_inband());
	check_eq(evl_write_proxy(fd, ", and near", 10), 10);
	read_all(pipe_fds[0], buf, 10);
	check_eq(memcmp(buf, ", and near", 10), 0);
	check_eq(evl_write_proxy(fd, buf, 0), 0);
}

static void unattached_may_write(void)
{
	char buf[8];
	int fd;

	check_ok(evl_init());
	fd = pipe_output(1024);
	check_eq(evl_write_proxy(fd, "plain", 5), 5);
	read_all(pipe_fds[0], buf, 5);
	check_eq(memcmp(buf, "plain", 5), 0);
}

static void default_is_output(void)
{
	char c;
	int fd;

	attach_fifo(10);
	check_sys(pipe(pipe_fds));
	fd = check_ok(evl_new_proxy(pipe_fds[1], 64, "default:%d", getpid()));
	check_eq(evl_write_proxy(fd, "d", 1), 1);
	read_all(pipe_fds[0], &c, 1);
	check_eq(evl_read_proxy(fd, &c, 1), -ENXIO);
	check_ok(evl_switch_oob());
	check_eq(evl_read_proxy(fd, &c, 1), -ENXIO);
}

static void bad_writes(void)
{
	char buf[65] = "";
	int fd;

	attach_fifo(10);
	fd = pipe_output(64);
	check_eq(evl_write_proxy(fd, buf, 65), -EFBIG);
	check_eq(evl_write_proxy(fd, bad_address(8), 8), -EFAULT);
	check_ok(evl_switch_oob());
	check_eq(evl_write_proxy(fd, buf, 65), -EFBIG);
	check_eq(evl_write_proxy(fd, bad_address(8), 8), -EFAULT);
	check_ok(evl_switch_oob());
	check_eq(evl_write_proxy(fd, bad_address(0), 1), -EFAULT);
	check_eq(evl_write_proxy(-1, buf, 1), -EBADF);
	/* None of this went through. */
	check_eq(evl_write_proxy(fd, "!", 1), 1);
	check_eq(read(pipe_fds[0], buf, 65), 1);
	check_eq(buf[0], '!');
}

static void no_output_side(void)
{
	int fd;

	attach_fifo(10);
	check_sys(pipe(pipe_fds));
	fd = check_ok(evl_create_proxy(pipe_fds[0], 64, 0, EVL_CLONE_INPUT, "input:%d", getpid()));
	check_eq(evl_write_proxy(fd, "x", 1), -ENXIO);
	check_ok(evl_switch_oob());
	check_eq(evl_write_proxy(fd, "x", 1), -ENXIO);
	check_errno(oob_ioctl(fd, EVL_THRIOC_YIELD), ENOTTY);
	check_errno(ioctl(fd, EVL_THRIOC_YIELD), ENOTTY);
}

/* Transfers of many sizes, on both stages in turn, come out in order. */
static void order_is_kept(void)
{
	unsigned char buf[64], put = 0, got = 0;
	int fd, size, i;

	attach_fifo(10);
	fd = pipe_output(1000);
	for (i = 0; i < 300; i++) {
		if (i % 3)
			check_ok(evl_switch_oob());
		size = 1 + i % 50;
		for (int n = 0; n < size; n++)
			buf[n] = put++;
		check_eq(evl_write_proxy(fd, buf, size), size);
		/* Keep the pipe from filling up; what is read comes last in the end. */
		read_all(pipe_fds[0], buf, size);
		for (int n = 0; n < size; n++)
			check_eq(buf[n], got++);
	}
}

static void write_numbers(struct worker *w)
{
	uint32_t pair[2] = { w->prio, 0 };

	attach_worker(w);
	for (; pair[1] < 500; pair[1]++)
		check_eq(evl_write_proxy(*(int *)w->arg, pair, sizeof(pair)), sizeof(pair));
}

/* Messages of several threads stay whole, those of one in order. */
static void writers_do_not_mix(void)
{
	struct worker w[] = {
		{ .body = write_numbers, .name = "w0", .prio = 1, .cpu = 0 },
		{ .body = write_numbers, .name = "w1", .prio = 2, .cpu = other_cpu() },
		{ .body = write_numbers, .name = "w2", .prio = 3, .cpu = other_cpu() },
	};
	uint32_t pair[2], next[4] = { 0 };
	int fd;

	check_ok(evl_init());
	fd = pipe_output(256);
	for (unsigned int i = 0; i < ARRAY_SIZE(w); i++) {
		w[i].arg = &fd;
		start_worker(&w[i]);
	}
	for (int n = 0; n < 1500; n++) {
		read_all(pipe_fds[0], pair, sizeof(pair));
		check_ge(pair[0], 1);
		check_le(pair[0], 3);
		check_eq(pair[1], next[pair[0]]);
		next[pair[0]]++;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(w); i++)
		join_worker(&w[i]);
}

static void eventfd_granularity(void)
{
	uint64_t value = 3, sum = 0, got;
	int efd = check_sys(eventfd(0, 0)), fd;

	attach_fifo(10);
	fd = new_output(efd, 64, sizeof(value));
	check_ok(evl_switch_oob());
	check_eq(evl_write_proxy(fd, &value, 7), -EINVAL);
	check_eq(evl_write_proxy(fd, &value, 4), -EINVAL);
	for (int i = 0; i < 50; i++) {
		check_ok(evl_switch_oob());
		check_eq(evl_write_proxy(fd, &value, sizeof(value)), sizeof(value));
	}
	while (sum < 150) {
		check_eq(read(efd, &got, sizeof(got)), sizeof(got));
		sum += got;
	}
	check_eq(sum, 150);
}

static void regular_file(void)
{
	char name[] = "/tmp/proxy-XXXXXX", text[32] = "";
	int file = check_sys(mkstemp(name)), fd;

	attach_fifo(10);
	fd = new_output(file, 1024, 0);
	for (int i = 0; i < 10; i++) {
		check_ok(evl_switch_oob());
		check_eq(evl_write_proxy(fd, "0123456789", 10), 10);
	}
	await(lseek(file, 0, SEEK_END) == 100);
	check_eq(pread(file, text, 10, 90), 10);
	check_str(text, "0123456789");
	unlink(name);
}

static void terminal(void)
{
	int master = check_sys(posix_openpt(O_RDWR | O_NOCTTY)), slave, fd;
	char text[32] = "";

	check_sys(grantpt(master));
	check_sys(unlockpt(master));
	slave = check_sys(open(ptsname(master), O_RDWR | O_NOCTTY));
	attach_fifo(10);
	fd = new_output(slave, 1024, 0);
	check_ok(evl_switch_oob());
	check_eq(evl_print_proxy(fd, "line %d\n", 1), 7);
	/* The terminal adds a carriage return: it went through the line discipline. */
	read_all(master, text, 8);
	check_str(text, "line 1\r\n");
}

/* --- Back-pressure ---------------------------------------------------------------------------------- */

/* A pipe as small as it gets, so that it is full soon. */
static int narrow_output(size_t size, int flags)
{
	int fd;

	check_sys(pipe(pipe_fds));
	check_sys(fcntl(pipe_fds[1], F_SETPIPE_SZ, 4096));
	fd = check_ok(evl_create_proxy(pipe_fds[1], size, 0, EVL_CLONE_OUTPUT | flags, "narrow:%d", getpid()));
	return fd;
}

static int poll_out(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	check_ge(poll(&pfd, 1, 0), 0);
	return pfd.revents & POLLOUT;
}

static void full_ring_is_eagain(void)
{
	long written = 0, ret, i;
	char buf[512];
	int fd;

	attach_fifo(10);
	fd = narrow_output(512, EVL_CLONE_NONBLOCK);
	memset(buf, 'f', sizeof(buf));
	/* Until pipe, relay in progress and ring are all full: the pipe is, to the byte, since it takes these whole. */
	for (;;) {
		check_ok(evl_switch_oob());
		ret = evl_write_proxy(fd, buf, sizeof(buf));
		if (ret == -EAGAIN && written >= 4096 + 512)
			break;
		if (ret == -EAGAIN) {
			nap();
			continue;
		}
		check_eq(ret, sizeof(buf));
		written += ret;
	}
	check(!poll_out(fd));
	for (i = 0; i < written; i++) {
		read_all(pipe_fds[0], buf, 1);
		check_eq(buf[0], 'f');
	}
	await(poll_out(fd));
	check_ok(evl_switch_oob());
	check_eq(evl_write_proxy(fd, buf, 1), 1);
}

static void write_much(struct worker *w)
{
	char buf[256];

	attach_worker(w);
	memset(buf, 'b', sizeof(buf));
	for (int i = 0; i < 64; i++)
		check_eq(evl_write_proxy(*(int *)w->arg, buf, sizeof(buf)), sizeof(buf));
}

static void full_ring_blocks(void)
{
	struct worker w = { .body = write_much, .name = "pressed", .prio = 10, .cpu = other_cpu() };
	char buf[256];
	int fd;

	check_ok(evl_init());
	fd = narrow_output(512, 0);
	w.arg = &fd;
	start_worker(&w);
	await(worker_sleeps(&w));
	for (int i = 0; i < 64; i++) {
		read_all(pipe_fds[0], buf, sizeof(buf));
		for (unsigned int n = 0; n < sizeof(buf); n++)
			check_eq(buf[n], 'b');
	}
	join_worker(&w);
}

static void write_until_closed(struct worker *w)
{
	char buf[256] = "";
	ssize_t ret;

	attach_worker(w);
	do
		ret = evl_write_proxy(*(int *)w->arg, buf, sizeof(buf));
	while (ret == sizeof(buf));
	w->result = ret;
}

static void closed_under_writer(void)
{
	struct worker w = { .body = write_until_closed, .name = "pressed", .prio = 10, .cpu = other_cpu() };
	int fd;

	check_ok(evl_init());
	fd = narrow_output(512, 0);
	w.arg = &fd;
	start_worker(&w);
	await(worker_sleeps(&w));
	close(fd);
	join_worker(&w);
	check_eq(w.result, -EBADF);
	/* The relay still sits on the full pipe: let it go. */
	close(pipe_fds[0]);
}

/* Nobody reads: output is lost, the writer does not suffer. How much, and why, can be seen. */
static void broken_pipe(void)
{
	char lost[32];
	int fd;

	signal(SIGPIPE, SIG_IGN);
	attach_fifo(10);
	fd = pipe_output(256);
	check_eq(evl_write_proxy(fd, "kept", 4), 4);
	check_str(read_attr("proxy", own_name("out"), "lost"), "0 0");
	close(pipe_fds[0]);
	for (int i = 0; i < 100; i++) {
		check_ok(evl_switch_oob());
		check_eq(evl_write_proxy(fd, "lost", 4), 4);
	}
	snprintf(lost, sizeof(lost), "400 %d", -EPIPE);
	await(!strcmp(read_attr("proxy", own_name("out"), "lost"), lost));
}

/* --- Printing ----------------------------------------------------------------------------------------- */

static void printing_counts(void)
{
	char buf[2048], *longest = malloc(5000);
	int fd;

	check(longest);
	attach_fifo(10);
	fd = pipe_output(4096);
	check_ok(evl_switch_oob());
	check_eq(evl_print_proxy(fd, "%s-%d", "abc", 42), 6);
	check(!evl_is_inband());
	read_all(pipe_fds[0], buf, 6);
	check_eq(memcmp(buf, "abc-42", 6), 0);
	check_eq(evl_print_proxy(fd, "%s", ""), 0);
	/* Cut, and no more than that is sent. */
	memset(longest, 'l', 5000);
	longest[4999] = '\0';
	check_eq(evl_print_proxy(fd, "%s", longest), 1023);
	check_eq(evl_print_proxy(fd, "."), 1);
	read_all(pipe_fds[0], buf, 1024);
	check_eq(buf[1022], 'l');
	check_eq(buf[1023], '.');
}

static void printing_to_streams(void)
{
	char buf[64] = "";
	int err[2];

	check_sys(pipe(pipe_fds));
	check_sys(pipe(err));
	check_sys(dup2(pipe_fds[1], STDOUT_FILENO));
	check_sys(dup2(err[1], STDERR_FILENO));
	attach_fifo(10);
	check_ok(evl_switch_oob());
	check_eq(evl_printf("to %s", "stdout"), 9);
	check_eq(evl_eprintf("to %s!", "stderr"), 10);
	check(!evl_is_inband());
	read_all(pipe_fds[0], buf, 9);
	check_eq(memcmp(buf, "to stdout", 9), 0);
	read_all(err[0], buf, 10);
	check_eq(memcmp(buf, "to stderr!", 10), 0);
}

static void printing_nowhere(void)
{
	attach_fifo(10);
	check_ok(evl_switch_oob());
	check_eq(evl_print_proxy(-1, "lost"), -EBADFD);
	check_eq(evl_print_proxy(1000, "lost"), -EBADF);
}

static const struct CMUnitTest tests[] = {
	TEST(bad_attributes, "bad files, sizes and granularities are refused"),
	TEST(names_and_visibility, "names, visibility, descriptor flags"),
	TEST(output_arrives, "what is written arrives, without a move in-band"),
	TEST(unattached_may_write, "threads which are not attached may write"),
	TEST(default_is_output, "without a direction, it is for output: input is -ENXIO"),
	TEST(bad_writes, "too much is -EFBIG, a bad pointer -EFAULT"),
	TEST(no_output_side, "without an output side, writing is -ENXIO"),
	TEST(order_is_kept, "order is kept, whatever the stage of the writer"),
	TEST(writers_do_not_mix, "messages of several threads stay whole and in order"),
	TEST(eventfd_granularity, "an eventfd, eight bytes at a time"),
	TEST(regular_file, "a regular file"),
	TEST(terminal, "a terminal"),
	TEST(full_ring_is_eagain, "a full ring is -EAGAIN with O_NONBLOCK, and not ready to poll"),
	TEST(full_ring_blocks, "a full ring makes writers wait"),
	TEST(closed_under_writer, "closing a proxy wakes its writer: -EBADF"),
	TEST(broken_pipe, "output which nobody wants is dropped, and counted"),
	TEST(printing_counts, "printing tells what it sent, and cuts what is too long"),
	TEST(printing_to_streams, "evl_printf and evl_eprintf reach the streams"),
	TEST(printing_nowhere, "printing without a proxy is an error out-of-band"),
};

TEST_MAIN("proxy", tests)
