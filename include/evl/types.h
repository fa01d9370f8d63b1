/* SPDX-License-Identifier: MIT */
/* The name which this part of the ABI has up to level 36. */
#ifndef _EVL_FWD_TYPES_H
#define _EVL_FWD_TYPES_H
#include <evl/types-abi.h>
#endif /* _EVL_FWD_TYPES_H */
