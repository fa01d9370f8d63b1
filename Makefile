# SPDX-License-Identifier: GPL-2.0-only

VERSION := $(shell cat VERSION)
PREFIX ?= /usr/local
KDIR ?=
# The kernel to build the module for; lists of several are for "make check".
MODULE_KDIR = $(or $(firstword $(KDIR)),/lib/modules/$(shell uname -r)/build)
UTSRELEASE = $(MODULE_KDIR)/include/generated/utsrelease.h
RELEASE = $(or $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(UTSRELEASE) 2>/dev/null),unknown)

UDEVRULESDIR ?= /usr/lib/udev/rules.d
# Headers that drivers need, laid out as here.
DRIVERDIR = $(PREFIX)/src/evl-$(VERSION)
KERNELS ?=

export KDIR ONLY SUITE BENCH JOBS BUILD

all: modules

help:
	@echo 'evl $(VERSION)'
	@echo '  make                  build evl.ko for the running kernel, or for KDIR=<build folder>'
	@echo '  make demo             latency of an out-of-band thread, in a virtual machine; KDIR= for another kernel'
	@echo '  make check            every test; KDIR="<folders>" adds kernels, ONLY=6.12 (6.12-rt, 6.1, kdir, unit)'
	@echo '                        and SUITE=<name> restrict it'
	@echo '  make bench            what operations cost, in instructions; ONLY= and KDIR= as above'
	@echo '  make install          headers, pkg-config file, commands, manual pages and udev rule; PREFIX=$(PREFIX),'
	@echo '                        DESTDIR=; SHARED=y adds libevl.so, for programs which load it'
	@echo '  make install-commands the evl command alone, for machines where nothing is built'
	@echo '  make dkms-install     the module, for every installed kernel or those in KERNELS="<releases>"'
	@echo '  make dkms-remove      undo it'
	@echo '  make clean            remove what was built; distclean also removes the kernels fetched for tests'

modules:
	tools/build-modules.sh $(MODULE_KDIR) build/$(RELEASE)
	@echo "built build/$(RELEASE)/module/evl.ko"

deps:
	@tools/setup-deps.sh

check: deps
	@test/vm/check.sh

demo: deps
	@test/vm/demo.sh

bench: deps
	@test/vm/bench.sh

installer = PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' UDEVRULESDIR='$(UDEVRULESDIR)' DRIVERDIR='$(DRIVERDIR)' \
	SHARED='$(SHARED)' tools/install.sh

install:
	@$(installer)

install-udev:
	@$(installer) udev

install-commands:
	@$(installer) commands

dkms-install: install-udev
	@tools/dkms.sh install $(KERNELS)

dkms-remove:
	@tools/dkms.sh remove

clean:
	@[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name kernels -exec rm -rf {} +

distclean:
	rm -rf build

.PHONY: all help modules deps check demo bench install install-commands install-udev dkms-install dkms-remove clean distclean
