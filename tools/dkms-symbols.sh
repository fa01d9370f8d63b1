#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Run by dkms after a build, in the build folder. Keeps the module's symbol list in the folder given, for driver.mk.
set -eu
cp Module.symvers "$1/Module.symvers"
