/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* Old spelling of the ABI headers, up to level 32. */
#ifndef _EVL_UAPI_PLAIN_POLL_H
#define _EVL_UAPI_PLAIN_POLL_H
#include <evl/poll-abi.h>
#endif /* _EVL_UAPI_PLAIN_POLL_H */
