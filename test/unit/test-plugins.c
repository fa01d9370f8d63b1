// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program which knows nothing of EVL, with two plugins which do: they share
 * one state, and that state outlives the plugin which has it.
 */
#include "unit.h"
#include <dlfcn.h>
#include "shared-probe.h"

struct plugin {
	void *handle;
	probe_fn probe;
	init_fn init;
};

static struct plugin a, b;

static int load(struct plugin *plugin, const char *path)
{
	void *sym;

	plugin->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (plugin->handle == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		return -1;
	}
	sym = dlsym(plugin->handle, "shared_probe");
	memcpy(&plugin->probe, &sym, sizeof(sym));
	sym = dlsym(plugin->handle, "shared_init");
	memcpy(&plugin->init, &sym, sizeof(sym));

	return 0;
}

static void test_unload_unused(void **state)
{
	struct probe probe;

	(void)state;
	assert_int_equal(load(&a, PLUGIN_A), 0);
	assert_int_equal(load(&b, PLUGIN_B), 0);
	b.probe(&probe);
	assert_int_equal(dlclose(a.handle), 0);
	/* The state of the first one went with it: nobody had used it. */
	assert_null(dlopen(PLUGIN_A, RTLD_NOW | RTLD_NOLOAD));
	b.probe(&probe);
	assert_int_equal(probe.stream, -EBADF);
	assert_int_equal(dlclose(b.handle), 0);
}

static void test_share(void **state)
{
	struct probe one, other;

	(void)state;
	assert_int_equal(load(&a, PLUGIN_A), 0);
	assert_int_equal(load(&b, PLUGIN_B), 0);
	a.probe(&one);
	b.probe(&other);
	assert_ptr_equal(one.process, other.process);
	assert_ptr_equal(one.thread, other.thread);
}

/* evl_init() pins the home, whichever module calls it, and however it ends. */
static void test_unload_home(void **state)
{
	struct probe before, after;
	int ret;

	(void)state;
	ret = b.init();
	b.probe(&before);
	assert_int_equal(dlclose(a.handle), 0);
	b.probe(&after);
	assert_ptr_equal(before.process, after.process);
	assert_ptr_equal(before.thread, after.thread);
	assert_int_equal(b.init(), ret);
	assert_non_null(dlopen(PLUGIN_A, RTLD_NOW | RTLD_NOLOAD));

	/* So does the caller stay, which may have installed handlers. */
	assert_int_equal(dlclose(b.handle), 0);
	assert_non_null(dlopen(PLUGIN_B, RTLD_NOW | RTLD_NOLOAD));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unload_unused),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_unload_home),
	};

	return cmocka_run_group_tests_name("plugins", tests, NULL, NULL);
}
