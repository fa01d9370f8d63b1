/* SPDX-License-Identifier: MIT */
/* The name which this part of the ABI has up to level 36. */
#ifndef _EVL_FWD_DEVICES_GPIO_H
#define _EVL_FWD_DEVICES_GPIO_H
#include <evl/devices/gpio-abi.h>
#endif /* _EVL_FWD_DEVICES_GPIO_H */
