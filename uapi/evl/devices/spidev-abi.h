/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * SPI devices which run transfers out-of-band.
 */
#ifndef _EVL_UAPI_DEVICES_SPIDEV_ABI_H
#define _EVL_UAPI_DEVICES_SPIDEV_ABI_H

#include <linux/types.h>
#include <linux/ioctl.h>

/* Offsets are those of the transfer areas in the memory mapped from the fd. */
struct spi_ioc_oob_setup {
	__u32 frame_len;
	__u32 speed_hz;
	__u8 bits_per_word;
	__u32 iobuf_len;
	__u32 tx_offset;
	__u32 rx_offset;
};

/* Same magic as the other requests of spidev. */
#define SPI_IOC_ENABLE_OOB_MODE		_IOWR('k', 50, struct spi_ioc_oob_setup)
#define SPI_IOC_DISABLE_OOB_MODE	_IO('k', 51)
#define SPI_IOC_RUN_OOB_XFER		_IO('k', 52)

#endif /* _EVL_UAPI_DEVICES_SPIDEV_ABI_H */
