// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads which end without detaching, in a static program, or attached by a plugin which is closed meanwhile. Exits with
 * 0 if nothing is left of them, and with the number of what was not so otherwise.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef LEAVER_STATIC
#include <evl/evl.h>

static int attach(const char *name)
{
	return evl_attach_self("%s", name);
}

static int load_plugin(const char *self)
{
	(void)self;
	return 0;
}

static void close_plugin(void)
{
}
#else
static int (*attach)(const char *name);
static void *plugin;

static int load_plugin(const char *self)
{
	char path[4096];
	void *sym;

	snprintf(path, sizeof(path), "%s.so", self);
	plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	sym = plugin ? dlsym(plugin, "attach") : NULL;
	memcpy(&attach, &sym, sizeof(sym));
	return sym ? 0 : -1;
}

static void close_plugin(void)
{
	if (plugin)
		dlclose(plugin);
	plugin = NULL;
}
#endif

static void *attach_and_end(void *arg)
{
	static char name[64];

	(void)arg;
	snprintf(name, sizeof(name), "leaver:%d", getpid());
	return (void *)(long)attach(name);
}

static void *attach_close_and_end(void *arg)
{
	void *ret = attach_and_end(arg);

	close_plugin();
	return ret;
}

static int run(void *(*body)(void *), int *efd)
{
	pthread_t thread;
	void *ret;

	if (pthread_create(&thread, NULL, body, NULL) || pthread_join(thread, &ret))
		return 1;
	*efd = (long)ret;
	if (*efd < 0)
		return 2;
	if (fcntl(*efd, F_GETFD) != -1 || errno != EBADF)
		return 3;
	return 0;
}

int main(int argc, char *argv[])
{
	int first, second, ret;

	(void)argc;
	if (load_plugin(argv[0]))
		return 10;
	ret = run(attach_and_end, &first);
	if (!ret)
		ret = run(attach_close_and_end, &second);
	if (!ret && first != second)
		ret = 4;
	return ret;
}
