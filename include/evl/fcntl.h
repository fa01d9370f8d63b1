/* SPDX-License-Identifier: MIT */
/* The name which this part of the ABI has up to level 36. */
#ifndef _EVL_FWD_FCNTL_H
#define _EVL_FWD_FCNTL_H
#include <evl/fcntl-abi.h>
#endif /* _EVL_FWD_FCNTL_H */
