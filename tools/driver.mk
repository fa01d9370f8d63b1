# SPDX-License-Identifier: GPL-2.0-only
# For the Kbuild file of a kernel module that uses the EVL core. It finds the headers, and the symbols of evl.ko:
#
#	include /usr/src/evl-<version>/tools/driver.mk
#	obj-m := my_driver.o

evl-top := $(patsubst %/tools/,%,$(dir $(lastword $(MAKEFILE_LIST))))
evl-host := $(if $(CONFIG_DOVETAIL),dovetail,stock)
evl-dirs := module/include uapi module/host module/host/$(evl-host)

ccflags-y += -include $(evl-top)/module/host/compat.h $(evl-dirs:%=-I$(evl-top)/%)

# Where a build in place, or one by dkms, leaves the list of symbols.
KBUILD_EXTRA_SYMBOLS += $(firstword $(wildcard $(evl-top)/module/Module.symvers $(evl-top)/Module.symvers \
	/var/lib/dkms/evl/$(shell cat $(evl-top)/VERSION)/$(KERNELRELEASE)/*/Module.symvers))
