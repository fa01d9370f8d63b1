// SPDX-License-Identifier: GPL-2.0-only
/* Proxies of local sockets: who keeps these open, and proxies in the queue of their own target. */
#include "target.h"
#include "passing.h"
#include <dirent.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/un.h>

/* --- Local sockets ------------------------------------------------------------------------------------ */

static int new_proxy(int target, int flags, const char *stem)
{
	return check_ok(evl_create_proxy(target, 8192, 0, flags, "%s:%d", stem, getpid()));
}

/* Its maker sends it away, and receives it again, as somebody else would. */
static int new_handed_over(int target, int flags, const char *stem)
{
	int fd = new_proxy(target, flags, stem), sv[2];

	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	send_fd(sv[0], fd);
	close(fd);
	fd = receive_fd(sv[1]);
	close(sv[0]);
	close(sv[1]);
	return fd;
}

static void check_both_ways(int fd, int peer)
{
	char c = 0;

	check_eq(evl_write_proxy(fd, "o", 1), 1);
	check_eq(read(peer, &c, 1), 1);
	check_eq(c, 'o');
	check_eq(write(peer, "i", 1), 1);
	check_eq(evl_read_proxy(fd, &c, 1), 1);
	check_eq(c, 'i');
}

static void maker_keeps_socket_open(void)
{
	int sv[2], fd;
	char c;

	check_ok(evl_init());
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	fd = new_proxy(sv[0], EVL_CLONE_INPUT | EVL_CLONE_OUTPUT, "kept");
	close(sv[0]);
	check_both_ways(fd, sv[1]);
	close(fd);
	check_eq(read(sv[1], &c, 1), 0);
}

static void duplicates_keep_socket_open(void)
{
	int sv[2], fd, high;
	char c;

	check_ok(evl_init());
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	fd = new_proxy(sv[0], EVL_CLONE_INPUT | EVL_CLONE_OUTPUT, "high");
	high = check_sys(fcntl(fd, F_DUPFD_CLOEXEC, 100));
	close(fd);
	close(sv[0]);
	check_both_ways(high, sv[1]);
	close(high);
	check_eq(read(sv[1], &c, 1), 0);
}

static void others_use_open_socket(void)
{
	int sv[2];

	check_ok(evl_init());
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	check_both_ways(new_handed_over(sv[0], EVL_CLONE_INPUT | EVL_CLONE_OUTPUT, "open"), sv[1]);
}

static void check_closed(int fd, const char *stem)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char c;

	check_eq(evl_write_proxy(fd, "gone", 4), 4);
	await(is_lost(stem, 4, -EPIPE));
	check_eq(evl_read_proxy(fd, &c, 1), 0);
	check_eq(evl_read_proxy(fd, &c, 1), 0);
	check_eq(poll(&pfd, 1, -1), 1);
	check(pfd.revents & POLLHUP);
}

static void others_lose_closed_socket(void)
{
	int sv[2], fd;

	check_ok(evl_init());
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	fd = new_handed_over(sv[0], EVL_CLONE_INPUT | EVL_CLONE_OUTPUT, "closed");
	close(sv[0]);
	check_closed(fd, "closed");
}

static void public_loses_closed_socket(void)
{
	int sv[2], fd;

	check_ok(evl_init());
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	fd = new_proxy(sv[0], EVL_CLONE_INPUT | EVL_CLONE_OUTPUT | EVL_CLONE_PUBLIC, "public");
	check_both_ways(fd, sv[1]);
	close(sv[0]);
	check_closed(fd, "public");
}

struct byte_reader {
	int fd;
	atomic_int tid;
};

static void *read_byte(void *arg)
{
	struct byte_reader *r = arg;
	char c;

	atomic_store(&r->tid, gettid());
	check_eq(evl_read_proxy(r->fd, &c, 1), 0);
	return NULL;
}

static void closing_socket_wakes_reader(void)
{
	struct byte_reader r = { 0 };
	pthread_t thread;
	int sv[2];

	check_ok(evl_init());
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	r.fd = new_handed_over(sv[0], EVL_CLONE_INPUT, "reader");
	check_eq(pthread_create(&thread, NULL, read_byte, &r), 0);
	await(task_sleeps(atomic_load(&r.tid)));
	close(sv[0]);
	check_eq(pthread_join(thread, NULL), 0);
}

/* The wait queue is that of the socket. */
static void pollers_survive_socket(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int sv[2], epfd, fd;

	check_ok(evl_init());
	for (int n = 0; n < 10; n++) {
		check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
		fd = new_handed_over(sv[0], EVL_CLONE_INPUT, "polled");
		epfd = check_sys(epoll_create1(0));
		check_sys(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev));
		check_eq(write(sv[1], "x", 1), 1);
		check_eq(epoll_wait(epfd, &ev, 1, -1), 1);
		close(sv[0]);
		close(sv[1]);
		check_eq(epoll_wait(epfd, &ev, 1, -1), 1);
		check(ev.events & EPOLLHUP);
		close(fd);
		check_eq(epoll_wait(epfd, &ev, 1, 0), 0);
		close(epfd);
	}
}

struct legacy {
	int sv[2];
	size_t filled;
};

/* As a process exits, the socket is closed before the proxy. */
static void leave_text(void *arg)
{
	static char text[TEXT];
	struct legacy *legacy = arg;
	int fd;

	close(legacy->sv[1]);
	check_ok(evl_init());
	fd = new_output(legacy->sv[0], "legacy");
	set_nonblocking(fd, true);
	check_eq(evl_write_proxy(fd, text, TEXT), TEXT);
	_exit(0);
}

/* One which is past closing its files, or at it. */
static bool has_no_files(pid_t pid)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return true;
	do
		entry = readdir(dir);
	while (entry && entry->d_name[0] == '.');
	closedir(dir);
	return !entry;
}

/* True if the text came. */
static bool exit_with_text(void)
{
	struct legacy legacy;
	size_t count;
	pid_t child;

	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, legacy.sv));
	legacy.filled = fill_pipe(legacy.sv[0]);
	child = fork_child(leave_text, &legacy);
	close(legacy.sv[0]);
	await(has_no_files(child));
	count = read_to_the_end(legacy.sv[1]);
	close(legacy.sv[1]);
	wait_success(child);
	check(count >= legacy.filled);
	return count == legacy.filled + TEXT;
}

/* It has a second, which may be too short on a busy machine. */
static void exit_delivers_text(void)
{
	int n = 0;

	while (!exit_with_text())
		if (++n == 10)
			check_fail("the text is lost");
}

/* --- Proxies sent to their own targets ---------------------------------------------------------------- */

/* Linux looks for sockets which are open in each other's queues only whenever one is closed. */
static bool is_gone(const char *stem)
{
	close(check_sys(socket(AF_UNIX, SOCK_STREAM, 0)));
	return !has_element("proxy", own_name(stem));
}

#define STUCK		60

static void leave_many(void *arg)
{
	struct legacy *legacy = arg;
	int fd;

	check_ok(evl_init());
	for (int i = 0; i < STUCK; i++) {
		fd = check_ok(evl_create_proxy(legacy->sv[0], 8192, 0, 0, "stuck%d:%d", i, getpid()));
		set_nonblocking(fd, true);
		check_eq(evl_write_proxy(fd, "text", 4), 4);
	}
	_exit(0);
}

/* Nothing can end that, so it must not add up. The limit of this test is below a second for each. */
static void exit_waits_once(void)
{
	struct legacy legacy;

	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, legacy.sv));
	legacy.filled = fill_pipe(legacy.sv[0]);
	wait_success(fork_child(leave_many, &legacy));
}

static void ring_goes(int type, int flags)
{
	int sv[2], fd;

	check_sys(socketpair(AF_UNIX, type, 0, sv));
	fd = new_proxy(sv[0], flags, "ring");
	send_fd(sv[1], fd);
	close(fd);
	close(sv[0]);
	close(sv[1]);
	await(is_gone("ring"));
}

static void proxy_in_its_own_target(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	check_ok(evl_init());
	for (unsigned int n = 0; n < ARRAY_SIZE(types); n++) {
		ring_goes(types[n], EVL_CLONE_OUTPUT);
		ring_goes(types[n], EVL_CLONE_INPUT);
		ring_goes(types[n], EVL_CLONE_INPUT | EVL_CLONE_OUTPUT);
		ring_goes(types[n], EVL_CLONE_INPUT | EVL_CLONE_OUTPUT | EVL_CLONE_PUBLIC);
	}
}

/* The target is open in its own queue, twice, too. */
static void target_in_its_own_queue(void)
{
	int sv[2], fd;

	check_ok(evl_init());
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	fd = new_proxy(sv[0], EVL_CLONE_INPUT | EVL_CLONE_OUTPUT, "ring");
	send_fd(sv[1], fd);
	send_fd(sv[1], sv[0]);
	send_fd(sv[1], sv[0]);
	close(fd);
	close(sv[0]);
	close(sv[1]);
	await(is_gone("ring"));
}

/* Somebody has the other end, and does not read what there is to be relayed. */
static void stuck_proxy_in_its_own_target(void)
{
	static char text[TEXT];
	int sv[2], fd;

	check_ok(evl_init());
	for (int with_target = 0; with_target < 2; with_target++) {
		check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
		fill_pipe(sv[0]);
		fd = new_output(sv[0], "ring");
		set_nonblocking(fd, true);
		check_eq(evl_write_proxy(fd, text, TEXT), TEXT);
		send_fd(sv[1], fd);
		if (with_target)
			send_fd(sv[1], sv[0]);
		close(fd);
		close(sv[0]);
		await(is_gone("ring"));
		close(sv[1]);
	}
}

static void two_proxies_in_each_others_target(void)
{
	int a[2], b[2], fda, fdb;

	check_ok(evl_init());
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, a));
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, b));
	fda = new_proxy(a[0], EVL_CLONE_INPUT | EVL_CLONE_OUTPUT, "a");
	fdb = new_proxy(b[0], EVL_CLONE_INPUT | EVL_CLONE_OUTPUT, "b");
	send_fd(b[1], fda);
	send_fd(a[1], fdb);
	/* Its relay waits for the target. */
	set_nonblocking(fda, true);
	check_eq(evl_write_proxy(fda, "x", 1), 1);
	close(fda);
	close(fdb);
	close(a[0]);
	close(a[1]);
	close(b[0]);
	close(b[1]);
	await(is_gone("a") && is_gone("b"));
}

/* The queue of either has the other one, and only one of them is a target. */
static void targets_in_queues_of_others(void)
{
	int a[2], b[2], fd;

	check_ok(evl_init());
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, a));
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, b));
	fd = new_output(a[0], "ring");
	send_fd(a[1], b[0]);
	send_fd(b[1], a[0]);
	send_fd(b[1], fd);
	close(fd);
	close(a[0]);
	close(a[1]);
	close(b[0]);
	close(b[1]);
	await(is_gone("ring"));
}

/* Sent to a connection which nobody accepted. */
static void target_with_a_visitor(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int listener, client, fd;
	socklen_t len;

	check_ok(evl_init());
	listener = check_sys(socket(AF_UNIX, SOCK_STREAM, 0));
	/* It chooses a name by itself. */
	len = sizeof(sa_family_t);
	check_sys(bind(listener, (struct sockaddr *)&addr, len));
	len = sizeof(addr);
	check_sys(getsockname(listener, (struct sockaddr *)&addr, &len));
	check_sys(listen(listener, 1));
	client = check_sys(socket(AF_UNIX, SOCK_STREAM, 0));
	check_sys(connect(client, (struct sockaddr *)&addr, len));
	fd = new_output(listener, "ring");
	send_fd(client, fd);
	send_fd(client, listener);
	close(fd);
	close(listener);
	close(client);
	await(is_gone("ring"));
}

/* It is nowhere but in queues, of which somebody has the first one. */
static void target_under_way_is_kept(void)
{
	int a[2], b[2], c[2], fd;
	char text[2];

	check_ok(evl_init());
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, a));
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, b));
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, c));
	fd = new_output(a[0], "kept");
	send_fd(a[1], fd);
	send_fd(a[1], a[0]);
	send_fd(b[1], a[0]);
	send_fd(c[1], b[0]);
	close(fd);
	close(a[0]);
	close(b[0]);
	check(!is_gone("kept"));
	a[0] = receive_fd(receive_fd(c[0]));
	fd = receive_fd(a[0]);
	check_eq(evl_write_proxy(fd, "x", 1), 1);
	check_eq(read(a[1], text, 1), 1);
}

/* As long as somebody may receive it, it is there. */
static void message_is_kept(void)
{
	int sv[2], fd;
	char c;

	check_ok(evl_init());
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	fd = new_output(sv[0], "kept");
	send_fd(sv[1], fd);
	close(fd);
	check(!is_gone("kept"));
	fd = receive_fd(sv[0]);
	check_eq(evl_write_proxy(fd, "x", 1), 1);
	check_eq(read(sv[1], &c, 1), 1);
	check_eq(c, 'x');
}

static void close_sockets(void *arg)
{
	(void)arg;
	for (;;)
		close(check_sys(socket(AF_UNIX, SOCK_STREAM, 0)));
}

/* Linux takes away what is in the queue, as nobody else but the relay can receive it. */
static void reading_from_what_nobody_has(void)
{
	int sv[2], fd;
	pid_t child;
	char c;

	child = fork_child(close_sockets, NULL);
	check_ok(evl_init());
	for (int n = 0; n < 20; n++) {
		check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
		fd = new_handed_over(sv[0], EVL_CLONE_INPUT, "read");
		check_eq(write(sv[1], "x", 1), 1);
		send_fd(sv[1], sv[0]);
		check_eq(write(sv[1], "y", 1), 1);
		close(sv[0]);
		while (check_ok(evl_read_proxy(fd, &c, 1)) > 0)
			;
		close(sv[1]);
		close(fd);
	}
	check_sys(kill(child, SIGKILL));
	wait_for(child);
}

static const struct CMUnitTest tests[] = {
	TEST(maker_keeps_socket_open, "a local socket stays open as long as the maker has the proxy"),
	TEST(duplicates_keep_socket_open, "by any descriptor it has of the proxy"),
	TEST(exit_delivers_text, "what an exiting process has written gets there"),
	TEST_WITHIN(exit_waits_once, 30, "a second, however many proxies it leaves"),
	TEST(others_use_open_socket, "others transfer as long as it is open"),
	TEST(others_lose_closed_socket, "and find it closed, then"),
	TEST(public_loses_closed_socket, "a public proxy does not keep it open"),
	TEST(closing_socket_wakes_reader, "who waits for input finds out"),
	TEST(pollers_survive_socket, "pollers of the proxy may stay"),
	TEST(proxy_in_its_own_target, "a proxy in the queue of its own target goes"),
	TEST(target_in_its_own_queue, "also if the target is there, too"),
	TEST(stuck_proxy_in_its_own_target, "or the relay has nowhere to write to"),
	TEST(two_proxies_in_each_others_target, "or there are two, in the target of each other"),
	TEST(targets_in_queues_of_others, "or in the queue of a socket in its queue"),
	TEST(target_with_a_visitor, "or a connection to it which nobody accepted"),
	TEST(target_under_way_is_kept, "but not while the target may be received"),
	TEST(message_is_kept, "nor while the proxy may"),
	TEST(reading_from_what_nobody_has, "input is read safely while Linux clears the queue"),
};

TEST_MAIN("proxy-socket", tests)
