// SPDX-License-Identifier: GPL-2.0-only
/* Cross-buffers under load: streams, several writers and readers, hostile buffers. */
#include "helpers.h"
#include <evl/xbuf.h>
#include <linux/userfaultfd.h>
#include <sys/syscall.h>

/* --- Streams ------------------------------------------------------------------------------- */

struct stream {
	int fd;
	int total;		/* bytes */
	int chunk;		/* largest transfer */
	bool oob;
	uint32_t sum;
};

/* A sequence which shows a byte lost, doubled or swapped. */
static uint8_t byte_at(int pos)
{
	return (uint32_t)(pos * 2654435761U) >> 24;
}

static void produce(struct worker *w)
{
	struct stream *s = w->arg;
	uint8_t buf[256];
	int pos = 0, n, i;

	if (s->oob)
		attach_worker(w);
	while (pos < s->total) {
		n = 1 + (pos * 7) % s->chunk;
		n = n < s->total - pos ? n : s->total - pos;
		for (i = 0; i < n; i++)
			buf[i] = byte_at(pos + i);
		check_eq(s->oob ? oob_write(s->fd, buf, n) : write(s->fd, buf, n), n);
		pos += n;
	}
}

static void consume(struct worker *w)
{
	struct stream *s = w->arg;
	uint8_t buf[256];
	int pos = 0, n, i;
	ssize_t got;

	if (s->oob)
		attach_worker(w);
	while (pos < s->total) {
		n = 1 + (pos * 5) % s->chunk;
		n = n < s->total - pos ? n : s->total - pos;
		got = s->oob ? oob_read(s->fd, buf, n) : read(s->fd, buf, n);
		/* Short ones are in order when a writer waits for room. */
		check_gt(got, 0);
		check_le(got, n);
		for (i = 0; i < got; i++)
			check_eq(buf[i], byte_at(pos + i));
		pos += got;
	}
}

static void run_stream(bool oob_writer, int ring, int chunk, int oob_cpu)
{
	struct stream out = { .total = 60000, .chunk = chunk, .oob = oob_writer };
	struct stream in = { .total = 60000, .chunk = chunk, .oob = !oob_writer };
	struct worker writer = { .body = produce, .name = "writer", .prio = oob_writer ? 10 : 0, .arg = &out,
				 .cpu = oob_writer ? oob_cpu : 0 };
	struct worker reader = { .body = consume, .name = "reader", .prio = oob_writer ? 0 : 10, .arg = &in,
				 .cpu = oob_writer ? 0 : oob_cpu };

	check_ok(evl_init());
	out.fd = in.fd = check_ok(evl_new_xbuf(ring, "stream:%d", getpid()));
	start_worker(&reader);
	start_worker(&writer);
	join_worker(&writer);
	join_worker(&reader);
}

static void stream_to_inband(void)
{
	run_stream(true, 1000, 250, other_cpu());
}

static void stream_to_oob(void)
{
	run_stream(false, 1000, 250, other_cpu());
}

static void stream_to_inband_on_one_cpu(void)
{
	run_stream(true, 1000, 250, 0);
}

static void stream_to_oob_on_one_cpu(void)
{
	run_stream(false, 1000, 250, 0);
}

/* Rings hardly larger than a transfer: both sides wait all the time. */
static void tight_rings(void)
{
	run_stream(true, 64, 64, other_cpu());
}

static void tight_rings_to_oob(void)
{
	run_stream(false, 64, 64, other_cpu());
}

/* --- Several writers, several readers --------------------------------------------------------- */

#define NR_RECORDS	1000

struct record {
	uint32_t writer;
	uint32_t seq;
	uint32_t fill[6];
};

struct crowd {
	int fd;
	bool oob;
	uint32_t id;
	atomic_int *left;
	uint32_t *next;		/* by writer, for a single reader */
};

static void write_records(struct worker *w)
{
	struct crowd *c = w->arg;
	struct record rec = { .writer = c->id };
	int i;

	if (c->oob)
		attach_worker(w);
	for (rec.seq = 0; rec.seq < NR_RECORDS; rec.seq++) {
		for (i = 0; i < 6; i++)
			rec.fill[i] = rec.writer * 0x1000000 + rec.seq;
		check_eq(c->oob ? oob_write(c->fd, &rec, sizeof(rec)) : write(c->fd, &rec, sizeof(rec)), sizeof(rec));
	}
}

static void check_record(struct record *rec)
{
	check_lt(rec->writer, 4);
	check_lt(rec->seq, NR_RECORDS);
	for (int i = 0; i < 6; i++)
		check_eq(rec->fill[i], rec->writer * 0x1000000 + rec->seq);
}

static void read_records(struct worker *w)
{
	struct crowd *c = w->arg;
	struct record rec;

	if (c->oob)
		attach_worker(w);
	while (atomic_fetch_sub(c->left, 1) > 0) {
		check_eq(c->oob ? oob_read(c->fd, &rec, sizeof(rec)) : read(c->fd, &rec, sizeof(rec)), sizeof(rec));
		check_record(&rec);
		if (c->next) {
			/* One writer's records keep their order. */
			check_eq(rec.seq, c->next[rec.writer]);
			c->next[rec.writer]++;
		}
	}
}

/* The ring holds a whole number of records, so that no read needs to be short. */
static void run_crowd(bool oob_writers, int nwriters, int nreaders)
{
	static const char *const names[] = { "w0", "w1", "w2", "r0", "r1" };
	atomic_int left = nwriters * NR_RECORDS;
	uint32_t next[4] = { 0 };
	struct worker w[5];
	struct crowd c[5];
	int fd, i;

	check_ok(evl_init());
	fd = check_ok(evl_new_xbuf(5 * sizeof(struct record), "crowd:%d", getpid()));
	for (i = 0; i < nwriters + nreaders; i++) {
		bool writer = i < nwriters;
		bool oob = writer == oob_writers;

		c[i] = (struct crowd){ .fd = fd, .oob = oob, .id = i, .left = &left,
				       .next = nreaders == 1 ? next : NULL };
		w[i] = (struct worker){ .body = writer ? write_records : read_records, .arg = &c[i],
					.name = names[writer ? i : 3 + i - nwriters], .prio = oob ? 10 + i : 0,
					.cpu = oob ? i & other_cpu() : 0 };
		start_worker(&w[i]);
	}
	for (i = 0; i < nwriters + nreaders; i++)
		join_worker(&w[i]);
	check_str(read_attr("xbuf", own_name("crowd"), "rings"), "0 160 0 160");
}

static void writers_do_not_mix(void)
{
	run_crowd(true, 3, 1);
}

static void inband_writers_do_not_mix(void)
{
	run_crowd(false, 3, 1);
}

static void readers_share(void)
{
	run_crowd(true, 2, 2);
}

static void oob_readers_share(void)
{
	run_crowd(false, 2, 2);
}

/* --- Hostile buffers ----------------------------------------------------------------------------- */

static char *map_pages(int count, int prot)
{
	char *pages = mmap(NULL, count * 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(pages != MAP_FAILED);
	return pages;
}

static bool is_empty(const char *rings)
{
	return !strcmp(rings, "0 8192 0 8192");
}

static void bad_pointers(void)
{
	char *edge, *readonly, *hole, *none;
	int fd;

	attach_fifo(10);
	fd = check_ok(evl_new_xbuf(8192, "hostile:%d", getpid()));
	edge = map_pages(2, PROT_READ | PROT_WRITE);
	readonly = map_pages(1, PROT_READ);
	none = map_pages(1, PROT_NONE);
	hole = map_pages(1, PROT_READ | PROT_WRITE);
	check_sys(munmap(edge + 4096, 4096));
	check_sys(munmap(hole, 4096));

	char *const unreadable[] = { NULL, (char *)1, none, hole, edge + 4096 - 3, (char *)-1L, (char *)-4096L,
				     (char *)0x7ffffffff000, (char *)0xffffffff81000000 };
	char *const unwritable[] = { NULL, (char *)1, none, hole, edge + 4096 - 3, (char *)-1L, (char *)-4096L,
				     (char *)0x7ffffffff000, (char *)0xffffffff81000000, readonly };

	for (unsigned int i = 0; i < ARRAY_SIZE(unreadable); i++) {
		/* Short and long messages take different ways. */
		check_errno(oob_write(fd, unreadable[i], 8), EFAULT);
		check_errno(write(fd, unreadable[i], 8), EFAULT);
		check_errno(oob_write(fd, unreadable[i], 6000), EFAULT);
		check_errno(write(fd, unreadable[i], 6000), EFAULT);
		/* Half a message is none. */
		check(is_empty(read_attr("xbuf", own_name("hostile"), "rings")));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(unwritable); i++) {
		char buf[8];

		check_eq(oob_write(fd, "12345678", 8), 8);
		check_errno(read(fd, unwritable[i], 8), EFAULT);
		check_eq(write(fd, "abcdefgh", 8), 8);
		check_errno(oob_read(fd, unwritable[i], 8), EFAULT);
		/* Lost or kept, what is left is whole; and the ring works. */
		set_nonblocking(fd, true);
		while (read(fd, buf, 8) == 8)
			check_eq(memcmp(buf, "12345678", 8), 0);
		check_eq(errno, EAGAIN);
		while (oob_read(fd, buf, 8) == 8)
			check_eq(memcmp(buf, "abcdefgh", 8), 0);
		check_eq(errno, EAGAIN);
		set_nonblocking(fd, false);
		check(is_empty(read_attr("xbuf", own_name("hostile"), "rings")));
	}
}

static void misaligned_buffers(void)
{
	char *pages = map_pages(4, PROT_READ | PROT_WRITE);
	int fd, offset;

	attach_fifo(10);
	fd = check_ok(evl_new_xbuf(8192, "misaligned:%d", getpid()));
	for (offset = 4096 - 40; offset < 4096 + 40; offset += 3) {
		memset(pages, 0, 4 * 4096);
		memset(pages + offset, offset, 70);
		check_eq(oob_write(fd, pages + offset, 70), 70);
		check_eq(read(fd, pages + 8192 + offset, 70), 70);
		check_eq(memcmp(pages + offset, pages + 8192 + offset, 70), 0);
		check_eq(write(fd, pages + offset, 70), 70);
		check_eq(oob_read(fd, pages + 8192 + offset + 1, 70), 70);
		check_eq(memcmp(pages + offset, pages + 8192 + offset + 1, 70), 0);
	}
}

/* Pages which are not there yet: brought in, at the price of a move in-band. */
static void missing_pages(void)
{
	char *pages = map_pages(4, PROT_READ | PROT_WRITE);
	int fd;

	attach_fifo(10);
	fd = check_ok(evl_new_xbuf(8192, "missing:%d", getpid()));
	check_sys(munlock(pages, 4 * 4096));
	for (int i = 0; i < 20; i++) {
		check_sys(madvise(pages, 4 * 4096, MADV_DONTNEED));
		check_ok(evl_switch_oob());
		check_eq(oob_write(fd, pages, 8192), 8192);
		memset(pages, 1, 8192);
		check_eq(read(fd, pages, 8192), 8192);
		for (int n = 0; n < 8192; n++)
			check_eq(pages[n], 0);
		memset(pages, i, 8192);
		check_eq(write(fd, pages, 8192), 8192);
		check_sys(madvise(pages, 4 * 4096, MADV_DONTNEED));
		check_ok(evl_switch_oob());
		check_eq(oob_read(fd, pages + 1, 8192), 8192);
		for (int n = 0; n < 8192; n++)
			check_eq(pages[1 + n], i);
	}
}

static struct {
	char *pages;
	int fd;
	atomic_bool stop;
	atomic_int faults, copies;
} unstable;

static void transfer_unstable(struct worker *w)
{
	ssize_t ret;

	attach_worker(w);
	for (int i = 0; !atomic_load(&unstable.stop); i++) {
		ret = i & 1 ? oob_read(unstable.fd, unstable.pages + 2000, 4096) :
			oob_write(unstable.fd, unstable.pages + 2000, 4096);
		if (ret == 4096) {
			atomic_fetch_add(&unstable.copies, 1);
		} else {
			check_eq(ret, -1);
			if (errno == EFAULT)
				atomic_fetch_add(&unstable.faults, 1);
			else
				check_eq(errno, EAGAIN);
		}
		/* Unmapping takes the in-band stage of this CPU, too. */
		check_ok(evl_usleep(50));
	}
}

/* The buffer comes and goes while it is copied. */
static void unmapped_meanwhile(void)
{
	struct worker w = { .body = transfer_unstable, .name = "unstable", .prio = 10, .cpu = other_cpu() };
	char buf[4096] = "";
	int i;

	check_ok(evl_init());
	unstable.pages = map_pages(2, PROT_READ | PROT_WRITE);
	unstable.fd = check_ok(evl_create_xbuf(8192, 8192, EVL_CLONE_NONBLOCK, "unstable:%d", getpid()));
	start_worker(&w);
	for (i = 0; i < 500 || !atomic_load(&unstable.faults) || !atomic_load(&unstable.copies); i++) {
		check_sys(munmap(unstable.pages + 4096, 4096));
		if (read(unstable.fd, buf, sizeof(buf)) < 0)
			check_eq(errno, EAGAIN);
		check(mmap(unstable.pages + 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			   -1, 0) != MAP_FAILED);
		if (write(unstable.fd, buf, sizeof(buf)) < 0)
			check_eq(errno, EAGAIN);
		check_sys(mprotect(unstable.pages + 4096, 4096, PROT_READ));
		check_sys(mprotect(unstable.pages + 4096, 4096, PROT_READ | PROT_WRITE));
	}
	atomic_store(&unstable.stop, true);
	join_worker(&w);
}

/* --- Readers who stop in the middle ----------------------------------------------------------- */

/* A page which is not there until its owner gives it: whoever touches it waits. */
static char *absent_page(int *uffd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(page != MAP_FAILED);
	*uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (*uffd < 0)
		check_skip("no userfaultfd: %s", strerror(errno));
	check_sys(ioctl(*uffd, UFFDIO_API, &api));
	reg.range.start = (uintptr_t)page;
	reg.range.len = 4096;
	check_sys(ioctl(*uffd, UFFDIO_REGISTER, &reg));
	/* Memory of an EVL process is locked, and there at once. */
	check_sys(munlock(page, 4096));
	check_sys(madvise(page, 4096, MADV_DONTNEED));
	return page;
}

struct stalled {
	int fd;
	char *page;
	bool oob;
};

static void read_into_absent(struct worker *w)
{
	struct stalled *s = w->arg;

	if (s->oob)
		attach_worker(w);
	w->result = s->oob ? oob_read(s->fd, s->page, 100) : read(s->fd, s->page, 100);
}

/* What comes next in the ring is for others meanwhile, and so is space, in its order. */
static void stalled_reader(bool oob)
{
	struct stalled s = { .oob = oob };
	struct worker w = { .body = read_into_absent, .name = "stalled", .prio = 10, .cpu = other_cpu(), .arg = &s };
	struct uffdio_zeropage zero = { .range = { .len = 4096 } };
	struct uffd_msg msg;
	char buf[200];
	int uffd;

	attach_fifo(20);
	s.fd = check_ok(evl_create_xbuf(256, 256, 0, "stalled:%d", getpid()));
	s.page = absent_page(&uffd);
	for (int i = 0; i < 200; i++)
		buf[i] = i;
	check_eq(oob ? write(s.fd, buf, 200) : oob_write(s.fd, buf, 200), 200);
	start_worker(&w);
	check_eq(read(uffd, &msg, sizeof(msg)), sizeof(msg));
	memset(buf, 0, sizeof(buf));
	check_eq(oob ? oob_read(s.fd, buf, 60) : read(s.fd, buf, 60), 60);
	for (int i = 0; i < 60; i++)
		check_eq((unsigned char)buf[i], 100 + i);
	/* 40 bytes to be read, and those which the other reader has in hand. */
	set_nonblocking(s.fd, true);
	check_eq(oob ? write(s.fd, buf, 57) : oob_write(s.fd, buf, 57), -1);
	check_eq(oob ? write(s.fd, buf, 56) : oob_write(s.fd, buf, 56), 56);
	set_nonblocking(s.fd, false);
	zero.range.start = (uintptr_t)s.page;
	check_sys(ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	join_worker(&w);
	check_eq(w.result, 100);
	for (int i = 0; i < 100; i++)
		check_eq(s.page[i], i);
	check_eq(oob ? write(s.fd, buf, 160) : oob_write(s.fd, buf, 160), 160);
}

static void stalled_reader_oob(void)
{
	stalled_reader(true);
}

static void stalled_reader_inband(void)
{
	stalled_reader(false);
}

static const struct CMUnitTest tests[] = {
	TEST(stream_to_inband, "a stream to the in-band side arrives byte by byte"),
	TEST(stream_to_oob, "so does one to the out-of-band side"),
	TEST(stream_to_inband_on_one_cpu, "also with both sides on one CPU, to in-band"),
	TEST(stream_to_oob_on_one_cpu, "and to out-of-band"),
	TEST(tight_rings, "also through a ring as large as a transfer, to in-band"),
	TEST(tight_rings_to_oob, "and to out-of-band"),
	TEST(writers_do_not_mix, "messages of several out-of-band writers stay whole and in order"),
	TEST(inband_writers_do_not_mix, "so do those of in-band writers"),
	TEST(readers_share, "several in-band readers get whole messages"),
	TEST(oob_readers_share, "so do out-of-band readers"),
	TEST(stalled_reader_oob, "an out-of-band reader which stops in the middle holds up no other one"),
	TEST(stalled_reader_inband, "nor does an in-band one"),
	TEST(bad_pointers, "bad pointers are EFAULT, and leave nothing behind"),
	TEST(misaligned_buffers, "buffers may start anywhere"),
	TEST(missing_pages, "pages of a buffer are brought in"),
	TEST(unmapped_meanwhile, "a buffer which comes and goes is an error at worst"),
};

TEST_MAIN("xbuf-data", tests)
