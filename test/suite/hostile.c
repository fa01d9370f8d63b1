// SPDX-License-Identifier: GPL-2.0-only
/* Misuse of descriptors and pointers on every request, and memory which changes while the core looks at it. */
#include "raw.h"
#include <sys/socket.h>
#include <sys/un.h>

static struct raw_process process;
static struct raw_thread self;

static void attach(const char *name)
{
	struct sched_param param = { .sched_priority = 10 };

	check_ok(raw_init(&process, 36));
	check_eq(pthread_setschedparam(pthread_self(), SCHED_FIFO, &param), 0);
	check_ok(raw_attach(&process, &self, FORM_A, name, 0));
}

static int new_timer(void)
{
	int tfd = -1;

	check_eq(raw_ioctl(process.monofd, EVL_CLKIOC_NEW_TIMER, &tfd), 0);
	return tfd;
}

/* --- Every request, every file --------------------------------------------------------------------- */

static const unsigned int requests[] = {
	EVL_CTLIOC_GET_COREINFO, EVL_CTLIOC_SCHEDCTL, EVL_CTLIOC_GET_CPUSTATE, EVL_IOC_CLONE,
	EVL_CLKIOC_SLEEP, EVL_CLKIOC_GET_RES, EVL_CLKIOC_GET_TIME, EVL_CLKIOC_SET_TIME, EVL_CLKIOC_NEW_TIMER,
	EVL_TFDIOC_SET, EVL_TFDIOC_GET,
	EVL_THRIOC_SIGNAL, EVL_THRIOC_SET_SCHEDPARAM, EVL_THRIOC_GET_SCHEDPARAM, EVL_THRIOC_GET_STATE,
	EVL_THRIOC_SET_MODE, EVL_THRIOC_CLEAR_MODE,
};

struct files {
	const char *name;
	int fd;
};

#define NR_FILES	11

static void open_files(struct files *f)
{
	*f++ = (struct files){ "control", check_sys(open(EVL_CONTROL_DEV, O_RDWR)) };
	*f++ = (struct files){ "clock", process.monofd };
	*f++ = (struct files){ "timer", new_timer() };
	*f++ = (struct files){ "thread", self.efd };
	*f++ = (struct files){ "xbuf", check_ok(raw_create_xbuf("hostile", 64, 64, 0)) };
	*f++ = (struct files){ "proxy", check_ok(raw_create_proxy("hostile", 1, 64, 0, EVL_CLONE_OUTPUT)) };
	*f++ = (struct files){ "xbuf clone", check_ok(raw_open_clone("xbuf")) };
	*f++ = (struct files){ "proxy clone", check_ok(raw_open_clone("proxy")) };
	*f++ = (struct files){ "thread clone", check_ok(raw_open_clone("thread")) };
	*f++ = (struct files){ "null", check_sys(open("/dev/null", O_RDWR)) };
	*f++ = (struct files){ "pipe", ({ int fds[2]; check_sys(pipe(fds)); fds[1]; }) };
}

static bool is_refusal(long ret)
{
	return ret == -EFAULT || ret == -ENOTTY || ret == -EBADF || ret == -EINVAL || ret == -EOPNOTSUPP ||
	       ret == -EBUSY || ret == -EPERM;
}

/* Pointers which lead nowhere, into the kernel, or to where nothing may be written. */
static void *bad_pointer(int i)
{
	static char *page;

	if (!page) {
		page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		check(page != MAP_FAILED);
		check_sys(mprotect(page + 4096, 4096, PROT_NONE));
	}
	switch (i) {
	case 0: return NULL;
	case 1: return (void *)1;
	case 2: return page + 4096;
	case 3: return page + 4096 - 2;
	case 4: return (void *)-1L;
	case 5: return (void *)-4096L;
	case 6: return (void *)0xffffffff81000000;
	case 7: return (void *)0x8000000000000000;
	case 8: return (void *)0x7ffffffffffc;
	default: return NULL;
	}
}

#define NR_BAD_POINTERS	9

static void bad_pointers_everywhere(void)
{
	struct files files[NR_FILES];
	long ret;

	attach("hostile");
	open_files(files);
	for (int f = 0; f < NR_FILES; f++) {
		for (unsigned int r = 0; r < ARRAY_SIZE(requests); r++) {
			for (int p = 0; p < NR_BAD_POINTERS; p++) {
				ret = raw_ioctl(files[f].fd, requests[r], bad_pointer(p));
				if (!is_refusal(ret))
					check_fail("ioctl(%s, %#x, pointer %d): %ld", files[f].name, requests[r], p, ret);
				ret = raw_oob_ioctl(FORM_A, files[f].fd, requests[r], bad_pointer(p));
				if (!is_refusal(ret))
					check_fail("oob_ioctl(%s, %#x, pointer %d): %ld", files[f].name, requests[r], p, ret);
			}
		}
	}
	check_eq(raw_oob_ioctl(FORM_A, self.efd, EVL_THRIOC_YIELD, NULL), 0);
}

static void bad_buffers_everywhere(void)
{
	struct files files[NR_FILES];
	long ret;

	attach("hostile");
	open_files(files);
	for (int f = 0; f < NR_FILES; f++) {
		fcntl(files[f].fd, F_SETFL, O_NONBLOCK);
		for (int p = 0; p < NR_BAD_POINTERS; p++) {
			ret = raw_oob_read(FORM_A, files[f].fd, bad_pointer(p), 8);
			if (ret >= 0 && strcmp(files[f].name, "proxy"))
				check_fail("oob_read(%s, pointer %d): %ld", files[f].name, p, ret);
			ret = raw_oob_write(FORM_A, files[f].fd, bad_pointer(p), 8);
			if (ret >= 0)
				check_fail("oob_write(%s, pointer %d): %ld", files[f].name, p, ret);
			ret = raw_oob_write(FORM_A, files[f].fd, bad_pointer(p), SIZE_MAX);
			if (ret >= 0)
				check_fail("oob_write(%s, pointer %d) of all memory: %ld", files[f].name, p, ret);
		}
	}
}

/* Pointers inside the structures that requests point to. */
static void bad_inner_pointers(void)
{
	int tfd;

	attach("hostile");
	tfd = new_timer();
	for (int p = 0; p < NR_BAD_POINTERS; p++) {
		struct evl_timerfd_setreq set = { .value_ptr = raw_ptr(bad_pointer(p)) };
		struct __evl_itimerspec its = { .it_value.tv_sec = 1L << 40 };
		struct evl_cpu_state cpu = { .state_ptr = raw_ptr(bad_pointer(p)) };

		check_eq(raw_ioctl(tfd, EVL_TFDIOC_SET, &set), -EFAULT);
		check_eq(raw_oob_ioctl(FORM_A, tfd, EVL_TFDIOC_SET, &set), -EFAULT);
		check_eq(raw_ioctl(process.ctlfd, EVL_CTLIOC_GET_CPUSTATE, &cpu), -EFAULT);
		if (!bad_pointer(p))
			continue;
		set = (struct evl_timerfd_setreq){ .value_ptr = raw_ptr(&its), .ovalue_ptr = raw_ptr(bad_pointer(p)) };
		check_eq(raw_ioctl(tfd, EVL_TFDIOC_SET, &set), -EFAULT);
		check_eq(raw_oob_ioctl(FORM_A, tfd, EVL_TFDIOC_SET, &set), -EFAULT);
	}
	check_eq(raw_oob_ioctl(FORM_A, self.efd, EVL_THRIOC_YIELD, NULL), 0);
}

/* --- Descriptors -------------------------------------------------------------------------------------- */

static void closed_descriptors(void)
{
	struct files files[NR_FILES];
	char c = 0;

	attach("hostile");
	open_files(files);
	for (int f = 0; f < NR_FILES; f++) {
		close(files[f].fd);
		check_eq(raw_oob_read(FORM_A, files[f].fd, &c, 1), -EBADF);
		check_eq(raw_oob_write(FORM_A, files[f].fd, &c, 1), -EBADF);
		for (unsigned int r = 0; r < ARRAY_SIZE(requests); r++)
			check_eq(raw_oob_ioctl(FORM_A, files[f].fd, requests[r], NULL), -EBADF);
	}
	for (int fd = -2; fd < 0; fd++)
		check_eq(raw_oob_read(FORM_A, fd, &c, 1), -EBADF);
	check_eq(raw_oob_read(FORM_A, INT_MAX, &c, 1), -EBADF);
	check_eq(raw_oob_read(FORM_A, INT_MIN, &c, 1), -EBADF);
}

static void foreign_descriptors(void)
{
	int fds[2], sockets[2], i;
	char c = 0;

	attach("hostile");
	check_sys(pipe(fds));
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	const int foreign[] = {
		0, 1, 2, fds[0], fds[1], sockets[0], check_sys(open("/dev/null", O_RDWR)), check_sys(open("/", O_RDONLY)),
		check_sys(open("/proc/self/mem", O_RDWR)), check_sys(memfd_create("foreign", 0)),
	};
	for (i = 0; i < (int)ARRAY_SIZE(foreign); i++) {
		check_eq(raw_oob_read(FORM_A, foreign[i], &c, 1), -EBADF);
		check_eq(raw_oob_write(FORM_A, foreign[i], &c, 1), -EBADF);
		check_eq(raw_oob_ioctl(FORM_A, foreign[i], EVL_THRIOC_YIELD, NULL), -EBADF);
		check_eq(raw_oob_ioctl(FORM_B, foreign[i], EVL_THRIOC_YIELD, NULL), -EBADF);
	}
}

/* A number which is used again names the new file, not the old one. */
static void reused_numbers(void)
{
	char buf[8];
	int one, two;

	attach("hostile");
	one = check_ok(raw_create_xbuf("one", 64, 64, 0));
	two = check_ok(raw_create_xbuf("two", 64, 64, 0));
	for (int i = 0; i < 50; i++) {
		int fd = check_sys(dup(one));

		check_eq(raw_oob_write(FORM_A, fd, "1", 1), 1);
		check_sys(dup2(two, fd));
		check_eq(raw_oob_write(FORM_A, fd, "2", 1), 1);
		check_sys(dup2(process.monofd, fd));
		check_eq(raw_oob_write(FORM_A, fd, "3", 1), -EINVAL);
		check_sys(close(fd));
		check_eq(raw_oob_write(FORM_A, fd, "4", 1), -EBADF);
		check_eq(read(one, buf, 1), 1);
		check_eq(buf[0], '1');
		check_eq(read(two, buf, 1), 1);
		check_eq(buf[0], '2');
	}
}

static void send_fd(int sock, int fd)
{
	char c = 'f', control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { &c, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	check_eq(sendmsg(sock, &msg, 0), 1);
}

static int receive_fd(int sock)
{
	char c, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &c, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd;

	check_eq(recvmsg(sock, &msg, 0), 1);
	check(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static void use_received(void *arg)
{
	int sock = *(int *)arg, fd;
	char c;

	attach("receiver");
	fd = receive_fd(sock);
	check_eq(raw_oob_read(FORM_A, fd, &c, 1), 1);
	check_eq(c, 's');
	check_eq(raw_oob_write(FORM_A, fd, "r", 1), 1);
}

static void passed_descriptors(void)
{
	int sockets[2], fd;
	pid_t pid;
	char c;

	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	pid = fork_child(use_received, &sockets[1]);
	fd = check_ok(raw_create_xbuf("passed", 64, 64, 0));
	check_eq(write(fd, "s", 1), 1);
	send_fd(sockets[0], fd);
	wait_success(pid);
	check_eq(read(fd, &c, 1), 1);
	check_eq(c, 'r');
}

/* In flight and never received: it goes with the socket. */
static void lost_in_flight(void)
{
	int sockets[2], fd;

	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	fd = check_ok(raw_create_xbuf("inflight", 64, 64, 0));
	send_fd(sockets[0], fd);
	close(fd);
	check_eq(access("/sys/devices/virtual/xbuf/inflight", F_OK), 0);
	close(sockets[0]);
	close(sockets[1]);
	await(access("/sys/devices/virtual/xbuf/inflight", F_OK));
}

/* --- Memory in motion ----------------------------------------------------------------------------------- */

static atomic_bool stop;

static void *flip_request(void *arg)
{
	struct evl_clone_req *req = arg;

	pin_to(other_cpu());
	while (!atomic_load(&stop)) {
		req->clone_flags ^= EVL_CLONE_PUBLIC | 1;
		req->name_ptr ^= 0xffff000000000000;
		req->attrs_ptr ^= 0x8;
		req->efd = 0;
	}
	return NULL;
}

/* Each request works, or fails with an error; what it makes is what it says. */
static void clone_request_in_motion(void)
{
	struct evl_xbuf_attrs attrs[2] = { { 64, 64 }, { 0, 0 } };
	struct evl_clone_req req = { 0 };
	pthread_t flipper;
	long ret;
	int fd;

	check_eq(pthread_create(&flipper, NULL, flip_request, &req), 0);
	for (int i = 0; i < 300; i++) {
		fd = check_ok(raw_open_clone("xbuf"));
		req.name_ptr = raw_ptr("motion");
		req.attrs_ptr = raw_ptr(attrs);
		req.clone_flags = i & 1 ? EVL_CLONE_PUBLIC : 0;
		ret = raw_ioctl(fd, EVL_IOC_CLONE, &req);
		if (ret)
			check(ret == -EFAULT || ret == -EINVAL || ret == -EEXIST);
		close(fd);
		/* A private descriptor may have been told to memory which changed since. */
		for (fd = 3; fd < 20; fd++) {
			char path[64], link[64] = "";

			snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
			if (readlink(path, link, sizeof(link) - 1) > 0 && strstr(link, "motion"))
				close(fd);
		}
		check_ne(access("/sys/devices/virtual/xbuf/motion", F_OK), 0);
	}
	atomic_store(&stop, true);
	check_eq(pthread_join(flipper, NULL), 0);
}

static void *flip_name(void *arg)
{
	volatile char *name = arg;

	pin_to(other_cpu());
	while (!atomic_load(&stop)) {
		name[0] = '/';
		name[2] = '\0';
		name[0] = 'm';
		name[2] = 'v';
		name[4] = 'x';
		name[4] = '\0';
	}
	return NULL;
}

static void name_in_motion(void)
{
	char name[8] = "move";
	pthread_t flipper;

	check_eq(pthread_create(&flipper, NULL, flip_name, name), 0);
	for (int i = 0; i < 300; i++) {
		int fd = raw_create_xbuf(name, 64, 64, 0);

		if (fd >= 0)
			close(fd);
		else
			check(fd == -EINVAL || fd == -EEXIST || fd == -ENOENT);
	}
	atomic_store(&stop, true);
	check_eq(pthread_join(flipper, NULL), 0);
	check(!first_element("xbuf"));
}

static void *flip_window(void *arg)
{
	volatile struct evl_user_window *window = arg;
	unsigned int seed = 1;

	pin_to(other_cpu());
	while (!atomic_load(&stop)) {
		seed = seed * 1103515245 + 12345;
		window->state = seed;
		window->info = ~seed;
		window->pp_pending = seed >> 3;
	}
	return NULL;
}

/* The window is the core's to tell, not to believe. */
static void window_in_motion(void)
{
	struct evl_thread_state state;
	pthread_t flipper;

	check_ok(raw_init(&process, 36));
	check_ok(raw_attach(&process, &self, FORM_A, "window", 0));
	check_eq(pthread_create(&flipper, NULL, flip_window, (void *)self.window), 0);
	for (int i = 0; i < 500; i++) {
		struct __evl_timespec past = { 0 };

		check_eq(raw_oob_ioctl(FORM_A, process.monofd, EVL_CLKIOC_SLEEP, &past), 0);
		check_eq(raw_ioctl(self.efd, EVL_THRIOC_GET_STATE, &state), 0);
		check_eq(state.eattrs.sched_policy, SCHED_WEAK);
	}
	atomic_store(&stop, true);
	check_eq(pthread_join(flipper, NULL), 0);
	check_eq(raw_detach(&self), 0);
}

static void scribble_all(void *arg)
{
	unsigned int seed = getpid(), i;

	(void)arg;
	check_ok(raw_init(&process, 36));
	for (int round = 0; round < 20; round++) {
		volatile unsigned int *word = process.shared;

		for (i = 0; i < process.info.shm_size / 4; i++) {
			seed = seed * 1103515245 + 12345;
			word[i] = seed;
		}
	}
	memset(process.shared, 0, process.info.shm_size);
}

/* Another process may write to all of the shared memory. */
static void shared_memory_scribbled(void)
{
	pid_t pid;

	attach("victim");
	pid = fork_child(scribble_all, NULL);
	for (int i = 0; i < 200; i++) {
		struct evl_thread_state state;

		check_eq(raw_oob_ioctl(FORM_A, self.efd, EVL_THRIOC_YIELD, NULL), 0);
		check_eq(raw_oob_ioctl(FORM_A, self.efd, EVL_THRIOC_GET_STATE, &state), 0);
		check_eq(state.eattrs.sched_priority, 10);
		syscall(SYS_getppid);
	}
	wait_success(pid);
}

static const struct CMUnitTest tests[] = {
	TEST(bad_pointers_everywhere, "each request to each file with each bad pointer is refused"),
	TEST(bad_buffers_everywhere, "so are transfers"),
	TEST(bad_inner_pointers, "and pointers within requests"),
	TEST(closed_descriptors, "closed descriptors are EBADF"),
	TEST(foreign_descriptors, "files of others are EBADF"),
	TEST(reused_numbers, "a number used again names the new file"),
	TEST(passed_descriptors, "a descriptor may be passed to another process"),
	TEST(lost_in_flight, "or get lost on the way"),
	TEST(clone_request_in_motion, "a clone request which changes meanwhile"),
	TEST(name_in_motion, "a name which changes meanwhile"),
	TEST(window_in_motion, "a window which its thread overwrites"),
	TEST(shared_memory_scribbled, "shared memory which another process overwrites"),
};

TEST_MAIN("hostile", tests)
