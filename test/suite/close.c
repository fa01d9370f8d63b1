// SPDX-License-Identifier: GPL-2.0-only
/*
 * Last descriptors, closed while a request is in the middle of memory which is not there: by whom they should not hold
 * up, and by the process itself.
 */
#include "fault.h"
#include "group.h"
#include "passing.h"
#include "puppet.h"
#include <evl/flags.h>
#include <evl/proxy.h>
#include <evl/monitor-abi.h>
#include <evl/poll-abi.h>

/* Far more than it takes on a slow machine, far less than for ever. */
#define AT_ONCE		5	/* seconds */

/* What is closed, and the request which touches the page: its result, or a negative error. */
struct subject {
	int (*open)(void);
	int (*request)(int fd, void *page);
};

static struct fault_page page;
static char content[4096] __attribute__((aligned(4096)));
static int pipe_fds[2], member = -1;

/* Of the core: files, threads, relays. */
static int module_refs(void)
{
	char buf[16] = "";
	int fd = check_sys(open("/sys/module/evl/refcnt", O_RDONLY));

	check_gt(read(fd, buf, sizeof(buf) - 1), 0);
	close(fd);
	return atoi(buf);
}

/* --- Subjects ------------------------------------------------------------------------------------------ */

static struct evl_flags flags;

static int open_flags(void)
{
	return check_ok(evl_new_flags(&flags, "stalled:%d", getpid()));
}

/* Bits are there, and cannot be delivered. */
static int read_flags(int fd, void *addr)
{
	check_ok(evl_post_flags(&flags, 5));
	return oob_read(fd, addr, 4) < 0 ? -errno : 0;
}

/* What it waits for never comes. */
static int wait_flags(int fd, void *addr)
{
	static const struct __evl_timespec never;
	struct evl_monitor_waitreq *req = (void *)content;

	*req = (struct evl_monitor_waitreq){ .timeout_ptr = (uintptr_t)&never, .gatefd = -1 };
	return oob_ioctl(fd, EVL_MONIOC_WAIT, addr) < 0 ? -errno : 0;
}

static int open_timer(void)
{
	return new_timer();
}

static int read_timer(int fd, void *addr)
{
	arm(fd, now() + NSEC_PER_MSEC);
	return oob_read(fd, addr, 8) < 0 ? -errno : 0;
}

/* The timer is set all the same, and goes. */
static int set_timer(int fd, void *addr)
{
	static struct __evl_itimerspec its = { .it_value.tv_sec = 1, .it_interval.tv_nsec = 1000 };
	struct evl_timerfd_setreq *req = (void *)content;

	*req = (struct evl_timerfd_setreq){ .value_ptr = (uintptr_t)&its };
	return oob_ioctl(fd, EVL_TFDIOC_SET, addr) < 0 ? -errno : 0;
}

/* A group with a member which is never ready. */
static int open_group(void)
{
	int efd = check_ok(evl_attach_self("adder:%d", getpid())), fd = new_group();

	member = new_timer();
	add(fd, member, POLLIN);
	check_ok(evl_detach_self());
	close(efd);
	return fd;
}

static int wait_group(int fd, void *addr)
{
	static const struct __evl_timespec never;
	static struct evl_poll_event ev;
	struct evl_poll_waitreq *req = (void *)content;

	*req = (struct evl_poll_waitreq){ .timeout_ptr = (uintptr_t)&never, .pollset_ptr = (uintptr_t)&ev, .nrset = 1 };
	return oob_ioctl(fd, EVL_POLIOC_WAIT, addr) < 0 ? -errno : 0;
}

static int open_proxy(void)
{
	check_sys(pipe(pipe_fds));
	return check_ok(evl_new_proxy(pipe_fds[1], 1024, "stalled:%d", getpid()));
}

static int write_proxy(int fd, void *addr)
{
	return oob_write(fd, addr, 8) < 0 ? -errno : 0;
}

static int open_control(void)
{
	return check_sys(open("/dev/evl/control", O_RDWR));
}

static int ask_control(int fd, void *addr)
{
	return oob_ioctl(fd, EVL_CTLIOC_GET_COREINFO, addr) < 0 ? -errno : 0;
}

/* --- Threads which stall --------------------------------------------------------------------------------- */

struct stall {
	const struct subject *subject;
	struct worker w;
	atomic_bool go;
	int fd;
};

static void make_request(struct worker *w)
{
	struct stall *s = w->arg;

	attach_worker(w);
	check_ok(evl_switch_inband());
	await(atomic_load(&s->go));
	w->result = s->subject->request(s->fd, page.addr);
	check_ok(evl_detach_self());
	close(w->efd);
}

/* A new file, and a thread which is going to make a request. */
static void start_stall(struct stall *s, const struct subject *subject)
{
	check_ok(evl_init());
	memset(s, 0, sizeof(*s));
	s->subject = subject;
	s->fd = subject->open();
	s->w.body = make_request;
	s->w.name = "staller";
	s->w.prio = 10;
	s->w.cpu = other_cpu();
	s->w.arg = s;
	start_worker(&s->w);
	await(atomic_load(&s->w.attached));
}

/* It is in the middle of it, until end_stall(). */
static void let_stall(struct stall *s)
{
	/* Who attaches has its memory locked. */
	check_sys(munlockall());
	new_fault_page(&page);
	atomic_store(&s->go, true);
	await_fault(&page);
}

static int end_stall(struct stall *s)
{
	resolve_fault(&page, content);
	join_worker(&s->w);
	return s->w.result;
}

/* --- Closing by others ------------------------------------------------------------------------------------- */

struct closer {
	int sock;
	int fd;
	pid_t pid;
};

static void close_when_told(void *arg)
{
	struct closer *c = arg;
	char byte;

	if (read(c->sock, &byte, 1) == 1) {
		close(c->fd);
		check_eq(write(c->sock, "c", 1), 1);
	}
}

/* A process which has @fd, and nothing to do with it. */
static void start_closer(struct closer *c, int fd)
{
	int socks[2];

	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	*c = (struct closer){ .sock = socks[1], .fd = fd };
	c->pid = fork_child(close_when_told, c);
	close(socks[1]);
	c->sock = socks[0];
}

static void expect_closed_at_once(struct closer *c)
{
	struct pollfd pfd = { .fd = c->sock, .events = POLLIN };

	check_eq(write(c->sock, "c", 1), 1);
	if (poll(&pfd, 1, patience(AT_ONCE) * 1000) != 1)
		check_fail("close() does not return");
	wait_success(c->pid);
	close(c->sock);
}

/* Result of the request, which goes on afterwards. */
static int close_by_another(const struct subject *subject)
{
	int refs = (check_ok(evl_init()), module_refs());
	struct closer closer;
	struct stall stall;
	int ret;

	start_stall(&stall, subject);
	start_closer(&closer, stall.fd);
	let_stall(&stall);
	/* Not the last one. */
	close(stall.fd);
	expect_closed_at_once(&closer);
	ret = end_stall(&stall);
	close(member);
	/* Nothing is left of it. */
	await(module_refs() <= refs);

	return ret;
}

static void closes_flags(void)
{
	static const struct subject subject = { open_flags, read_flags };

	check_eq(close_by_another(&subject), 0);
	await(!has_element("monitor", own_name("stalled")));
}

static void begins_no_wait(void)
{
	static const struct subject subject = { open_flags, wait_flags };

	check_eq(close_by_another(&subject), -EIDRM);
	await(!has_element("monitor", own_name("stalled")));
}

static void closes_timer(void)
{
	static const struct subject subject = { open_timer, read_timer };

	check_eq(close_by_another(&subject), 0);
}

static void timer_is_set(void)
{
	static const struct subject subject = { open_timer, set_timer };

	check_eq(close_by_another(&subject), 0);
}

static void closes_group(void)
{
	static const struct subject subject = { open_group, wait_group };

	check_eq(close_by_another(&subject), -EIDRM);
}

static void closes_proxy(void)
{
	static const struct subject subject = { open_proxy, write_proxy };
	char buf[16];

	strcpy(content, "for you");
	check_eq(close_by_another(&subject), 0);
	await(!has_element("proxy", own_name("stalled")));
	/* Written late, and not lost. */
	check_eq(read(pipe_fds[0], buf, sizeof(buf)), 8);
	check_str(buf, "for you");
}

static void closes_control(void)
{
	static const struct subject subject = { open_control, ask_control };

	check_eq(close_by_another(&subject), 0);
}

static void polled_meanwhile(void)
{
	static const struct subject subject = { open_flags, read_flags };
	struct closer closer;
	struct stall stall;
	struct waiter poller;
	int group;

	check_ok(evl_attach_self("adder:%d", getpid()));
	group = new_group();
	start_stall(&stall, &subject);
	start_closer(&closer, stall.fd);
	add(group, stall.fd, POLLPRI);
	start_waiter(&poller, "poller", group);
	let_stall(&stall);
	close(stall.fd);
	expect_closed_at_once(&closer);
	check_eq(finish_waiter(&poller), 1);
	check_eq(poller.ev.events, POLLNVAL);
	check_eq(end_stall(&stall), 0);
}

/* --- Descriptors which were sent ---------------------------------------------------------------------------- */

/* It stalls for good, and leaves the last descriptor to somebody else. */
static void attack(void *arg)
{
	static const struct subject subject = { open_flags, read_flags };
	int sock = *(int *)arg;
	struct stall stall;

	start_stall(&stall, &subject);
	let_stall(&stall);
	send_fd(sock, stall.fd);
	close(stall.fd);
	check_eq(write(sock, "c", 1), 1);
	pause();
}

static void close_received(void *arg)
{
	int sock = *(int *)arg, fd = receive_fd(sock);
	char byte;

	check_eq(read(sock, &byte, 1), 1);
	close(fd);
}

static void killed_afterwards(void)
{
	int refs = module_refs(), socks[2], status;
	pid_t attacker, victim;

	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	attacker = fork_child(attack, &socks[0]);
	victim = fork_child(close_received, &socks[1]);
	if (!reap_within(victim, &status, patience(20 + AT_ONCE)))
		check_fail("close() does not return");
	check_eq(status, 0);
	check_ne(first_element("monitor"), NULL);
	kill(attacker, SIGKILL);
	wait_signal(attacker, SIGKILL);
	await(!first_element("monitor"));
	await(module_refs() <= refs);
}

/* --- Closing by the process itself ---------------------------------------------------------------------------- */

static int wait_some(struct puppet *p)
{
	int bits;

	return evl_wait_some_flags(p->arg, 1, &bits);
}

static void name_is_free(void)
{
	struct puppet p;

	check_ok(evl_init());
	start_puppet(&p, "waiter", 10, other_cpu());
	for (int n = 0; n < 20; n++) {
		check_ok(evl_new_flags(&flags, "/again:%d", getpid()));
		begin_wait(&p, wait_some, &flags);
		check_ok(evl_close_flags(&flags));
		check(!has_node("monitor", own_name("again")));
		check_eq(result(&p), -EIDRM);
	}
	end_puppet(&p);
}

static void waits_no_longer(void)
{
	static const struct subject subject = { open_flags, read_flags };
	struct stall stall;

	start_stall(&stall, &subject);
	let_stall(&stall);
	close(stall.fd);
	check(has_element("monitor", own_name("stalled")));
	check_eq(end_stall(&stall), 0);
	await(!has_element("monitor", own_name("stalled")));
}

static const struct CMUnitTest tests[] = {
	TEST(closes_flags, "a process which closes flags last does not wait for a request of another"),
	TEST(begins_no_wait, "a request which goes on afterwards does not begin to wait: -EIDRM"),
	TEST(closes_timer, "nor does who closes a timer"),
	TEST(timer_is_set, "nor a timer which is set by the request: it goes"),
	TEST(closes_group, "nor a poll group: -EIDRM"),
	TEST(closes_proxy, "nor a proxy, whose target gets what is written late"),
	TEST(closes_control, "nor the control device"),
	TEST(polled_meanwhile, "who polls the file is told at once: POLLNVAL"),
	TEST(killed_afterwards, "killing who is in the request has all of it go"),
	TEST(name_is_free, "threads of the process itself are gone when it closed the file, and its name is free"),
	TEST(waits_no_longer, "unless they do not come out"),
};

TEST_MAIN("close", tests)
