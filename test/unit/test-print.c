// SPDX-License-Identifier: GPL-2.0-only
/* Printing before evl_init(): to standard error, and with the right counts. */
#include "unit.h"
#include <fcntl.h>
#include <evl/proxy.h>

static int saved_stderr, from_stderr;
static char text[4096];

/* Makes fd 2 the end of a pipe. */
static int capture(void **state)
{
	int fds[2];

	(void)state;
	if (pipe(fds) || fcntl(fds[0], F_SETFL, O_NONBLOCK))
		return -1;
	saved_stderr = dup(2);
	dup2(fds[1], 2);
	close(fds[1]);
	from_stderr = fds[0];

	return 0;
}

static int release(void **state)
{
	(void)state;
	dup2(saved_stderr, 2);
	close(saved_stderr);
	close(from_stderr);

	return 0;
}

static ssize_t printed(void)
{
	ssize_t ret;

	memset(text, 0, sizeof(text));
	ret = read(from_stderr, text, sizeof(text) - 1);
	return ret < 0 ? 0 : ret;
}

static ssize_t __evl_printf(1, 2) call_vprintf(const char *fmt, ...)
{
	va_list ap;
	ssize_t ret;

	va_start(ap, fmt);
	ret = evl_vprintf(fmt, ap);
	va_end(ap);

	return ret;
}

static void test_counts(void **state)
{
	(void)state;
	assert_int_equal(evl_printf("hello %d\n", 42), 9);
	assert_int_equal(printed(), 9);
	assert_string_equal(text, "hello 42\n");

	assert_int_equal(evl_eprintf("%s", "error"), 5);
	assert_int_equal(printed(), 5);
	assert_string_equal(text, "error");

	assert_int_equal(call_vprintf("%c", 'x'), 1);
	assert_int_equal(printed(), 1);

	assert_int_equal(evl_print_proxy(-1, "%03d", 7), 3);
	assert_int_equal(printed(), 3);
	assert_string_equal(text, "007");
}

static void test_nothing(void **state)
{
	(void)state;
	assert_int_equal(evl_printf("%s", ""), 0);
	assert_int_equal(printed(), 0);
}

/* Whatever is longer is cut, and counted as cut. */
static void test_truncation(void **state)
{
	char line[3000];

	(void)state;
	memset(line, 'a', sizeof(line));
	line[1023] = '\0';
	assert_int_equal(evl_printf("%s", line), 1023);
	assert_int_equal(printed(), 1023);

	line[1023] = 'b';
	line[1024] = '\0';
	assert_int_equal(evl_printf("%s", line), 1023);
	assert_int_equal(printed(), 1023);
	assert_int_equal(text[1022], 'a');

	line[1024] = 'c';
	line[2999] = '\0';
	assert_int_equal(evl_eprintf("%s", line), 1023);
	assert_int_equal(printed(), 1023);
}

static void test_streams(void **state)
{
	(void)state;
	assert_int_equal(evl_stdout(), -EBADF);
	assert_int_equal(evl_stderr(), -EBADF);
}

static int print_without_stderr(void *arg)
{
	(void)arg;
	close(2);
	return (int)evl_printf("lost\n");
}

static void test_closed_stderr(void **state)
{
	(void)state;
	assert_int_equal(run_in_child(print_without_stderr, NULL), -EBADF);
}

/* In-band, the descriptor of a proxy is used as that of any file. */
static void test_transfers(void **state)
{
	char buf[16] = "";
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(evl_write_proxy(fds[1], "12345", 5), 5);
	assert_int_equal(evl_send_proxy(fds[1], "678", 3), 3);
	assert_int_equal(evl_print_proxy(fds[1], "%d", 90), 2);
	assert_int_equal(evl_write_proxy(fds[1], buf, 0), 0);
	assert_int_equal(evl_read_proxy(fds[0], buf, sizeof(buf)), 10);
	assert_string_equal(buf, "1234567890");
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(evl_write_proxy(fds[1], "x", 1), -EBADF);
	assert_int_equal(evl_read_proxy(fds[0], buf, 1), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counts, capture, release),
		cmocka_unit_test_setup_teardown(test_nothing, capture, release),
		cmocka_unit_test_setup_teardown(test_truncation, capture, release),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_closed_stderr),
		cmocka_unit_test(test_transfers),
	};

	return cmocka_run_group_tests_name("print", tests, NULL, NULL);
}
