// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output of threads under load: whoever reads is slow, or gone, and the thread which writes receives notices, or polls
 * for anything else, meanwhile.
 */
#include "group.h"
#include "notices.h"
#include "target.h"
#include <evl/sys.h>

#define RING		512
#define PIPE		4096
#define LINE_MAX_LEN	64

static int pipe_fds[2];

/* A pipe as small as it gets. */
static void new_pipe(void)
{
	check_sys(pipe(pipe_fds));
	check_sys(fcntl(pipe_fds[1], F_SETPIPE_SZ, PIPE));
}

static int narrow_output(int flags)
{
	new_pipe();
	return check_ok(evl_create_proxy(pipe_fds[1], RING, 0, EVL_CLONE_OUTPUT | flags, "out:%d", getpid()));
}

/* Takes its time, so that the pipe is full most of it. */
static bool read_line_slowly(char *line)
{
	static char buf[80];
	static ssize_t have, done;
	int len = 0;

	do {
		if (done == have) {
			nap();
			done = 0;
			have = check_sys(read(pipe_fds[0], buf, sizeof(buf)));
			if (!have)
				return false;
		}
		check_lt(len, LINE_MAX_LEN - 1);
		line[len++] = buf[done++];
	} while (line[len - 1] != '\n');
	line[len] = '\0';
	return true;
}

/* --- Order --------------------------------------------------------------------------------- */

#define NOTICES		1500
#define BACKLOG		32

/* A notice which the one who prints did not get has to be refused to who sent it. */
static struct {
	int ofd;
	bool accepted[NOTICES];
	int nr_accepted;
	atomic_bool subscribed;
	int proxyfd;
	int nr_lines;
} talk;

static void send_numbers(struct worker *w)
{
	attach_worker(w);
	for (int n = 0; n < NOTICES; n++) {
		talk.accepted[n] = send_value(talk.ofd, TAG, n) == 1;
		talk.nr_accepted += talk.accepted[n];
		check_ok(evl_usleep(50));
	}
	while (send_value(talk.ofd, TAG + 1, 0) != 1)
		check_ok(evl_usleep(1000));
}

#define say(__fmt, ...)								\
	(talk.proxyfd < 0 ? evl_printf(__fmt, ##__VA_ARGS__) :			\
	 evl_print_proxy(talk.proxyfd, __fmt, ##__VA_ARGS__))

static void print_numbers(struct worker *w)
{
	struct evl_notification nf;
	unsigned int isw;

	attach_worker(w);
	check_ok(evl_subscribe(talk.ofd, BACKLOG, 0));
	atomic_store(&talk.subscribed, true);
	check_ok(evl_switch_oob());
	isw = state_of(w->efd).isw;
	for (;;) {
		nf = receive(talk.ofd);
		if (nf.tag != TAG)
			break;
		check_gt(say("notice %u %lld\n", nf.serial, (long long)nf.event.lval), 0);
		check_gt(say("line %d\n", talk.nr_lines), 0);
		talk.nr_lines++;
	}
	check_gt(say("end\n"), 0);
	check_eq(state_of(w->efd).isw, isw);
}

/* Lines and notices take turns, each in order, and none but those which found the backlog full is missing. */
static void check_talk(void)
{
	char line[LINE_MAX_LEN];
	unsigned int serial;
	int nr, lines = 0, noticed = 0, last = -1;

	while (read_line_slowly(line) && strcmp(line, "end\n")) {
		if (sscanf(line, "line %d\n", &nr) == 1) {
			check_eq(nr, lines++);
			check_eq(lines, noticed);
			continue;
		}
		check_eq(sscanf(line, "notice %u %d\n", &serial, &nr), 2);
		/* Each was sent once: the gaps in both are the same. */
		check_eq((int)serial, nr);
		check_gt(nr, last);
		while (++last < nr)
			check(!talk.accepted[last]);
		check(talk.accepted[nr]);
		noticed++;
	}
	check_eq(lines, noticed);
	check_eq(noticed, talk.nr_accepted);
	check_eq(lines, talk.nr_lines);
}

static void run_talk(void)
{
	struct worker sender = { .body = send_numbers, .name = "sender", .prio = 10, .cpu = 0 };
	struct worker printer = { .body = print_numbers, .name = "printer", .prio = 20, .cpu = other_cpu() };

	talk.ofd = new_observable(0);
	start_worker(&printer);
	await(atomic_load(&talk.subscribed));
	start_worker(&sender);
	check_talk();
	join_worker(&sender);
	join_worker(&printer);
}

static void lines_and_notices(void)
{
	check_ok(evl_init());
	talk.proxyfd = narrow_output(0);
	run_talk();
	print_message("# %d of %d notices found room\n", talk.nr_accepted, NOTICES);
	/* Or this was no load. */
	check_lt(talk.nr_accepted, NOTICES);
	check_str(read_attr("proxy", own_name("out"), "lost"), "0 0");
}

/* The streams of the library have rings of their own. */
static void printed_and_notices(void)
{
	int out = check_sys(dup(STDOUT_FILENO));

	new_pipe();
	check_sys(dup2(pipe_fds[1], STDOUT_FILENO));
	check_ok(evl_init());
	talk.proxyfd = -1;
	run_talk();
	check_sys(dup2(out, STDOUT_FILENO));
}

static bool accepted_line[NOTICES];
static int nr_refused;

static void print_what_fits(struct worker *w)
{
	int ret;

	attach_worker(w);
	for (int n = 0; n < NOTICES; n++) {
		check_ok(evl_switch_oob());
		ret = evl_print_proxy(talk.proxyfd, "line %d, which is either there or not\n", n);
		if (ret < 0)
			check_eq(ret, -EAGAIN);
		accepted_line[n] = ret > 0;
		nr_refused += ret < 0;
		check_ok(evl_usleep(20));
	}
	while (evl_print_proxy(talk.proxyfd, "end\n") != 4)
		check_ok(evl_usleep(1000));
}

/* Who does not wait is told of each line which was refused, and those are not there, not even in part. */
static void full_refuses_lines(void)
{
	struct worker w = { .body = print_what_fits, .name = "printer", .prio = 20, .cpu = other_cpu() };
	char line[LINE_MAX_LEN], wanted[LINE_MAX_LEN];
	int last = -1, nr, seen = 0;

	check_ok(evl_init());
	talk.proxyfd = narrow_output(EVL_CLONE_NONBLOCK);
	start_worker(&w);
	while (read_line_slowly(line) && strcmp(line, "end\n")) {
		check_eq(sscanf(line, "line %d,", &nr), 1);
		snprintf(wanted, sizeof(wanted), "line %d, which is either there or not\n", nr);
		check_str(line, wanted);
		while (++last < nr)
			check(!accepted_line[last]);
		check(accepted_line[nr]);
		seen++;
	}
	join_worker(&w);
	check_gt(nr_refused, 0);
	check_eq(seen, NOTICES - nr_refused);
}

/* --- The reader goes --------------------------------------------------------------------------- */

#define CHUNKS	100
#define CHUNK	256

static atomic_int nr_written;

static void write_chunks(struct worker *w)
{
	char buf[CHUNK] = "";

	attach_worker(w);
	check_ok(evl_switch_oob());
	for (int n = 0; n < CHUNKS; n++) {
		check_eq(evl_write_proxy(talk.proxyfd, buf, CHUNK), CHUNK);
		atomic_fetch_add(&nr_written, CHUNK);
	}
	w->result = evl_is_inband();
}

static int pipe_fill(void)
{
	int count;

	check_sys(ioctl(pipe_fds[0], FIONREAD, &count));
	return count;
}

/* What the pipe has, once it and the ring have no room left for what is written, and the relay does not move. */
static int await_full(int nr_read)
{
	int fill, steady = 0;

	do {
		nap();
		fill = pipe_fill();
		steady = nr_read + fill + RING == atomic_load(&nr_written) ? steady + 1 : 0;
	} while (steady < 30);
	check_gt(fill, PIPE - RING);
	return fill;
}

/* With the pipe full, and the ring, and a writer in line: it goes on, and what is lost is counted to the byte. */
static void reader_goes(void)
{
	struct worker w = { .body = write_chunks, .name = "writer", .prio = 20, .cpu = other_cpu() };
	char lost[32];
	int kept;

	check_ok(evl_init());
	talk.proxyfd = narrow_output(0);
	start_worker(&w);
	kept = await_full(0);
	check(worker_sleeps(&w));
	check_str(read_attr("proxy", own_name("out"), "lost"), "0 0");
	close(pipe_fds[0]);
	join_worker(&w);
	check_eq(w.result, 0);
	snprintf(lost, sizeof(lost), "%d %d", CHUNKS * CHUNK - kept, -EPIPE);
	await(!strcmp(read_attr("proxy", own_name("out"), "lost"), lost));
}

static void print_into_the_void(struct worker *w)
{
	attach_worker(w);
	check_ok(evl_switch_oob());
	/* More than any ring there is. */
	for (int n = 0; n < 20000; n++) {
		check_eq(evl_printf("nobody is there to read line %6d\n", n), 36);
		if (n % 100 == 0)
			check_ok(evl_usleep(100));
	}
	w->result = evl_is_inband();
}

/* No signal, no error, no wait without end: a program does not suffer from a log which broke. */
static void log_breaks(void)
{
	struct worker w = { .body = print_into_the_void, .name = "logger", .prio = 20, .cpu = other_cpu() };
	int out = check_sys(dup(STDOUT_FILENO));

	new_pipe();
	check_sys(dup2(pipe_fds[1], STDOUT_FILENO));
	check_ok(evl_init());
	start_worker(&w);
	await(pipe_fill() > 0);
	close(pipe_fds[0]);
	join_worker(&w);
	check_eq(w.result, 0);
	check_sys(dup2(out, STDOUT_FILENO));
}

/* --- Polled with others ---------------------------------------------------------------------------- */

enum { OUTPUT, INPUT, NOTICE, XBUF, SEM, NR_KINDS };

#define TURNS	200

/* A group of everything, and what came by each. */
static struct {
	int group, fds[NR_KINDS], in[2];
	struct evl_sem sem;
	atomic_int came[NR_KINDS];
	atomic_bool ready, stop;
} mix;

static void take_input(int fd)
{
	char c;

	check_eq(oob_read(fd, &c, 1), 1);
	check_eq(c, 'i');
}

static void take(int kind)
{
	switch (kind) {
	case OUTPUT:
		check_eq(evl_write_proxy(mix.fds[OUTPUT], "123456789abcdef\n", 16), 16);
		atomic_fetch_add(&nr_written, 16);
		break;
	case INPUT:
	case XBUF:
		take_input(mix.fds[kind]);
		break;
	case NOTICE:
		receive(mix.fds[NOTICE]);
		break;
	case SEM:
		check_ok(evl_tryget_sem(&mix.sem));
		break;
	}
	atomic_fetch_add(&mix.came[kind], 1);
}

static void add_all(void)
{
	add(mix.group, mix.fds[OUTPUT], POLLOUT);
	for (int kind = INPUT; kind < NR_KINDS; kind++)
		add(mix.group, mix.fds[kind], POLLIN);
}

static int kind_of(const struct evl_poll_event *ev)
{
	for (int kind = 0; kind < NR_KINDS; kind++) {
		if (mix.fds[kind] == (int)ev->fd) {
			check_eq(ev->events, kind == OUTPUT ? POLLOUT : POLLIN);
			check_eq(ev->pollval.lval, ev->fd);
			return kind;
		}
	}
	check_fail("event of descriptor %u", ev->fd);
}

/* The only one who takes anything: what is reported is there, without a wait. */
static void poll_all(struct worker *w)
{
	struct evl_poll_event evs[NR_KINDS];
	int nr;

	attach_worker(w);
	check_ok(evl_subscribe(mix.fds[NOTICE], TURNS, 0));
	check_ok(evl_switch_oob());
	add_all();
	atomic_store(&mix.ready, true);
	while (!atomic_load(&mix.stop)) {
		nr = poll_for(mix.group, evs, NR_KINDS, 5 * NSEC_PER_MSEC);
		if (nr == -ETIMEDOUT)
			continue;
		check_gt(nr, 0);
		for (int n = 0; n < nr; n++)
			take(kind_of(&evs[n]));
	}
}

static void give(int kind)
{
	switch (kind) {
	case INPUT:
		check_eq(write(mix.in[1], "i", 1), 1);
		break;
	case NOTICE:
		check_eq(send_value(mix.fds[NOTICE], TAG, 1), 1);
		break;
	case XBUF:
		check_eq(write(mix.fds[XBUF], "i", 1), 1);
		break;
	case SEM:
		check_ok(evl_put_sem(&mix.sem));
		break;
	}
}

static void make_mix(void)
{
	check_ok(evl_init());
	check_sys(pipe(mix.in));
	mix.group = new_group();
	mix.fds[OUTPUT] = narrow_output(0);
	mix.fds[INPUT] = check_ok(evl_create_proxy(mix.in[0], 256, 0, EVL_CLONE_INPUT, "in:%d", getpid()));
	mix.fds[NOTICE] = new_observable(0);
	mix.fds[XBUF] = new_xbuf(TURNS);
	check_ok(evl_new_sem(&mix.sem, "sem:%d", getpid()));
	mix.fds[SEM] = mix.sem.monitor.efd;
}

static void polled_with_others(void)
{
	struct worker w = { .body = poll_all, .name = "poller", .prio = 20, .cpu = other_cpu() };
	int given[NR_KINDS] = { 0 }, full, nr_read = 0;
	char buf[PIPE];

	make_mix();
	start_worker(&w);
	await(atomic_load(&mix.ready));
	await_full(0);
	full = atomic_load(&mix.came[OUTPUT]);
	/* One kind each, with no room for output. */
	for (int kind = INPUT; kind < NR_KINDS; kind++) {
		give(kind);
		given[kind]++;
		await(atomic_load(&mix.came[kind]) == 1);
	}
	check_eq(atomic_load(&mix.came[OUTPUT]), full);
	/* Then any at once, while there is room now and then. */
	for (int turn = 0; turn < TURNS; turn++) {
		for (int kind = INPUT; kind < NR_KINDS; kind++) {
			if (rand() % 3)
				continue;
			give(kind);
			given[kind]++;
		}
		if (turn % 20 == 0)
			nr_read += check_sys(read(pipe_fds[0], buf, sizeof(buf)));
	}
	for (int kind = INPUT; kind < NR_KINDS; kind++)
		await(atomic_load(&mix.came[kind]) == given[kind]);
	await_full(nr_read);
	check_gt(atomic_load(&mix.came[OUTPUT]), full);
	atomic_store(&mix.stop, true);
	join_worker(&w);
	/* Nor did anything come twice. */
	for (int kind = INPUT; kind < NR_KINDS; kind++)
		check_eq(atomic_load(&mix.came[kind]), given[kind]);
	close(pipe_fds[0]);
}

static const struct CMUnitTest tests[] = {
	TEST(lines_and_notices, "lines and notices of a slow log: in order, and no loss which nobody was told of"),
	TEST(printed_and_notices, "the same through evl_printf()"),
	TEST(full_refuses_lines, "who does not wait is refused whole lines: -EAGAIN"),
	TEST(reader_goes, "a reader which goes lets a writer go on, and its loss is counted"),
	TEST(log_breaks, "evl_printf() goes on without a reader"),
	TEST(polled_with_others, "polled with an observable, a cross-buffer and a semaphore, each event is seen once"),
};

TEST_MAIN("proxy-load", tests)
