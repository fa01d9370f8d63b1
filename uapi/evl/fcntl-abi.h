/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * File and socket flags which ask for out-of-band capability.
 */
#ifndef _EVL_UAPI_FCNTL_ABI_H
#define _EVL_UAPI_FCNTL_ABI_H

/* A Dovetail kernel may define these for itself, to the same values. */
#ifndef O_OOB
#define O_OOB		010000000000
#endif

#ifndef SOCK_OOB
#define SOCK_OOB	O_OOB
#endif

#endif /* _EVL_UAPI_FCNTL_ABI_H */
