// SPDX-License-Identifier: GPL-2.0-only
/* Proxies to files: input, its end, polling, mapping. */
#include "helpers.h"
#include <evl/poll.h>
#include <evl/proxy.h>
#include <linux/net_tstamp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int pipe_fds[2];

static void read_all(int fd, void *buf, size_t count)
{
	size_t done = 0;

	while (done < count) {
		ssize_t ret = check_sys(read(fd, (char *)buf + done, count - done));

		check_gt(ret, 0);
		done += ret;
	}
}

static int new_input(int fd, size_t size, size_t granularity, int flags)
{
	return check_ok(evl_create_proxy(fd, size, granularity, EVL_CLONE_INPUT | flags, "in:%d", getpid()));
}

static int pipe_input(size_t size, int flags)
{
	check_sys(pipe(pipe_fds));
	return new_input(pipe_fds[0], size, 0, flags);
}

static void input_arrives(void)
{
	char buf[32] = "";
	int fd;

	attach_fifo(10);
	fd = pipe_input(64, 0);
	check_eq(write(pipe_fds[1], "to the far side", 15), 15);
	check_ok(evl_switch_oob());
	check_eq(evl_read_proxy(fd, buf, 6), 6);
	check_eq(evl_read_proxy(fd, buf + 6, 9), 9);
	check(!evl_is_inband());
	check_str(buf, "to the far side");
	/* In-band too. */
	check_eq(write(pipe_fds[1], "near", 4), 4);
	check_eq(evl_read_proxy(fd, buf, 4), 4);
	check_eq(memcmp(buf, "near", 4), 0);
	check_eq(evl_read_proxy(fd, buf, 0), 0);
}

struct reading {
	int fd, count;
	ssize_t result;
	char buf[64];
};

static void read_once(struct worker *w)
{
	struct reading *r = w->arg;

	attach_worker(w);
	check_ok(evl_switch_oob());
	r->result = evl_read_proxy(r->fd, r->buf, r->count);
}

static void start_reading(struct worker *w, struct reading *r)
{
	*w = (struct worker){ .body = read_once, .name = "reader", .prio = 10, .arg = r, .cpu = other_cpu() };
	start_worker(w);
	await(worker_sleeps(w));
}

static void reader_waits(void)
{
	struct reading r = { .count = 10 };
	struct worker w;

	check_ok(evl_init());
	r.fd = pipe_input(64, 0);
	start_reading(&w, &r);
	check_eq(write(pipe_fds[1], "1234", 4), 4);
	check_eq(write(pipe_fds[1], "567890", 6), 6);
	join_worker(&w);
	check_eq(r.result, 10);
	check_eq(memcmp(r.buf, "1234567890", 10), 0);
}

static void end_of_file(void)
{
	char buf[8];
	int fd;

	attach_fifo(10);
	fd = pipe_input(64, 0);
	check_eq(write(pipe_fds[1], "last", 4), 4);
	close(pipe_fds[1]);
	check_ok(evl_switch_oob());
	check_eq(evl_read_proxy(fd, buf, 4), 4);
	check_ok(evl_switch_oob());
	check_eq(evl_read_proxy(fd, buf, 4), 0);
}

static void end_of_file_wakes_reader(void)
{
	struct reading r = { .count = 10 };
	struct worker w;

	check_ok(evl_init());
	r.fd = pipe_input(64, 0);
	start_reading(&w, &r);
	close(pipe_fds[1]);
	join_worker(&w);
	check_eq(r.result, 0);
}

/* Errors of the file come through. */
static void failing_file(void)
{
	char buf[8];
	int fd;

	/* An eventfd does not give four bytes. */
	attach_fifo(10);
	fd = new_input(check_sys(eventfd(1, 0)), 64, 0, 0);
	check_ok(evl_switch_oob());
	check_eq(evl_read_proxy(fd, buf, 4), -EINVAL);
}

static void bad_reads(void)
{
	char buf[65];
	int fd;

	attach_fifo(10);
	fd = pipe_input(64, 0);
	check_eq(evl_read_proxy(fd, buf, 65), -EFBIG);
	check_ok(evl_switch_oob());
	check_eq(evl_read_proxy(fd, buf, 65), -EFBIG);
	check_eq(write(pipe_fds[1], "12345678", 8), 8);
	check_ok(evl_switch_oob());
	check_eq(evl_read_proxy(fd, bad_address(8), 4), -EFAULT);
	check_eq(evl_read_proxy(-1, buf, 1), -EBADF);
}

static void granular_reads(void)
{
	uint64_t value = 7;
	int efd = check_sys(eventfd(0, EFD_SEMAPHORE)), fd;

	attach_fifo(10);
	fd = new_input(efd, 64, sizeof(value), 0);
	check_eq(evl_read_proxy(fd, &value, 4), -EINVAL);
	value = 3;
	check_eq(write(efd, &value, sizeof(value)), sizeof(value));
	for (int i = 0; i < 3; i++) {
		check_ok(evl_switch_oob());
		check_eq(evl_read_proxy(fd, &value, sizeof(value)), sizeof(value));
		check_eq(value, 1);
	}
}

/* Nothing there reads as 0; once asked for, input comes in. */
static void no_waiting(void)
{
	char buf[8] = "";
	ssize_t got = 0, ret;
	int fd;

	attach_fifo(10);
	fd = pipe_input(64, EVL_CLONE_NONBLOCK);
	check_ok(evl_switch_oob());
	check_eq(evl_read_proxy(fd, buf, 4), 0);
	check_eq(write(pipe_fds[1], "data", 4), 4);
	while (got < 4) {
		check_ok(evl_switch_oob());
		ret = evl_read_proxy(fd, buf + got, 4 - got);
		check_ge(ret, 0);
		got += ret;
		nap();
	}
	check_str(buf, "data");
}

static void poll_for_input(void)
{
	struct pollfd pfd = { .events = POLLIN };
	char c;

	attach_weak();
	pfd.fd = pipe_input(64, 0);
	check_eq(poll(&pfd, 1, 0), 0);
	check_eq(write(pipe_fds[1], "p", 1), 1);
	check_eq(poll(&pfd, 1, -1), 1);
	check(pfd.revents & POLLIN);
	check_eq(evl_read_proxy(pfd.fd, &c, 1), 1);
	check_eq(c, 'p');
}

static int left_in_pipe(void)
{
	int count;

	check_sys(ioctl(pipe_fds[0], FIONREAD, &count));
	return count;
}

/* A grain which comes in halves wakes up whoever polls once it is whole. */
static void poll_for_a_grain(void)
{
	struct timespec past = { .tv_nsec = 1 }, limit;
	struct evl_poll_event event;
	char buf[4];
	int fd, group;

	attach_fifo(10);
	check_sys(pipe(pipe_fds));
	fd = new_input(pipe_fds[0], 64, sizeof(buf), 0);
	group = check_ok(evl_new_poll());
	check_ok(evl_add_pollfd(group, fd, POLLIN, evl_nil));
	check_eq(evl_timedpoll(group, &event, 1, &past), -ETIMEDOUT);
	for (int i = 0; i < 2; i++) {
		check_eq(write(pipe_fds[1], "ab", 2), 2);
		await(!left_in_pipe());
		check_eq(evl_timedpoll(group, &event, 1, &past), -ETIMEDOUT);
		check_eq(write(pipe_fds[1], "cd", 2), 2);
		limit = ns_ts(now() + 30 * NSEC_PER_SEC);
		check_eq(evl_timedpoll(group, &event, 1, &limit), 1);
		check_eq(oob_read(fd, buf, sizeof(buf)), (long)sizeof(buf));
		check_eq(memcmp(buf, "abcd", sizeof(buf)), 0);
		check_eq(evl_timedpoll(group, &event, 1, &past), -ETIMEDOUT);
	}
}

static void interrupted(void)
{
	struct reading r = { .count = 10 };
	struct worker w;

	check_ok(evl_init());
	catch_signal(SIGUSR1, 0);
	r.fd = pipe_input(64, 0);
	start_reading(&w, &r);
	signal_worker(&w, SIGUSR1);
	join_worker(&w);
	check_eq(r.result, -EINTR);
	check_eq(atomic_load(&signal_count), 1);
}

static void closed_under_reader(void)
{
	struct reading r = { .count = 10 };
	struct worker w;

	check_ok(evl_init());
	r.fd = pipe_input(64, 0);
	start_reading(&w, &r);
	close(r.fd);
	join_worker(&w);
	check_eq(r.result, -EBADF);
	close(pipe_fds[1]);
}

/* Both directions on one file: what goes out comes back. */
static void both_directions(void)
{
	char buf[16];
	int sockets[2], fd;

	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	attach_fifo(10);
	fd = check_ok(evl_create_proxy(sockets[0], 64, 0, EVL_CLONE_INPUT | EVL_CLONE_OUTPUT, "both:%d", getpid()));
	for (int i = 0; i < 20; i++) {
		check_ok(evl_switch_oob());
		check_eq(evl_write_proxy(fd, "hello", 5), 5);
		read_all(sockets[1], buf, 5);
		check_eq(write(sockets[1], "olleh", 5), 5);
		check_ok(evl_switch_oob());
		check_eq(evl_read_proxy(fd, buf, 5), 5);
		check_eq(memcmp(buf, "olleh", 5), 0);
		check(!evl_is_inband());
	}
}

/* --- Files which are ready, and are not --------------------------------------------------------- */

/* How long the relay of proxy @name has run, in ns, -1 if there is none. */
static int64_t relay_runtime(const char *name)
{
	unsigned long user, system;
	struct dirent *entry;
	int64_t ran = -1;
	char path[64], comm[64], stat[512], *p;
	DIR *proc;
	int fd;

	snprintf(comm, sizeof(comm), "(evl-in:%.7s", name);
	proc = opendir("/proc");
	check(proc);
	while (ran < 0 && (entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%.16s/stat", entry->d_name);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		memset(stat, 0, sizeof(stat));
		if (read(fd, stat, sizeof(stat) - 1) > 0 && strstr(stat, comm)) {
			p = strrchr(stat, ')');
			check_eq(sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
			ran = (int64_t)(user + system) * NSEC_PER_SEC / sysconf(_SC_CLK_TCK);
		}
		close(fd);
	}
	closedir(proc);
	return ran;
}

/* An UDP socket, not blocking, with a timestamp in its error queue which nobody fetches. */
static int socket_in_error(struct sockaddr_in *addr)
{
	int sock, stamps = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
	socklen_t len = sizeof(*addr);
	struct pollfd pfd;
	struct ifreq ifr = { .ifr_flags = IFF_UP };

	sock = check_sys(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
	strcpy(ifr.ifr_name, "lo");
	check_sys(ioctl(sock, SIOCSIFFLAGS, &ifr));
	*addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	check_sys(bind(sock, (struct sockaddr *)addr, sizeof(*addr)));
	check_sys(getsockname(sock, (struct sockaddr *)addr, &len));
	check_sys(setsockopt(sock, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps)));
	check_eq(sendto(sock, "x", 1, 0, (struct sockaddr *)addr, sizeof(*addr)), 1);
	pfd = (struct pollfd){ .fd = sock, .events = POLLIN };
	await(poll(&pfd, 1, 0) == 1 && pfd.revents == (POLLIN | POLLERR));
	stamps = 0;
	check_sys(setsockopt(sock, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps)));
	return sock;
}

static void no_spinning_on_errors(void)
{
	struct reading r = { .count = 1 };
	struct sockaddr_in addr;
	int64_t start, ran;
	struct worker w;
	int sock;

	check_ok(evl_init());
	sock = socket_in_error(&addr);
	r.fd = check_ok(evl_create_proxy(sock, 64, 0, EVL_CLONE_INPUT, "spin:%d", getpid()));
	check_eq(evl_read_proxy(r.fd, r.buf, 1), 1);
	check_eq(r.buf[0], 'x');
	start_reading(&w, &r);
	/* Against a clock: on a machine which is slow, it has the less of it. */
	ran = relay_runtime("spin");
	check_ge(ran, 0);
	start = now();
	while (now() - start < 2LL * NSEC_PER_SEC)
		nap();
	check_lt(relay_runtime("spin") - ran, (now() - start) / 4);
	/* It has not given up. */
	check_eq(sendto(sock, "y", 1, 0, (struct sockaddr *)&addr, sizeof(addr)), 1);
	join_worker(&w);
	check_eq(r.result, 1);
	check_eq(r.buf[0], 'y');
}

static const struct CMUnitTest tests[] = {
	TEST(input_arrives, "what the file has to read arrives, without a move in-band"),
	TEST(reader_waits, "a reader waits for all it wants"),
	TEST(end_of_file, "the end of the file reads as 0"),
	TEST(end_of_file_wakes_reader, "also while waiting for input"),
	TEST(failing_file, "errors of the file come through"),
	TEST(bad_reads, "too much is -EFBIG, a bad pointer -EFAULT"),
	TEST(granular_reads, "an eventfd, eight bytes at a time"),
	TEST(no_waiting, "O_NONBLOCK: what there is, or 0"),
	TEST(poll_for_input, "poll waits for input"),
	TEST(poll_for_a_grain, "and out-of-band for a whole grain"),
	TEST(interrupted, "a signal ends a wait: -EINTR"),
	TEST(closed_under_reader, "closing a proxy wakes its reader: -EBADF"),
	TEST(no_spinning_on_errors, "a file whose poll tells of an error keeps no CPU busy"),
	TEST(both_directions, "both directions on one file"),
};

TEST_MAIN("proxy-in", tests)
