/* SPDX-License-Identifier: MIT */
/* Network devices, as the core would have them. */
#ifndef _EVL_NET_DEVICE_H
#define _EVL_NET_DEVICE_H

#include <evl/net/device-abi.h>

#endif /* _EVL_NET_DEVICE_H */
