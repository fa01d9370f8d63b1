/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * GPIO lines which serve out-of-band requests.
 */
#ifndef _EVL_UAPI_DEVICES_GPIO_ABI_H
#define _EVL_UAPI_DEVICES_GPIO_ABI_H

#ifndef GPIOHANDLE_REQUEST_OOB
#define GPIOHANDLE_REQUEST_OOB	(1UL << 5)
#endif

#endif /* _EVL_UAPI_DEVICES_GPIO_ABI_H */
