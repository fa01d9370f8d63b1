/* SPDX-License-Identifier: MIT */
/*
 * libevl.a, for languages which cannot include C, and for those who look for a
 * function in a library: the calls of the headers, as functions. C programs get
 * along without.
 */
#define _GNU_SOURCE
#define __EVL_HL_LIBRARY
#include <evl/evl.h>
#include <evl/heap.h>
#include <evl/trace.h>
#include <evl/net/net.h>
