// SPDX-License-Identifier: GPL-2.0-only
/*
 * One state per process and per thread: two units of the program, which does
 * not export its symbols, and a plugin which is loaded privately and hides
 * its own.
 */
#include "unit.h"
#include <dlfcn.h>
#include <pthread.h>
#include <evl/evl.h>
#include "shared-probe.h"

static probe_fn plugin_probe;

static int load_plugin(void **state)
{
	void *handle = dlopen(PLUGIN_A, RTLD_NOW | RTLD_LOCAL);
	void *sym;

	(void)state;
	if (handle == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		return -1;
	}
	sym = dlsym(handle, "shared_probe");
	memcpy(&plugin_probe, &sym, sizeof(sym));

	return sym ? 0 : -1;
}

static void *check_probes(void *arg)
{
	struct probe unit, plugin;

	shared_probe(&unit);
	plugin_probe(&plugin);
	assert_ptr_equal(unit.process, __evl_hl_home());
	assert_ptr_equal(plugin.process, __evl_hl_home());
	assert_ptr_equal(unit.thread, __evl_hl_self());
	assert_ptr_equal(plugin.thread, __evl_hl_self());

	return arg ? arg : plugin.thread;
}

static void test_same_state(void **state)
{
	(void)state;
	check_probes(NULL);
}

static void test_state_per_thread(void **state)
{
	pthread_t thread;
	void *there;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, check_probes, NULL), 0);
	pthread_join(thread, &there);
	assert_ptr_not_equal(there, check_probes(NULL));
}

/* What one module sets, all see. */
static void test_same_values(void **state)
{
	struct evl_user_window window = { .state = 0 };
	struct __evl_hl_process *home = __evl_hl_home();
	struct __evl_hl_thread *self = __evl_hl_self();
	struct probe unit, plugin;

	(void)state;
	home->proxyfd[0] = 57;
	self->efd = 123;
	self->window = &window;
	shared_probe(&unit);
	plugin_probe(&plugin);
	self->window = NULL;
	self->efd = -1;
	home->proxyfd[0] = -EBADF;

	assert_int_equal(unit.self, 123);
	assert_int_equal(plugin.self, 123);
	assert_int_equal(unit.stream, 57);
	assert_int_equal(plugin.stream, 57);
}

/* The home is the program, and known as such from the start. */
static void test_program_is_home(void **state)
{
	(void)state;
	assert_ptr_equal(__evl_hl_home(), &__evl_hl_process);
	assert_ptr_equal(__evl_hl_home_cache, &__evl_hl_process);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_state),
		cmocka_unit_test(test_state_per_thread),
		cmocka_unit_test(test_same_values),
		cmocka_unit_test(test_program_is_home),
	};

	return cmocka_run_group_tests_name("shared", tests, load_plugin, NULL);
}
