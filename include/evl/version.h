/* SPDX-License-Identifier: MIT */
/* Revisions of the programming interface, and the ABI levels it speaks. */
#ifndef _EVL_VERSION_H
#define _EVL_VERSION_H

#include <evl/control-abi.h>

/* Level of the programming interface, in the numbering of libevl. */
#define __EVL__			27

/*
 * Levels of the core which we can talk to: the current form of requests came
 * with the first, the second is the last to know the older form only.
 */
#define EVL_ABI_PREREQ		36
#define EVL_ABI_PREREQ_OLD	32

#if EVL_ABI_LEVEL < EVL_ABI_PREREQ || EVL_ABI_BASE > EVL_ABI_PREREQ
#error "the ABI headers do not match this library"
#endif

#define EVL_VERSION_STRING	"evl.0.50"

#endif /* _EVL_VERSION_H */
