// SPDX-License-Identifier: GPL-2.0-only
/* A second unit of the program, and each of the plugins. */
#include <evl/evl.h>
#include "shared-probe.h"

#define EXPORT	__attribute__((visibility("default")))

EXPORT void shared_probe(struct probe *probe)
{
	probe->process = __evl_hl_home();
	probe->thread = __evl_hl_self();
	probe->self = evl_get_self();
	probe->stream = evl_stdout();
}

EXPORT int shared_init(void)
{
	return evl_init();
}
