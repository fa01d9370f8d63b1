// SPDX-License-Identifier: GPL-2.0-only
/*
 * What output costs an out-of-band thread. Its in-band part, the relay, waits for the CPU meanwhile: the ring has room
 * for all.
 */
#include "bench.h"
#include <evl/proxy.h>

#define WRITES		100
#define LONGEST		256
#define RING		(WRITES * LONGEST * (ROUNDS + 4))

static int new_proxy(void)
{
	int target = must(open("/dev/null", O_WRONLY)), fd;

	fd = must(evl_create_proxy(target, RING, 0, EVL_CLONE_OUTPUT, "bench-proxy:%d", getpid()));
	close(target);

	return fd;
}

static void run_write(size_t size)
{
	static const char text[LONGEST];
	int fd = new_proxy();
	char name[64];

	snprintf(name, sizeof(name), "proxy_oob_write_%zu", size);
	must(evl_switch_oob());
	measure(name, WRITES, must(evl_write_proxy(fd, text, size)));
	close(fd);
}

/* What evl_printf() does, but not to the stream which results go to. */
static void run_print(void)
{
	int fd = new_proxy();

	must(evl_switch_oob());
	measure("proxy_oob_print", WRITES, must(evl_print_proxy(fd, "value %7d\n", 1234567)));
	close(fd);
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	must(mlockall(MCL_CURRENT | MCL_FUTURE));
	become_fifo(MAIN_PRIO);
	must(evl_attach_self("bench-proxy:%d", getpid()));
	must(evl_switch_inband());
	run_write(16);
	must(evl_switch_inband());
	run_write(LONGEST);
	must(evl_switch_inband());
	run_print();
	must(evl_detach_self());

	return 0;
}
