/* SPDX-License-Identifier: MIT */
/* The name which this part of the ABI has up to level 36. */
#ifndef _EVL_FWD_SIGNAL_H
#define _EVL_FWD_SIGNAL_H
#include <evl/signal-abi.h>
#endif /* _EVL_FWD_SIGNAL_H */
