// SPDX-License-Identifier: GPL-2.0-only
/* A plugin which attaches threads, in programs which may know nothing of EVL. */
#include <evl/evl.h>

__attribute__((visibility("default"))) int attach(const char *name);

int attach(const char *name)
{
	return evl_attach_self("%s", name);
}
