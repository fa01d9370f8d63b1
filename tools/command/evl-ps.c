// SPDX-License-Identifier: GPL-2.0-only
/*
 * evl ps: what the threads of the core are doing.
 *
 * All comes from sysfs. Threads come and go meanwhile: one which left before all
 * was read is not there, and nobody hears of it. Reading the statistics of a
 * thread begins its next period of measurement (%CPU), so that they are read only
 * if somebody asked for them.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <evl/thread-abi.h>

#define NSEC_PER_USEC	1000ULL
#define USEC_PER_SEC	1000000ULL

struct thread {
	char name[NAME_MAX + 1];
	char class[32], wchan[128];
	int cpu, prio, pid;
	unsigned int state;
	unsigned long isw, ctxsw, sys, rwa;
	unsigned long long timeout;	/* ns */
	unsigned long long cputime;	/* ns */
	unsigned int usage;		/* 1/1000 of a CPU */
};

/* What is shown, as bits, in the order of the columns. */
enum {
	COL_POLICY = 1 << 0,
	COL_SWITCHES = 1 << 1,
	COL_WAIT = 1 << 2,	/* a timeout too, beside what else tells of a wait */
	COL_RWA = 1 << 3,
	COL_STATE = 1 << 4,
	COL_TIMEOUT = 1 << 5,
	COL_USAGE = 1 << 6,
	COL_WCHAN = 1 << 7,
};

#define FORMAT_POLICY	COL_POLICY
#define FORMAT_STATE	(COL_SWITCHES | COL_RWA | COL_STATE)
#define FORMAT_TIMES	(COL_TIMEOUT | COL_USAGE)
#define FORMAT_WAIT	(COL_WAIT | COL_RWA | COL_STATE | COL_WCHAN)
#define FORMAT_LONG	(FORMAT_POLICY | FORMAT_STATE | FORMAT_TIMES | COL_WCHAN)

/* Columns made of "stats". */
#define COLS_OF_STATS	(COL_SWITCHES | COL_RWA | COL_USAGE)

static unsigned int columns;
static bool numeric, backwards;
static char sort_key;

static struct { long first, last; } *cpu_ranges;
static size_t cpu_nranges;

static struct thread *threads;
static size_t nthreads;

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *fmt, ...)
{
	va_list ap;

	fputs("evl ps: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void *grow(void *array, size_t nr, size_t size)
{
	/* Powers of two: a caller which has as many as that needs room. */
	if (nr & (nr - 1))
		return array;

	array = reallocarray(array, nr ? 2 * nr : 1, size);
	if (!array)
		die("out of memory");

	return array;
}

/* --- Reading ------------------------------------------------------------------ */

enum verdict { READ_IT, GONE, DENIED, ILL };

static const char *const complaints[] = {
	[DENIED] = "no right to read about a thread",
	[ILL] = "what this core tells of a thread is unknown here",
};

/* Reads a line of sysfs, without its end. */
static enum verdict read_attr(int dir, const char *thread, const char *attr, char *line, size_t size)
{
	char path[NAME_MAX + 32];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", thread, attr);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		do
			len = read(fd, line, size - 1);
		while (len < 0 && errno == EINTR);
		close(fd);
		if (len >= 0) {
			line[len] = '\0';
			line[strcspn(line, "\n")] = '\0';
			return READ_IT;
		}
	}

	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
	case ENOTDIR:
	case EIO:
		return GONE;
	case EPERM:
	case EACCES:
		return DENIED;
	default:
		die("cannot read %s: %s", path, strerror(errno));
	}
}

static bool wants_stats(void)
{
	return (columns & COLS_OF_STATS) || sort_key;
}

/* Base priority, then the current one, which is what is shown. */
static bool parse_sched(struct thread *t, const char *line)
{
	int bprio;

	return sscanf(line, "%d %d %d %31s", &t->cpu, &bprio, &t->prio, t->class) == 4;
}

/* A core which does not measure execution times may leave the usage out. */
static bool parse_stats(struct thread *t, const char *line)
{
	return sscanf(line, "%lu %lu %lu %lu %llu %u", &t->isw, &t->ctxsw, &t->sys, &t->rwa,
		      &t->cputime, &t->usage) >= 5;
}

static bool parse_state(struct thread *t, const char *line)
{
	return sscanf(line, "%x", &t->state) == 1;
}

static bool parse_pid(struct thread *t, const char *line)
{
	return sscanf(line, "%d", &t->pid) == 1;
}

static bool parse_timeout(struct thread *t, const char *line)
{
	return sscanf(line, "%llu", &t->timeout) == 1;
}

/* Its owner may look, others are not told. */
static bool parse_wchan(struct thread *t, const char *line)
{
	return sscanf(line, "%127s", t->wchan) == 1;
}

static const struct attribute {
	const char *name;
	bool (*parse)(struct thread *t, const char *line);
	unsigned int columns;	/* which need it, 0: all do */
} attributes[] = {
	{ "sched", parse_sched, 0 },
	{ "state", parse_state, 0 },
	{ "pid", parse_pid, 0 },
	{ "timeout", parse_timeout, COL_TIMEOUT | COL_WAIT },
	{ "stats", parse_stats, COLS_OF_STATS },
	{ "wchan", parse_wchan, COL_WCHAN },
};

static bool wanted(const struct attribute *attr)
{
	return attr->columns == 0 || columns & attr->columns ||
		(attr->parse == parse_stats && wants_stats());
}

static enum verdict read_thread(int dir, struct thread *t)
{
	const struct attribute *attr;
	enum verdict verdict;
	char line[256];
	size_t n;

	strcpy(t->wchan, "?");
	for (n = 0; n < sizeof(attributes) / sizeof(attributes[0]); n++) {
		attr = &attributes[n];
		if (!wanted(attr))
			continue;
		verdict = read_attr(dir, t->name, attr->name, line, sizeof(line));
		if (verdict == DENIED && attr->parse == parse_wchan)
			continue;
		if (verdict != READ_IT)
			return verdict;
		if (!attr->parse(t, line))
			return ILL;
	}

	return READ_IT;
}

static bool cpu_wanted(int cpu)
{
	size_t n;

	for (n = 0; n < cpu_nranges; n++)
		if (cpu >= cpu_ranges[n].first && cpu <= cpu_ranges[n].last)
			return true;

	return cpu_nranges == 0;
}

/* The device which makes threads is beside them. A name may begin with a dot. */
static bool is_thread(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		strcmp(entry->d_name, "clone") != 0;
}

static DIR *open_threads(const char *sysdir)
{
	char *path;
	DIR *dir;

	if (asprintf(&path, "%s/thread", sysdir) < 0)
		die("out of memory");
	dir = opendir(path);
	if (!dir)
		die("cannot read %s: %s", path, strerror(errno));
	free(path);

	return dir;
}

static enum verdict add_thread(int dir, const char *name)
{
	enum verdict verdict;
	struct thread *t;

	threads = grow(threads, nthreads, sizeof(*threads));
	t = &threads[nthreads];
	memset(t, 0, sizeof(*t));
	strcpy(t->name, name);
	verdict = read_thread(dir, t);
	if (verdict == READ_IT && cpu_wanted(t->cpu))
		nthreads++;

	return verdict;
}

/* What is wrong with some of the threads, if anything is. The others are shown. */
static enum verdict read_threads(const char *sysdir)
{
	enum verdict verdict, worst = READ_IT;
	struct dirent *entry;
	DIR *dir;

	dir = open_threads(sysdir);
	while ((entry = readdir(dir))) {
		if (!is_thread(entry))
			continue;
		verdict = add_thread(dirfd(dir), entry->d_name);
		if (verdict != GONE && verdict > worst)
			worst = verdict;
	}
	closedir(dir);

	return worst;
}

/* --- Sorting ------------------------------------------------------------------- */

#define COMPARE(__a, __b)	(((__a) > (__b)) - ((__a) < (__b)))

static int compare_by_key(const struct thread *a, const struct thread *b)
{
	switch (sort_key) {
	case 'c':
		return COMPARE(b->usage, a->usage);
	case 'i':
		return COMPARE(b->isw, a->isw);
	case 't':
		return COMPARE(b->cputime, a->cputime);
	case 'x':
		return COMPARE(b->ctxsw, a->ctxsw);
	case 'w':
		return COMPARE(b->rwa, a->rwa);
	default:
		return 0;
	}
}

/* The largest first, or the smallest pid; what has no order is left in that of names. */
static int compare(const void *lhs, const void *rhs)
{
	const struct thread *a = lhs, *b = rhs;
	int ret = compare_by_key(a, b);

	if (ret == 0)
		ret = COMPARE(a->pid, b->pid);
	if (ret == 0)
		ret = strcmp(a->name, b->name);

	return backwards ? -ret : ret;
}

/* --- Showing ------------------------------------------------------------------- */

/* seconds:milliseconds.microseconds, from the first one which is not zero. */
static void format_timeout(unsigned long long ns, char *text, size_t size)
{
	unsigned long long us = ns / NSEC_PER_USEC;
	unsigned long long sec = us / USEC_PER_SEC;
	unsigned int ms = us / 1000 % 1000;

	us %= 1000;
	if (sec)
		snprintf(text, size, "%llu:%03u.%03llu", sec, ms, us);
	else if (ms)
		snprintf(text, size, "%u.%03llu", ms, us);
	else if (us)
		snprintf(text, size, "%llu", us);
	else
		snprintf(text, size, "   -");
}

static void show_timeout(const struct thread *t)
{
	char text[48];

	format_timeout(t->timeout, text, sizeof(text));
	printf("%-13s", text);
}

static void show_usage(const struct thread *t)
{
	unsigned long long us = t->cputime / NSEC_PER_USEC;

	printf("%3u.%u  ", t->usage / 10, t->usage % 10);
	printf("%5llu:%03llu.%03llu    ", us / USEC_PER_SEC, us / 1000 % 1000, us % 1000);
}

/* A wait with a timeout is a small w: D is for those who only sleep. */
static void format_state(unsigned int state, char *text)
{
	static const struct { unsigned int bit; char letter; } letters[] = {
		{ EVL_T_SUSP, 'S' }, { EVL_T_PEND, 'W' }, { EVL_T_DELAY, 'D' },
		{ EVL_T_WAIT, 'p' }, { EVL_T_READY, 'R' }, { EVL_T_DORMANT, 'U' },
		{ EVL_T_ZOMBIE, 'Z' }, { EVL_T_INBAND, 'X' }, { EVL_T_HALT, 'H' },
		{ EVL_T_BOOST, 'b' }, { EVL_T_PTSYNC, '#' }, { EVL_T_RRB, 'r' },
		{ EVL_T_WOSS, 't' }, { EVL_T_PTRACE, 'T' }, { EVL_T_OBSERV, 'o' },
	};
	bool timed = (state & (EVL_T_PEND | EVL_T_DELAY)) == (EVL_T_PEND | EVL_T_DELAY);
	size_t n;

	for (n = 0; n < sizeof(letters) / sizeof(letters[0]); n++) {
		if (!(state & letters[n].bit) || (timed && letters[n].bit == EVL_T_DELAY))
			continue;
		*text++ = timed && letters[n].bit == EVL_T_PEND ? 'w' : letters[n].letter;
	}
	*text = '\0';
}

static void show_state(const struct thread *t)
{
	char text[32];

	if (numeric) {
		printf(" %-8x", t->state);
		return;
	}

	format_state(t->state, text);
	printf(" %-8s", text);
}

/* Well-formed UTF-8, by its first two bytes; those which follow are 0x80 to 0xbf. */
static const struct {
	unsigned char first, last;	/* of the first byte */
	unsigned char low, high;	/* of the second one */
	unsigned int length;
} sequences[] = {
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 },
	{ 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

/* Bytes of the character which a text begins with, 0 if it is none. */
static unsigned int character_length(const unsigned char *p)
{
	unsigned int n, len = 2;

	if (*p < 0x80)
		return 1;

	for (n = 0; n < sizeof(sequences) / sizeof(sequences[0]); n++)
		if (*p >= sequences[n].first && *p <= sequences[n].last)
			break;
	if (n == sizeof(sequences) / sizeof(sequences[0]) ||
	    p[1] < sequences[n].low || p[1] > sequences[n].high)
		return 0;
	while (len < sequences[n].length && (p[len] & 0xc0) == 0x80)
		len++;

	return len == sequences[n].length ? len : 0;
}

static bool is_control(const unsigned char *p)
{
	return *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0);
}

/*
 * A name may have any character, and terminals believe some of them to be orders:
 * control characters, of which some are a byte by itself that is no UTF-8.
 */
static void show_name(const struct thread *t)
{
	bool of_kernel = !(t->state & EVL_T_USER);
	const unsigned char *p;
	unsigned int len;

	if (of_kernel)
		putchar('[');
	for (p = (const unsigned char *)t->name; *p; p += len ? len : 1) {
		len = character_length(p);
		if (len && !is_control(p))
			fwrite(p, 1, len, stdout);
		else
			putchar('?');
	}
	if (of_kernel)
		putchar(']');
	putchar('\n');
}

static void show_policy(const struct thread *t)
{
	printf("%5s   %3d   ", t->class, t->prio);
}

static void show_switches(const struct thread *t)
{
	printf("%-8lu%-10lu%-10lu", t->isw, t->ctxsw, t->sys);
}

static void show_rwa(const struct thread *t)
{
	printf("%-10lu", t->rwa);
}

static void show_wchan(const struct thread *t)
{
	printf("%-22s", t->wchan);
}

static const struct column {
	unsigned int bit;
	const char *header;
	void (*show)(const struct thread *t);
} layout[] = {
	{ COL_POLICY, "SCHED   PRIO  ", show_policy },
	{ COL_SWITCHES, "ISW     CTXSW     SYS       ", show_switches },
	{ COL_WAIT, "TIMEOUT      ", show_timeout },
	{ COL_RWA, "RWA       ", show_rwa },
	{ COL_STATE, "STAT     ", show_state },
	{ COL_TIMEOUT, "TIMEOUT      ", show_timeout },
	{ COL_USAGE, "%CPU      CPUTIME       ", show_usage },
	{ COL_WCHAN, "WCHAN                 ", show_wchan },
};

static void show_threads(void)
{
	const struct column *col, *end = layout + sizeof(layout) / sizeof(layout[0]);
	const struct thread *t;

	printf("CPU   PID   ");
	for (col = layout; col < end; col++)
		if (columns & col->bit)
			printf("%s", col->header);
	printf("NAME\n");

	for (t = threads; t < threads + nthreads; t++) {
		printf("%3d   %-6d", t->cpu, t->pid);
		for (col = layout; col < end; col++)
			if (columns & col->bit)
				col->show(t);
		show_name(t);
	}
}

/* Some errors of output show only when it is closed. */
static void end_output(void)
{
	if (ferror(stdout) || fclose(stdout))
		die("cannot write to standard output");
}

/* --- Options ------------------------------------------------------------------- */

static bool parse_cpu(const char **p, long *cpu)
{
	char *end;

	if (!isdigit((unsigned char)**p))
		return false;
	errno = 0;
	*cpu = strtol(*p, &end, 10);
	*p = end;

	return errno == 0;
}

/* "n", "a-b", "-b" or "a-": -1 for what is left out */
static bool parse_range(const char **p, long *first, long *last)
{
	*first = 0;
	if (**p != '-' && !parse_cpu(p, first))
		return false;
	*last = *first;
	if (**p != '-')
		return true;

	++*p;
	*last = LONG_MAX;
	if (isdigit((unsigned char)**p) && !parse_cpu(p, last))
		return false;

	return *first <= *last;
}

static void add_cpus(const char *list)
{
	const char *p = list, *begin;

	for (;;) {
		cpu_ranges = grow(cpu_ranges, cpu_nranges, sizeof(*cpu_ranges));
		begin = p;
		if (!parse_range(&p, &cpu_ranges[cpu_nranges].first, &cpu_ranges[cpu_nranges].last) ||
		    (p - begin == 1 && *begin == '-'))
			break;
		cpu_nranges++;
		if (!*p)
			return;
		if (*p++ != ',')
			break;
	}

	die("bad CPU number/range in '%s'", list);
}

static void set_sort_key(const char *keys)
{
	if (!*keys)
		die("bad sort key ''");

	for (; *keys; keys++) {
		if (*keys == 'r')
			backwards = true;
		else if (strchr("citxw", *keys))
			sort_key = *keys;
		else
			die("bad sort key '%c'", *keys);
	}
}

static const char help[] =
	"usage: evl ps [options]\n"
	"  -c, --cpu=<n>[,<n>...]  threads of these CPUs only; a-b, -b and a- are ranges\n"
	"  -p, --policy            class and priority (default)\n"
	"  -s, --state             switches, requests, wakeups from other CPUs, state\n"
	"  -t, --times             timeout, share of a CPU, execution time\n"
	"  -w, --wait              what threads wait for, and how long\n"
	"  -l, --long              all of that\n"
	"  -n, --numeric           state as a hexadecimal number\n"
	"  -S, --sort=<keys>       largest first: c %CPU, i ISW, t CPUTIME, x CTXSW, w RWA; r reverses\n"
	"  -h, --help              print this help\n"
	"States: S suspended, W waits for a resource, w the same with a timeout, D sleeps, p waits for\n"
	"its period, R ready, U not started, Z dead, X in-band, H halted, b boosted, # held for a\n"
	"debugger, r round-robin, t warned of stage switches, T traced, o observable.\n";

static const struct option options[] = {
	{ "cpu", required_argument, NULL, 'c' },
	{ "state", no_argument, NULL, 's' },
	{ "times", no_argument, NULL, 't' },
	{ "policy", no_argument, NULL, 'p' },
	{ "wait", no_argument, NULL, 'w' },
	{ "long", no_argument, NULL, 'l' },
	{ "numeric", no_argument, NULL, 'n' },
	{ "sort", required_argument, NULL, 'S' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static void say_and_exit(const char *text) __attribute__((noreturn));

static void say_and_exit(const char *text)
{
	fputs(text, stdout);
	end_output();
	exit(0);
}

static void parse_options(int argc, char *argv[])
{
	int c;

	while ((c = getopt_long(argc, argv, "@c:stpwlnS:h", options, NULL)) != -1) {
		switch (c) {
		case '@':
			say_and_exit("report a snapshot of the current threads\n");
		case 'c':
			add_cpus(optarg);
			break;
		case 's':
			columns |= FORMAT_STATE;
			break;
		case 't':
			columns |= FORMAT_TIMES;
			break;
		case 'p':
			columns |= FORMAT_POLICY;
			break;
		case 'w':
			columns |= FORMAT_WAIT;
			break;
		case 'l':
			columns |= FORMAT_LONG;
			break;
		case 'n':
			numeric = true;
			break;
		case 'S':
			set_sort_key(optarg);
			break;
		case 'h':
			say_and_exit(help);
		default:
			exit(2);
		}
	}

	if (optind < argc)
		die("unexpected argument '%s'", argv[optind]);
	if (!columns)
		columns = FORMAT_POLICY;
	/* Once is enough. */
	if (columns & COL_TIMEOUT)
		columns &= ~COL_WAIT;
}

static void check_core(void)
{
	const char *root = getenv("EVL_ROOT") ?: "";
	char *path;

	if (asprintf(&path, "%s/dev/evl/control", root) < 0)
		die("out of memory");
	if (access(path, F_OK))
		die("EVL core is not present/enabled");
	free(path);
}

int main(int argc, char *argv[])
{
	const char *sysdir;
	enum verdict worst;

	/* Else a file of ours would take its place. */
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
		die("standard output is closed");

	argv[0] = "evl ps";
	parse_options(argc, argv);

	sysdir = getenv("EVL_SYSDIR");
	if (!sysdir)
		die("run this as 'evl ps'");
	check_core();

	worst = read_threads(sysdir);
	if (nthreads)
		qsort(threads, nthreads, sizeof(*threads), compare);
	show_threads();
	end_output();
	free(threads);
	free(cpu_ranges);

	if (worst != READ_IT)
		die("%s", complaints[worst]);

	return 0;
}
