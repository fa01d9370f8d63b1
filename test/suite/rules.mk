# SPDX-License-Identifier: GPL-2.0-only
# Parts of suites which are not suites themselves. Programs go beside them, into the guest.

# Run by suites, so no program asks for them by name: they are built along with the examples.
examples: $(addprefix $(BUILD)/test/,holder leaver leaver.so leaver-static crowd reborn debuggee)
$(BUILD)/test/holder: suite/parts/holder.c
	$(compile)

$(BUILD)/test/crowd: suite/parts/crowd.c
	$(compile)

$(BUILD)/test/reborn: suite/parts/reborn.c
	$(compile)

$(BUILD)/test/debuggee: suite/parts/debuggee.c
	$(compile)

# A program with a plugin which attaches threads, and one without dynamic linking.
$(BUILD)/test/leaver: suite/parts/leaver.c
	$(compile)
$(BUILD)/test/leaver.so: LDLIBS += -fPIC -shared
$(BUILD)/test/leaver.so: suite/parts/leaver-plugin.c
	$(compile)
$(BUILD)/test/leaver-static: LDLIBS += -static -DLEAVER_STATIC
$(BUILD)/test/leaver-static: suite/parts/leaver.c
	$(compile)
