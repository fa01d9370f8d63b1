// SPDX-License-Identifier: GPL-2.0-only
/* As whom the relays of proxies call their targets, how many there may be, and what becomes of those which are stuck. */
#include "helpers.h"
#include "fault.h"
#include "user.h"
#include <evl/proxy.h>
#include <evl/xbuf.h>
#include <dirent.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

static int new_output(int target, const char *stem)
{
	return check_ok(evl_create_proxy(target, 8192, 0, EVL_CLONE_OUTPUT, "%s:%d", stem, getpid()));
}

static bool is_lost(const char *stem, int count, int error)
{
	char text[32];

	snprintf(text, sizeof(text), "%d %d", count, error);
	return !strcmp(read_attr("proxy", own_name(stem), "lost"), text);
}

/* --- Rights ------------------------------------------------------------------------------------ */

static void user_acts_as_maker(void)
{
	char text[8], ctl[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = { text, sizeof(text) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *cmsg;
	int sv[2], on = 1;
	struct ucred cred;

	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	check_sys(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	check_eq(evl_write_proxy(new_output(sv[0], "cred"), "hello", 5), 5);
	check_eq(check_sys(recvmsg(sv[1], &msg, 0)), 5);
	cmsg = CMSG_FIRSTHDR(&msg);
	check(cmsg);
	memcpy(&cred, CMSG_DATA(cmsg), sizeof(cred));
	check_eq(cred.uid, USER);
	check_eq(cred.gid, USER);
}

static void acts_as_maker(void)
{
	as_user("proxy", user_acts_as_maker);
}

/* Anybody may open it, not everybody may write. */
static void user_may_no_more_than_maker(void)
{
	int file;

	file = open("/proc/sys/kernel/ns_last_pid", O_RDWR);
	if (file < 0)
		check_skip("no ns_last_pid: %s", strerror(errno));
	check_errno(write(file, "31000", 5), EPERM);
	check_eq(evl_write_proxy(new_output(file, "right"), "31000", 5), 5);
	await(is_lost("right", 5, -EPERM));
}

static void may_no_more_than_maker(void)
{
	as_user("proxy", user_may_no_more_than_maker);
}

static int inherited;

static void user_inherits_no_rights(void)
{
	check_errno(write(inherited, "31000", 5), EPERM);
	check_eq(evl_write_proxy(new_output(inherited, "inherited"), "31000", 5), 5);
	await(is_lost("inherited", 5, -EPERM));
}

/* The one who opened it might write there. */
static void inherits_no_rights(void)
{
	inherited = open("/proc/sys/kernel/ns_last_pid", O_RDWR);
	if (inherited < 0)
		check_skip("no ns_last_pid: %s", strerror(errno));
	as_user("proxy", user_inherits_no_rights);
}

static void user_strips_set_id(void)
{
	char name[] = "/tmp/proxy-XXXXXX";
	struct stat st;
	int file;

	file = check_sys(mkstemp(name));
	check_sys(fchmod(file, 06777));
	check_eq(evl_write_proxy(new_output(file, "setid"), "new code", 8), 8);
	check_sys(fstat(file, &st));
	check_eq(st.st_size, 8);
	check_eq(st.st_mode & 06000, 0);
	unlink(name);
}

static void strips_set_id(void)
{
	as_user("proxy", user_strips_set_id);
}

static void user_heeds_file_size_limit(void)
{
	struct rlimit limit = { 100, 100 };
	char name[] = "/tmp/proxy-XXXXXX", text[64] = "";
	struct stat st;
	int file, fd;

	file = check_sys(mkstemp(name));
	unlink(name);
	check_sys(setrlimit(RLIMIT_FSIZE, &limit));
	fd = new_output(file, "size");
	check_eq(evl_write_proxy(fd, text, 64), 64);
	check_eq(evl_write_proxy(fd, text, 64), 64);
	await(is_lost("size", 28, -EFBIG));
	check_sys(fstat(file, &st));
	check_eq(st.st_size, 100);
}

static void heeds_file_size_limit(void)
{
	as_user("proxy", user_heeds_file_size_limit);
}

/* --- Numbers ------------------------------------------------------------------------------------ */

static void user_counts_as_processes(void)
{
	struct rlimit limit = { 8, 8 };
	int fds[8], file;

	file = check_sys(memfd_create("mapped", 0));
	check_sys(setrlimit(RLIMIT_NPROC, &limit));
	/* This process, and three times two relays. */
	for (int n = 0; n < 3; n++)
		fds[n] = check_ok(evl_create_proxy(file, 64, 0, EVL_CLONE_INPUT | EVL_CLONE_OUTPUT, "n%d:%d", n, getpid()));
	check_eq(evl_create_proxy(file, 64, 0, EVL_CLONE_INPUT | EVL_CLONE_OUTPUT, "two:%d", getpid()), -EAGAIN);
	fds[3] = check_ok(evl_create_proxy(file, 64, 0, EVL_CLONE_OUTPUT, "one:%d", getpid()));
	check_eq(evl_create_proxy(file, 64, 0, EVL_CLONE_OUTPUT, "one more:%d", getpid()), -EAGAIN);
	/* No relay, no limit. */
	close(check_ok(evl_create_proxy(file, 0, 0, EVL_CLONE_PRIVATE, "none:%d", getpid())));
	close(fds[0]);
	fds[0] = check_ok(evl_create_proxy(file, 64, 0, EVL_CLONE_INPUT | EVL_CLONE_OUTPUT, "two:%d", getpid()));
	check_eq(evl_create_proxy(file, 64, 0, EVL_CLONE_OUTPUT, "one more:%d", getpid()), -EAGAIN);
}

static void counts_as_processes(void)
{
	as_user("proxy", user_counts_as_processes);
}

/* --- Memory ------------------------------------------------------------------------------------------------ */

#define CGROUPS		"/tmp/cgroups"
#define CGROUP		CGROUPS "/proxy"

static int open_in_cgroups(const char *path, int mode)
{
	return check_sys(open(path, mode | O_CLOEXEC));
}

static long cgroup_memory(void)
{
	char text[32] = "";
	int fd = open_in_cgroups(CGROUP "/memory.current", O_RDONLY);

	check(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return atol(text);
}

static void write_in_cgroup(void *arg)
{
	const long size = 8 << 20;
	static char text[65536];
	long before;
	int fd;

	(void)arg;
	check_eq(write(open_in_cgroups(CGROUP "/cgroup.procs", O_WRONLY), "0", 1), 1);
	check_ok(evl_init());
	fd = check_ok(evl_create_proxy(check_sys(memfd_create("memory", 0)), sizeof(text), 0, EVL_CLONE_OUTPUT, "memory:%d", getpid()));
	before = cgroup_memory();
	for (long n = 0; n < size; n += sizeof(text))
		check_eq(evl_write_proxy(fd, text, sizeof(text)), sizeof(text));
	/* Linux counts some in advance. */
	check_gt(cgroup_memory() - before, size / 2);
}

static void memory_is_the_makers(void)
{
	char text[256] = "";
	pid_t child;

	mkdir(CGROUPS, 0700);
	if (mount("none", CGROUPS, "cgroup2", 0, NULL))
		check_skip("no cgroups: %s", strerror(errno));
	check(read(open_in_cgroups(CGROUPS "/cgroup.controllers", O_RDONLY), text, sizeof(text) - 1) >= 0);
	if (!strstr(text, "memory")) {
		umount2(CGROUPS, MNT_DETACH);
		check_skip("no memory cgroups");
	}
	check_eq(write(open_in_cgroups(CGROUPS "/cgroup.subtree_control", O_WRONLY), "+memory", 7), 7);
	check_sys(mkdir(CGROUP, 0700));
	child = fork_child(write_in_cgroup, NULL);
	wait_success(child);
	await(rmdir(CGROUP) == 0);
	check_sys(umount2(CGROUPS, MNT_DETACH));
}

/* --- Targets which do not return ---------------------------------------------------------------------- */

struct held_file {
	struct fault_page *page;
	int file;
};

/* Keeps the lock of the file while its source is not there. */
static void *hold_file(void *arg)
{
	struct held_file *held = arg;

	check_eq(pwrite(held->file, held->page->addr, 4096, 0), 4096);
	return NULL;
}

static void stuck_target(void)
{
	char name[] = "/tmp/proxy-XXXXXX";
	struct held_file held;
	struct fault_page page;
	struct timespec start;
	pthread_t thread;
	char c = 0;
	int fd;

	check_ok(evl_init());
	check_sys(munlockall());
	new_fault_page(&page);
	held.page = &page;
	held.file = check_sys(mkstemp(name));
	unlink(name);
	check_eq(pthread_create(&thread, NULL, hold_file, &held), 0);
	await_fault(&page);

	fd = new_output(held.file, "stuck");
	set_nonblocking(fd, true);
	check_eq(evl_write_proxy(fd, "x", 1), 1);
	clock_gettime(CLOCK_MONOTONIC, &start);
	close(fd);
	/* A second for the data, a second for the relay. */
	check_lt(now() - ts_ns(start), 30 * NSEC_PER_SEC);
	check(!has_element("proxy", own_name("stuck")));
	close(new_output(1, "stuck"));

	/* The relay goes when it can, having done its work. */
	resolve_fault(&page, NULL);
	pthread_join(thread, NULL);
	await(pread(held.file, &c, 1, 0) == 1 && c == 'x');
}

/* --- Passing descriptors ---------------------------------------------------------------------------------- */

static void send_fd(int sock, int fd)
{
	char c = 'f', ctl[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	check_eq(sendmsg(sock, &msg, 0), 1);
}

static int receive_fd(int sock)
{
	char c, ctl[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl),
	};
	int fd;

	check_eq(check_sys(recvmsg(sock, &msg, 0)), 1);
	check(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

/* --- Closing by others --------------------------------------------------------------------------------- */

struct handover {
	int sock;
	int pipe_fds[2];
	size_t filled;
};

/* What a full pipe had, and the proxy on top of it. */
#define TEXT	4000

static size_t read_to_the_end(int fd)
{
	static char text[65536];
	size_t total = 0;
	ssize_t count;

	while ((count = check_sys(read(fd, text, sizeof(text)))) > 0)
		total += count;
	return total;
}

/*
 * The last descriptor, of a proxy whose pipe is full. If closing it waited for the relay, the text would be lost when it
 * returns, since nobody reads before.
 */
static void close_for_another(void *arg)
{
	struct handover *h = arg;
	int fd = receive_fd(h->sock);
	char c;

	check_eq(write(h->sock, "r", 1), 1);
	/* Its maker has closed it. */
	check_eq(read(h->sock, &c, 1), 1);
	close(fd);
	close(h->pipe_fds[1]);
	_exit(read_to_the_end(h->pipe_fds[0]) == h->filled + TEXT ? 0 : 3);
}

static size_t fill_pipe(int fd)
{
	char text[4096] = "";
	size_t total = 0;
	ssize_t count;

	set_nonblocking(fd, true);
	while ((count = write(fd, text, sizeof(text))) > 0)
		total += count;
	check_eq(errno, EAGAIN);
	set_nonblocking(fd, false);
	return total;
}

/* True if the text came. */
static bool close_elsewhere(void)
{
	static char text[TEXT];
	struct handover h;
	int sv[2], fd, status;
	pid_t child;
	char c;

	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	check_sys(pipe(h.pipe_fds));
	h.sock = sv[1];
	h.filled = fill_pipe(h.pipe_fds[1]);
	child = fork_child(close_for_another, &h);
	close(sv[1]);
	fd = new_output(h.pipe_fds[1], "given");
	set_nonblocking(fd, true);
	check_eq(evl_write_proxy(fd, text, TEXT), TEXT);
	send_fd(sv[0], fd);
	check_eq(read(sv[0], &c, 1), 1);
	close(fd);
	close(h.pipe_fds[0]);
	close(h.pipe_fds[1]);
	check_eq(write(sv[0], "c", 1), 1);
	status = wait_for(child);
	close(sv[0]);
	check(WIFEXITED(status));
	check(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3);
	check(!has_element("proxy", own_name("given")));
	return WEXITSTATUS(status) == 0;
}

/* A machine which is busy may not get to reading within the second that the relay has. */
static void others_do_not_wait(void)
{
	int n = 0;

	check_ok(evl_init());
	while (!close_elsewhere())
		if (++n == 10)
			check_fail("the text is lost");
}

/* --- Targets which might hold the proxy -------------------------------------------------------------- */

static int try_target(int target, size_t bufsz, int flags)
{
	int fd = evl_create_proxy(target, bufsz, 0, flags, "try:%d", getpid());

	if (fd >= 0)
		close(fd);
	return fd;
}

/* Whichever way, and however it is open: what it is not open for is no reason to look no closer. */
static void check_refused(int target)
{
	check_eq(try_target(target, 0, EVL_CLONE_PRIVATE), -EINVAL);
	check_eq(try_target(target, 64, EVL_CLONE_OUTPUT), -EINVAL);
	check_eq(try_target(target, 64, EVL_CLONE_INPUT), -EINVAL);
}

static int open_clone_device(int mode)
{
	return check_sys(open("/dev/evl/proxy/clone", mode | O_CLOEXEC));
}

/* A clone device keeps the element which it made. */
static int clone_with_target(int clone, int target)
{
	struct evl_proxy_attrs attrs = { .fd = target };
	struct evl_clone_req req = { .attrs_ptr = (uintptr_t)&attrs };

	if (ioctl(clone, EVL_IOC_CLONE, &req))
		return -errno;
	return req.efd;
}

static void own_clone_file(void)
{
	int clone, other;

	check_ok(evl_init());
	clone = open_clone_device(O_RDWR);
	other = open_clone_device(O_RDWR);
	check_eq(clone_with_target(clone, clone), -EINVAL);
	check_eq(clone_with_target(clone, other), -EINVAL);
	check_eq(clone_with_target(other, clone), -EINVAL);
	check_refused(open_clone_device(O_RDONLY));
	check_refused(open_clone_device(O_WRONLY));
	/* It can still make a proxy. */
	check_ok(clone_with_target(clone, check_sys(memfd_create("mapped", 0))));
}

static void own_elements(void)
{
	check_ok(evl_init());
	check_refused(new_output(1, "first"));
	check_refused(check_ok(evl_create_xbuf(64, 64, EVL_CLONE_PRIVATE, "xbuf:%d", getpid())));
	check_refused(check_sys(open("/dev/evl/control", O_RDWR)));
}

static void io_uring(void)
{
	struct io_uring_params params = { 0 };
	int ring;

	check_ok(evl_init());
	ring = syscall(SYS_io_uring_setup, 1, &params);
	if (ring < 0)
		check_skip("no io_uring: %s", strerror(errno));
	check_refused(ring);
}

static void userfaultfd(void)
{
	int fd;

	check_ok(evl_init());
	fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (fd < 0)
		check_skip("no userfaultfd: %s", strerror(errno));
	check_refused(fd);
}

static void fuse_device(void)
{
	int fd;

	check_ok(evl_init());
	fd = open("/dev/fuse", O_RDWR);
	if (fd < 0)
		check_skip("no FUSE: %s", strerror(errno));
	check_refused(fd);
}

static void epoll_file(void)
{
	check_ok(evl_init());
	check_refused(check_sys(epoll_create1(0)));
}

/* --- Local sockets ------------------------------------------------------------------------------------ */

static int new_proxy(int target, int flags, const char *stem)
{
	return check_ok(evl_create_proxy(target, 8192, 0, flags, "%s:%d", stem, getpid()));
}

/* Its maker closes the descriptor, and keeps another one, as somebody would have who was sent it. */
static int new_handed_over(int target, int flags, const char *stem)
{
	int fd = new_proxy(target, flags, stem), other = check_sys(dup(fd));

	close(fd);
	return other;
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

static void *read_byte(void *arg)
{
	char c;

	check_eq(evl_read_proxy(*(int *)arg, &c, 1), 0);
	return NULL;
}

static void closing_socket_wakes_reader(void)
{
	pthread_t thread;
	int sv[2], fd;

	check_ok(evl_init());
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	fd = new_handed_over(sv[0], EVL_CLONE_INPUT, "reader");
	check_eq(pthread_create(&thread, NULL, read_byte, &fd), 0);
	usleep(100000);
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

/* --- Eventfds -------------------------------------------------------------------------------------------- */

/* A wakeup of the eventfd ends a request for I/O, whose result goes to the same eventfd. */
static void eventfd_wakes_itself(void)
{
	struct iocb cb = { .aio_lio_opcode = IOCB_CMD_POLL }, *list[1] = { &cb };
	aio_context_t ctx = 0;
	struct io_event ev;
	uint64_t value = 1, sum = 0;
	int efd, fd;

	check_ok(evl_init());
	efd = check_sys(eventfd(0, 0));
	cb.aio_fildes = efd;
	cb.aio_buf = POLLIN;
	cb.aio_flags = IOCB_FLAG_RESFD;
	cb.aio_resfd = efd;
	check_sys(syscall(SYS_io_setup, 4, &ctx));
	check_eq(syscall(SYS_io_submit, ctx, 1, list), 1);
	fd = check_ok(evl_create_proxy(efd, 1024, 8, EVL_CLONE_OUTPUT, "efd:%d", getpid()));
	check_eq(evl_write_proxy(fd, &value, sizeof(value)), sizeof(value));
	check_eq(syscall(SYS_io_getevents, ctx, 1, 1, &ev, NULL), 1);
	/* One from the proxy, one from the request. */
	while (sum < 2) {
		check_eq(read(efd, &value, sizeof(value)), sizeof(value));
		sum += value;
	}
	check_eq(sum, 2);
}

static const struct CMUnitTest tests[] = {
	TEST(acts_as_maker, "a relay acts as whoever made the proxy"),
	TEST(may_no_more_than_maker, "and may do no more than that one"),
	TEST(inherits_no_rights, "not even on a file which somebody with more rights opened"),
	TEST(strips_set_id, "its writing takes set-id bits away, as any does"),
	TEST(heeds_file_size_limit, "the limit on the size of files holds"),
	TEST(counts_as_processes, "relays count as processes: -EAGAIN"),
	TEST(memory_is_the_makers, "memory of a file written to is charged to the cgroup of the maker"),
	TEST(stuck_target, "a target which does not return does not keep close() from it"),
	TEST(others_do_not_wait, "who is not its maker closes a proxy without waiting for its target"),
	TEST(own_clone_file, "no clone device is a target, the own one least of all: -EINVAL"),
	TEST(own_elements, "neither is an element"),
	TEST(io_uring, "neither is io_uring"),
	TEST(userfaultfd, "nor a userfaultfd"),
	TEST(fuse_device, "nor the FUSE device"),
	TEST(epoll_file, "nor an epoll file"),
	TEST(maker_keeps_socket_open, "a local socket stays open as long as the maker has the proxy"),
	TEST(exit_delivers_text, "what an exiting process has written gets there"),
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
	TEST(eventfd_wakes_itself, "an eventfd may be its own waiter"),
};

TEST_MAIN("proxy-target", tests)
