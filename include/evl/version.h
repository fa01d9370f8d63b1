/* SPDX-License-Identifier: MIT */
/* Revisions of the programming interface, and the ABI levels it speaks. */
#ifndef _EVL_VERSION_H
#define _EVL_VERSION_H

#include <evl/detail/base.h>
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

__EVL_BEGIN_DECLS

/* What evl_get_version() tells. */
struct evl_version {
	int api_level;			/* __EVL__ */
	int abi_level;			/* EVL_ABI_PREREQ */
	const char *version_string;
};

/* Revisions of this library. Any stage, any thread. */
__evl_api struct evl_version evl_get_version(void)
{
	struct evl_version version;

	version.api_level = __EVL__;
	version.abi_level = EVL_ABI_PREREQ;
	version.version_string = EVL_VERSION_STRING;

	return version;
}

__EVL_END_DECLS

#endif /* _EVL_VERSION_H */
