// SPDX-License-Identifier: GPL-2.0-only
/* The out-of-band end of cross-buffers. */
#include <evl/xbuf.h>
#include "context.h"

void test_xbuf_get(struct context *cx)
{
	struct evl_file *efilp = NULL;
	struct evl_xbuf *xbuf = evl_get_xbuf(cx->run.xfd, &efilp);

	cx->run.result = xbuf != NULL;
	if (xbuf && expect(cx, efilp))
		evl_put_xbuf(efilp);
}

static void read_body(void *arg)
{
	struct context *cx = arg;

	cx->run.result = evl_read_xbuf(cx->xbuf, cx->buf, cx->run.size, cx->run.flags);
	expect(cx, evl_current_oob());
}

static void write_body(void *arg)
{
	struct context *cx = arg;

	cx->run.result = evl_write_xbuf(cx->xbuf, cx->buf, cx->run.size, cx->run.flags);
	expect(cx, evl_current_oob());
}

static void echo_body(void *arg)
{
	struct context *cx = arg;
	ssize_t ret = 0;
	u32 n;

	for (n = 0; n < cx->run.count; n++) {
		ret = evl_read_xbuf(cx->xbuf, cx->buf, cx->run.size, 0);
		if (ret != cx->run.size)
			break;
		ret = evl_write_xbuf(cx->xbuf, cx->buf, cx->run.size, 0);
		if (ret != cx->run.size)
			break;
	}
	cx->run.result = ret < 0 ? ret : n;
	expect(cx, evl_current_oob());
}

static void read_until_stopped(void *arg)
{
	struct context *cx = arg;

	while (evl_read_xbuf(cx->xbuf, cx->buf, 1, 0) == 1)
		;
}

/* The reference goes with the file of the driver, whatever became of that of the program. */
void test_xbuf_hold(struct context *cx)
{
	cx->xbuf = evl_get_xbuf(cx->run.xfd, &cx->efilp);
	if (!expect(cx, cx->xbuf))
		return;
	cx->run.result = evl_run_kthread(&cx->thread, read_until_stopped, cx, 50, 0, "evl_test.hold");
	if (cx->run.result)
		evl_put_xbuf(cx->efilp);
}

/* What ends it is the end of the application: nobody stops the thread. */
static void read_until_told(void *arg)
{
	struct context *cx = arg;
	ssize_t ret;

	atomic_set(&cx->asleep, 1);
	while ((ret = evl_read_xbuf(cx->xbuf, cx->buf, 4, 0)) > 0)
		cx->run.count += ret;
	cx->run.result = ret;
	/* And so it stays. */
	expect(cx, evl_read_xbuf(cx->xbuf, cx->buf, 1, 0) == ret);
	expect(cx, evl_write_xbuf(cx->xbuf, cx->buf, 1, 0) == 1);
}

void test_xbuf_gone(struct context *cx)
{
	struct evl_file *efilp;
	int ret;

	cx->xbuf = evl_get_xbuf(cx->run.xfd, &efilp);
	if (!expect(cx, cx->xbuf))
		return;
	cx->run.count = 0;
	ret = evl_run_kthread(&cx->thread, read_until_told, cx, 50, 0, "evl_test.gone");
	if (expect(cx, !ret))
		evl_join_kthread(&cx->thread);
	evl_put_xbuf(efilp);
}

static void use_xbuf(struct context *cx, void (*body)(void *))
{
	struct evl_file *efilp;

	cx->xbuf = evl_get_xbuf(cx->run.xfd, &efilp);
	if (!expect(cx, cx->xbuf))
		return;
	run_thread(cx, body);
	evl_put_xbuf(efilp);
}

/* What was read comes back as a sum of bytes, and so is told what to write. */
void test_xbuf_read(struct context *cx)
{
	u32 sum = 0;
	s64 n;

	use_xbuf(cx, read_body);
	for (n = 0; n < cx->run.result; n++)
		sum += (u8)cx->buf[n];
	cx->run.count = sum;
}

void test_xbuf_write(struct context *cx)
{
	memset(cx->buf, cx->run.count, MAX_TRANSFER);
	use_xbuf(cx, write_body);
}

void test_xbuf_echo(struct context *cx)
{
	use_xbuf(cx, echo_body);
}
