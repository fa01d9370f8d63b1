/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* Spelling of the ABI headers as in a kernel tree. */
#ifndef _EVL_UAPI_PLAIN_ASM_FPTEST_H
#define _EVL_UAPI_PLAIN_ASM_FPTEST_H
#include <asm/evl/fptest.h>
#endif /* _EVL_UAPI_PLAIN_ASM_FPTEST_H */
