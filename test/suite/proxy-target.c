// SPDX-License-Identifier: GPL-2.0-only
/* As whom the relays of proxies call their targets, how many there may be, and what becomes of those which are stuck. */
#include "target.h"
#include "passing.h"
#include "fault.h"
#include "user.h"
#include <evl/xbuf.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>

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

/* --- Closing by others --------------------------------------------------------------------------------- */

struct handover {
	int sock;
	int pipe_fds[2];
	size_t filled;
};

/* What a full pipe had, and the proxy on top of it. */
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

static void signalfd_file(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	check_ok(evl_init());
	check_refused(check_sys(signalfd(-1, &set, SFD_CLOEXEC)));
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
	TEST(signalfd_file, "nor a signalfd"),
	TEST(fuse_device, "nor the FUSE device"),
	TEST(epoll_file, "nor an epoll file"),
	TEST(eventfd_wakes_itself, "an eventfd may be its own waiter"),
};

TEST_MAIN("proxy-target", tests)
