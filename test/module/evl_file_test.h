/* SPDX-License-Identifier: GPL-2.0-only */
/* What test/suite/kfile.c asks of evl_file_test.ko, from either stage. */
#ifndef EVL_FILE_TEST_H
#define EVL_FILE_TEST_H

#include <linux/types.h>
#include <linux/ioctl.h>

#define EVL_FILE_TEST_DEVICE	"/dev/evl_file_test"

struct evl_file_test_sum {
	__u32 a, b;
	__u64 sum;
};

/* The stage exclusion lock of the file. */
#define FILE_TEST_LOCK		_IO('~', 1)
#define FILE_TEST_TRYLOCK	_IO('~', 2)
#define FILE_TEST_UNLOCK	_IO('~', 3)
/* Its events: more of them, none, those of the file behind another descriptor. */
#define FILE_TEST_RAISE		_IO('~', 4)
#define FILE_TEST_CLEAR		_IO('~', 5)
#define FILE_TEST_RAISE_OTHER	_IO('~', 6)
/* How many poll groups watch it. */
#define FILE_TEST_WATCHES	_IO('~', 7)
#define FILE_TEST_SUM		_IOWR('~', 8, struct evl_file_test_sum)
/* How many times as long it takes to find the file behind a descriptor when there are 400,000 more; in tenths. */
#define FILE_TEST_CROWD		_IO('~', 9)
/* Whether those who map the device are kept waiting, with their memory map locked; how many are. */
#define FILE_TEST_KEEP_MAPPERS	_IO('~', 10)
#define FILE_TEST_NR_MAPPERS	_IO('~', 11)
/* From now on, it signals events whenever it is asked for them, and has none. Before it is polled. */
#define FILE_TEST_RESTLESS	_IO('~', 12)

#endif /* !EVL_FILE_TEST_H */
