# SPDX-License-Identifier: GPL-2.0-only
# Parts of suites which are not suites themselves. Programs go beside them, into the guest.

# Run by the shell suites, so no program asks for it by name: it is built along with the examples.
examples: $(BUILD)/test/holder
$(BUILD)/test/holder: suite/parts/holder.c
	$(compile)
