#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Locks of drivers: test/module/evl_sync_test.c runs the tests when it is loaded.

results=/sys/module/evl_sync_test/parameters/results

insmod /mod/evl_sync_test.ko || echo "not ok 1 - the test module loads"
n=0
while read -r line what; do
	[ -n "$what" ] || continue
	n=$((n + 1))
	if [ "$line" = 0 ]; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		echo "# evl_sync_test.c:$line"
	fi
done <$results
rmmod evl_sync_test
echo "1..$n"
