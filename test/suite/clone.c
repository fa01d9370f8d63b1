// SPDX-License-Identifier: GPL-2.0-only
/* The clone protocol, by hand, as a library does it: errors and their order, ids, public nodes, names. */
#include "raw.h"
#include <sys/stat.h>

/* A class with attributes which it takes, and flags beyond PUBLIC which it does not. */
static const struct evl_xbuf_attrs xbuf_attrs = { .i_bufsz = 64, .o_bufsz = 64 };
static const struct evl_proxy_attrs proxy_attrs = { .fd = 1, .bufsz = 64 };
static const struct evl_monitor_attrs monitor_attrs = { .clockfd = -1, .type = EVL_MONITOR_GATE };

static const struct {
	const char *name;
	const void *attrs;
	unsigned int accepted;
} classes[] = {
	{ "xbuf", &xbuf_attrs, EVL_CLONE_PUBLIC },
	{ "monitor", &monitor_attrs, EVL_CLONE_PUBLIC },
	{ "proxy", &proxy_attrs, EVL_CLONE_PUBLIC | EVL_CLONE_INPUT | EVL_CLONE_OUTPUT },
};

static const char *unique(const char *stem)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s:%d", stem, getpid());
	return name;
}

static bool exists(const char *root, const char *class, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/%s", root, class, name);
	return access(path, F_OK) == 0;
}

static bool in_dev(const char *class, const char *name)
{
	return exists("/dev/evl", class, name);
}

static bool in_sysfs(const char *class, const char *name)
{
	return exists("/sys/devices/virtual", class, name);
}

/* --- Errors ------------------------------------------------------------------------------- */

static void foreign_requests(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(classes); i++) {
		int fd = check_ok(raw_open_clone(classes[i].name));

		check_eq(raw_ioctl(fd, EVL_CTLIOC_GET_COREINFO, NULL), -ENOTTY);
		check_eq(raw_ioctl(fd, EVL_THRIOC_YIELD, NULL), -ENOTTY);
		check_eq(raw_ioctl(fd, _IOWR('f', 0, int), NULL), -ENOTTY);
		check_errno(read(fd, NULL, 0), EINVAL);
	}
}

static void bad_request_pointer(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(classes); i++) {
		int fd = check_ok(raw_open_clone(classes[i].name));

		check_eq(raw_ioctl(fd, EVL_IOC_CLONE, NULL), -EFAULT);
		check_eq(raw_ioctl(fd, EVL_IOC_CLONE, (void *)8), -EFAULT);
		check_eq(raw_ioctl(fd, EVL_IOC_CLONE, (void *)-1L), -EFAULT);
		check_eq(raw_ioctl(fd, EVL_IOC_CLONE, (void *)0xffffffff81000000), -EFAULT);
	}
}

/* A request which cannot be answered creates nothing that stays. */
static void request_in_readonly_memory(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(classes); i++) {
		struct evl_clone_req *req = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		int fd = check_ok(raw_open_clone(classes[i].name));

		check(req != MAP_FAILED);
		req->name_ptr = raw_ptr(unique("readonly"));
		req->attrs_ptr = raw_ptr(classes[i].attrs);
		check_sys(mprotect(req, 4096, PROT_READ));
		check_eq(raw_ioctl(fd, EVL_IOC_CLONE, req), -EFAULT);
		close(fd);
		check(!in_sysfs(classes[i].name, unique("readonly")));
	}
}

static void bad_inner_pointers(void)
{
	struct evl_clone_req req;

	for (unsigned int i = 0; i < ARRAY_SIZE(classes); i++) {
		int fd = check_ok(raw_open_clone(classes[i].name));

		check_eq(raw_clone(fd, (char *)8, classes[i].attrs, 0, &req), -EFAULT);
		check_eq(raw_clone(fd, (char *)-1L, classes[i].attrs, 0, &req), -EFAULT);
		check_eq(raw_clone(fd, unique("inner"), NULL, 0, &req), -EFAULT);
		check_eq(raw_clone(fd, unique("inner"), (void *)8, 0, &req), -EFAULT);
		check_eq(raw_clone(fd, unique("inner"), (void *)0xffffffff81000000, 0, &req), -EFAULT);
		check(!in_sysfs(classes[i].name, unique("inner")));
		/* The descriptor is good for another try. */
		check_eq(raw_clone(fd, unique("inner"), classes[i].attrs, 0, &req), 0);
		close(fd);
		close(req.efd);
	}
}

/* A name which runs into memory that is not there. */
static void name_over_the_edge(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct evl_clone_req req;
	int fd = check_ok(raw_open_clone("xbuf"));

	check(page != MAP_FAILED);
	check_sys(munmap(page + 4096, 4096));
	memset(page, 'e', 4096);
	check_eq(raw_clone(fd, page + 4090, &xbuf_attrs, 0, &req), -EFAULT);
	strcpy(page + 4091, "edge");
	check_eq(raw_clone(fd, page + 4091, &xbuf_attrs, 0, &req), 0);
}

static void unknown_flags(void)
{
	struct evl_clone_req req;

	for (unsigned int i = 0; i < ARRAY_SIZE(classes); i++) {
		int fd = check_ok(raw_open_clone(classes[i].name));

		for (int bit = 0; bit < 32; bit++) {
			if (classes[i].accepted & (1U << bit))
				continue;
			check_eq(raw_clone(fd, unique("flags"), classes[i].attrs, 1U << bit, &req), -EINVAL);
			check(!in_sysfs(classes[i].name, unique("flags")));
		}
		check_eq(raw_clone(fd, unique("flags"), classes[i].attrs, 0, &req), 0);
	}
}

static void second_request(void)
{
	struct evl_clone_req req, more;

	for (unsigned int i = 0; i < ARRAY_SIZE(classes); i++) {
		int fd = check_ok(raw_open_clone(classes[i].name));

		check_eq(raw_clone(fd, unique("once"), classes[i].attrs, 0, &req), 0);
		check_eq(raw_clone(fd, unique("twice"), classes[i].attrs, 0, &more), -EBUSY);
		/* Ahead of anything that is wrong with the request. */
		check_eq(raw_ioctl(fd, EVL_IOC_CLONE, NULL), -EBUSY);
		check(!in_sysfs(classes[i].name, unique("twice")));
	}
}

static void public_needs_a_name(void)
{
	struct evl_clone_req req;

	for (unsigned int i = 0; i < ARRAY_SIZE(classes); i++) {
		int fd = check_ok(raw_open_clone(classes[i].name));

		check_eq(raw_clone(fd, NULL, classes[i].attrs, EVL_CLONE_PUBLIC, &req), -EINVAL);
		/* The attributes are not even looked at. */
		check_eq(raw_clone(fd, NULL, (void *)8, EVL_CLONE_PUBLIC, &req), -EINVAL);
	}
}

static void bad_names(void)
{
	char *name = malloc(2 * PATH_MAX);
	struct evl_clone_req req;
	int fd = check_ok(raw_open_clone("xbuf"));

	check(name);
	check_eq(raw_clone(fd, "", &xbuf_attrs, 0, &req), -ENOENT);
	check_lt(raw_clone(fd, ".", &xbuf_attrs, 0, &req), 0);
	check_lt(raw_clone(fd, "..", &xbuf_attrs, EVL_CLONE_PUBLIC, &req), 0);
	check_lt(raw_clone(fd, "../escape", &xbuf_attrs, EVL_CLONE_PUBLIC, &req), 0);
	memset(name, 'n', 2 * PATH_MAX);
	name[2 * PATH_MAX - 1] = '\0';
	check_eq(raw_clone(fd, name, &xbuf_attrs, 0, &req), -ENAMETOOLONG);
	name[PATH_MAX] = '\0';
	check_eq(raw_clone(fd, name, &xbuf_attrs, EVL_CLONE_PUBLIC, &req), -ENAMETOOLONG);
	/* What cannot be shown as a directory in sysfs has no business there. */
	check_eq(raw_clone(fd, "plain", &xbuf_attrs, 0, &req), 0);
}

/* Whatever is done about a slash or a control character in a name, it stays in its folder. */
static void odd_names(void)
{
	static const char *const odd[] = { "a/b", "a b", "a\tb\n", "\377\376", "%s%n", "a!b" };

	for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++) {
		struct evl_clone_req req;
		int fd = check_ok(raw_open_clone("xbuf"));
		long ret = raw_clone(fd, odd[i], &xbuf_attrs, EVL_CLONE_PUBLIC, &req);

		if (ret) {
			check_eq(ret, -EINVAL);
			check(!in_sysfs("xbuf", odd[i]));
		}
		check(!exists("/dev/evl", "xbuf/a", "b"));
		close(fd);
		close(check_ok(raw_create_xbuf("after", 64, 64, EVL_CLONE_PUBLIC)));
	}
}

static void names_are_unique(void)
{
	struct evl_clone_req req;
	int fd = check_ok(raw_open_clone("xbuf"));
	int private = check_ok(raw_create_xbuf("private", 64, 64, 0));
	int public = check_ok(raw_create_xbuf("public", 64, 64, EVL_CLONE_PUBLIC));

	check_eq(raw_clone(fd, "private", &xbuf_attrs, 0, &req), -EEXIST);
	check_eq(raw_clone(fd, "private", &xbuf_attrs, EVL_CLONE_PUBLIC, &req), -EEXIST);
	check_eq(raw_clone(fd, "public", &xbuf_attrs, 0, &req), -EEXIST);
	check_eq(raw_clone(fd, "public", &xbuf_attrs, EVL_CLONE_PUBLIC, &req), -EEXIST);
	/* Bad attributes are worse than a bad name. */
	check_eq(raw_clone(fd, "public", (void *)8, 0, &req), -EFAULT);
	/* Another class, another name space. */
	check_ok(raw_create_proxy("public", 1, 64, 0, EVL_CLONE_PUBLIC));
	close(private);
	close(public);
	check_eq(raw_clone(fd, "private", &xbuf_attrs, EVL_CLONE_PUBLIC, &req), 0);
}

static void devices_have_reserved_names(void)
{
	struct evl_clone_req req;
	int fd = check_ok(raw_open_clone("xbuf"));

	check_lt(raw_clone(fd, "clone", &xbuf_attrs, EVL_CLONE_PUBLIC, &req), 0);
	check_lt(raw_clone(fd, "clone", &xbuf_attrs, 0, &req), 0);
	check(in_dev("xbuf", "clone"));
	close(fd);
	check_ok(raw_create_xbuf("still", 64, 64, EVL_CLONE_PUBLIC));
}

static void out_of_descriptors(void)
{
	struct evl_clone_req req;
	int fd = check_ok(raw_open_clone("xbuf")), last = -1, dupfd;

	while ((dupfd = dup(0)) >= 0)
		last = dupfd;
	check_eq(errno, EMFILE);
	check_eq(raw_clone(fd, unique("crowded"), &xbuf_attrs, 0, &req), -EMFILE);
	check(!in_sysfs("xbuf", unique("crowded")));
	close(last);
	check_eq(raw_clone(fd, unique("crowded"), &xbuf_attrs, 0, &req), 0);
}

/* --- What comes back -------------------------------------------------------------------------- */

static void private_element(void)
{
	struct evl_clone_req req;
	char path[64], link[64] = "";
	int fd = check_ok(raw_open_clone("xbuf")), efd;

	check_eq(raw_clone(fd, unique("private"), &xbuf_attrs, 0, &req), 0);
	efd = req.efd;
	check_ge(efd, 0);
	check_eq(req.eids.state_offset, EVL_NO_STATE_OFFSET);
	check(fcntl(efd, F_GETFD) & FD_CLOEXEC);
	check_eq(fcntl(efd, F_GETFL) & O_ACCMODE, O_RDWR);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", efd);
	check_gt(readlink(path, link, sizeof(link) - 1), 0);
	check(strstr(link, unique("private")));
	check(in_sysfs("xbuf", unique("private")));
	check(!in_dev("xbuf", unique("private")));
	close(fd);
	check(in_sysfs("xbuf", unique("private")));
	close(efd);
	check(!in_sysfs("xbuf", unique("private")));
}

static void public_element(void)
{
	struct evl_clone_req req;
	char path[PATH_MAX];
	struct stat st;
	int fd = check_ok(raw_open_clone("proxy")), efd;

	check_eq(raw_clone(fd, unique("public"), &proxy_attrs, EVL_CLONE_PUBLIC, &req), 0);
	check_eq(req.efd, ~0U);
	check_eq(req.eids.state_offset, EVL_NO_STATE_OFFSET);
	snprintf(path, sizeof(path), "/dev/evl/proxy/%s", unique("public"));
	check_sys(stat(path, &st));
	check(S_ISCHR(st.st_mode));
	check_eq(st.st_mode & 0007, 0);
	check_eq(st.st_uid, 0);
	efd = check_sys(open(path, O_RDWR));
	close(fd);
	check(in_dev("proxy", unique("public")));
	close(efd);
	check(!in_dev("proxy", unique("public")));
	check(!in_sysfs("proxy", unique("public")));
	check_errno(open(path, O_RDWR), ENOENT);
}

/* Nobody opened it: it goes with the clone descriptor. */
static void public_but_unopened(void)
{
	struct evl_clone_req req;
	int fd = check_ok(raw_open_clone("xbuf"));

	check_eq(raw_clone(fd, unique("unopened"), &xbuf_attrs, EVL_CLONE_PUBLIC, &req), 0);
	check(in_dev("xbuf", unique("unopened")));
	close(fd);
	check(!in_dev("xbuf", unique("unopened")));
	check(!in_sysfs("xbuf", unique("unopened")));
}

static void unused_descriptor(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(classes); i++)
		close(check_ok(raw_open_clone(classes[i].name)));
	close(check_ok(raw_open_clone("thread")));
}

static void made_up_names(void)
{
	struct evl_clone_req req;
	char name[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(classes); i++) {
		int fd = check_ok(raw_open_clone(classes[i].name));

		check_eq(raw_clone(fd, NULL, classes[i].attrs, 0, &req), 0);
		snprintf(name, sizeof(name), "%s%%%u", classes[i].name, req.eids.minor);
		check(in_sysfs(classes[i].name, name));
		close(fd);
		close(req.efd);
		check(!in_sysfs(classes[i].name, name));
	}
}

static void minors_are_distinct(void)
{
	struct evl_clone_req req[20];
	int fd[20], i, j;

	for (i = 0; i < 20; i++) {
		fd[i] = check_ok(raw_open_clone("xbuf"));
		check_eq(raw_clone(fd[i], NULL, &xbuf_attrs, 0, &req[i]), 0);
		for (j = 0; j < i; j++)
			check_ne(req[i].eids.minor, req[j].eids.minor);
	}
}

/* Free again by the time close() returns. */
static void name_is_free_after_close(void)
{
	for (int i = 0; i < 100; i++) {
		close(check_ok(raw_create_xbuf("recycled", 64, 64, i & 1 ? EVL_CLONE_PUBLIC : 0)));
		close(check_ok(raw_create_proxy("recycled", 1, 64, 0, i & 1 ? 0 : EVL_CLONE_PUBLIC)));
	}
}

static void longest_names(void)
{
	char name[300];

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	check_ok(raw_create_xbuf(name, 64, 64, EVL_CLONE_PUBLIC));
	check(in_dev("xbuf", name));
}

static void node_inherits_owner(void)
{
	struct evl_clone_req req;
	char path[PATH_MAX];
	struct stat st;
	int fd;

	check_sys(chown("/dev/evl/xbuf/clone", 1234, 5678));
	fd = check_ok(raw_open_clone("xbuf"));
	check_sys(chown("/dev/evl/xbuf/clone", 0, 0));
	/* Another node than the one it came from says nothing. */
	check_ok(raw_open_clone("xbuf"));
	check_eq(raw_clone(fd, unique("owned"), &xbuf_attrs, EVL_CLONE_PUBLIC, &req), 0);
	snprintf(path, sizeof(path), "/dev/evl/xbuf/%s", unique("owned"));
	check_sys(stat(path, &st));
	check_eq(st.st_uid, 1234);
	check_eq(st.st_gid, 5678);
}

/* --- Threads ------------------------------------------------------------------------------------- */

static struct raw_process process;

static void thread_flags(void)
{
	static const unsigned int bad[] = {
		EVL_CLONE_UNICAST, EVL_CLONE_INPUT, EVL_CLONE_OUTPUT, EVL_CLONE_NONBLOCK, EVL_CLONE_COREDEV, 1, 0x8000,
		EVL_CLONE_OBSERVABLE | EVL_CLONE_INPUT,
	};
	struct evl_clone_req req;
	int fd;

	check_ok(raw_init(&process, 36));
	fd = check_ok(raw_open_clone("thread"));
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		check_eq(raw_clone(fd, unique("flags"), NULL, bad[i], &req), -EINVAL);
	check_eq(raw_clone(fd, NULL, NULL, EVL_CLONE_PUBLIC, &req), -EINVAL);
	check_eq(raw_clone(fd, unique("flags"), NULL, 0, &req), 0);
}

static void thread_conditions(void)
{
	struct evl_clone_req req;
	int fd = check_ok(raw_open_clone("thread"));

	/* Neither memory locked nor the control device opened. */
	check_lt(raw_clone(fd, unique("early"), NULL, 0, &req), 0);
	check_sys(mlockall(MCL_CURRENT | MCL_FUTURE));
	check_eq(raw_clone(fd, unique("early"), NULL, 0, &req), -EPERM);
	check_sys(munlockall());
	check_sys(open(EVL_CONTROL_DEV, O_RDWR));
	check_eq(raw_clone(fd, unique("early"), NULL, 0, &req), -EINVAL);
	check(!in_sysfs("thread", unique("early")));
	check_sys(mlockall(MCL_CURRENT | MCL_FUTURE));
	check_eq(raw_clone(fd, unique("early"), NULL, 0, &req), 0);
	close(fd);
	fd = check_ok(raw_open_clone("thread"));
	check_eq(raw_clone(fd, unique("again"), NULL, 0, &req), -EBUSY);
}

static void not_inherited(void *arg)
{
	struct evl_clone_req req;
	int fd = check_ok(raw_open_clone("thread"));

	(void)arg;
	check_sys(mlockall(MCL_CURRENT | MCL_FUTURE));
	check_eq(raw_clone(fd, unique("child"), NULL, 0, &req), -EPERM);
	check_sys(open(EVL_CONTROL_DEV, O_RDWR));
	check_eq(raw_clone(fd, unique("child"), NULL, 0, &req), 0);
}

static void control_is_not_inherited(void)
{
	check_ok(raw_init(&process, 36));
	wait_success(fork_child(not_inherited, NULL));
}

/* Its maker would be a thread of the core which has no way to say so. */
static void public_thread_unopened(void)
{
	struct evl_clone_req req;
	int fd;

	check_ok(raw_init(&process, 36));
	fd = check_ok(raw_open_clone("thread"));
	check_eq(raw_clone(fd, unique("unopened"), NULL, EVL_CLONE_PUBLIC, &req), 0);
	check(in_dev("thread", unique("unopened")));
	close(fd);
	await(!in_dev("thread", unique("unopened")));
	check_ok(raw_create("thread", unique("again"), NULL, 0, NULL));
}

/* Once it was open, it lives. */
static void public_thread_opened(void)
{
	struct evl_clone_req req;
	int fd, efd;

	check_ok(raw_init(&process, 36));
	fd = check_ok(raw_open_clone("thread"));
	check_eq(raw_clone(fd, unique("opened"), NULL, EVL_CLONE_PUBLIC, &req), 0);
	efd = check_ok(raw_open("thread", unique("opened")));
	close(fd);
	close(efd);
	check(in_dev("thread", unique("opened")));
	efd = check_ok(raw_open("thread", unique("opened")));
	check_eq(raw_ioctl(efd, EVL_THRIOC_DETACH_SELF, NULL), 0);
	check_eq(raw_ioctl(efd, EVL_THRIOC_UNBLOCK, NULL), -ESTALE);
	close(efd);
	check(!in_dev("thread", unique("opened")));
}

static void thread_ids(void)
{
	struct evl_clone_req req;
	struct evl_user_window *window;
	unsigned int last = 0;

	check_ok(raw_init(&process, 36));
	for (int i = 0; i < 20; i++) {
		int fd = check_ok(raw_open_clone("thread"));

		check_eq(raw_clone(fd, NULL, NULL, 0, &req), 0);
		check_gt(req.eids.fundle, 0);
		check_eq(req.eids.fundle & EVL_HANDLE_INDEX_MASK, 0);
		check_ne(req.eids.fundle, last);
		last = req.eids.fundle;
		check_le(req.eids.state_offset, process.info.shm_size - sizeof(*window));
		check_eq(req.eids.state_offset % 4, 0);
		window = (void *)((char *)process.shared + req.eids.state_offset);
		check_eq(window->state, EVL_T_USER | EVL_T_WEAK | EVL_T_INBAND);
		check_eq(window->info, 0);
		check_eq(window->pp_pending, 0);
		check_eq(raw_ioctl(req.efd, EVL_THRIOC_DETACH_SELF, NULL), 0);
		close(req.efd);
		close(fd);
	}
}

/* A window which was scribbled over is clean for its next owner. */
static void windows_are_recycled_clean(void)
{
	struct raw_thread t = { 0 };

	check_ok(raw_init(&process, 36));
	for (int i = 0; i < 10; i++) {
		check_ok(raw_attach(&process, &t, FORM_A, unique("window"), 0));
		check_eq(t.window->pp_pending, 0);
		t.window->pp_pending = 0xdeadbeef;
		t.window->info = 0xdeadbeef;
		check_eq(raw_detach(&t), 0);
	}
}

/* --- Monitors ------------------------------------------------------------------------------------ */

#define GATE(__clock, __protocol, __initval)	{ __clock, EVL_MONITOR_GATE, __protocol, __initval }
#define EVENT(__clock, __protocol, __initval)	{ __clock, EVL_MONITOR_EVENT, __protocol, __initval }

struct monitor_kind {
	int clockfd;
	unsigned int type, protocol, initval;
};

static int create_kind(const struct monitor_kind *kind, struct evl_element_ids *eids)
{
	return raw_create_monitor_on(kind->clockfd, unique("kind"), kind->type, kind->protocol, kind->initval, eids);
}

static void bad_monitors(void)
{
	static const struct monitor_kind bad[] = {
		GATE(-1, EVL_GATE_PI, 1), GATE(-1, EVL_GATE_PI, -1U), GATE(0, EVL_GATE_PI, 99),
		GATE(-1, EVL_GATE_PP, 0), GATE(-1, EVL_GATE_PP, 100), GATE(-1, EVL_GATE_PP, -1U),
		GATE(-1, EVL_GATE_PP, 0x80000001), GATE(-1, 2, 0), GATE(-1, 2, 1), GATE(-1, 15, 0),
		EVENT(-1, EVL_EVENT_COUNT, -1U), EVENT(-1, EVL_EVENT_COUNT, 0x80000000),
		EVENT(-1, 3, 0), EVENT(-1, 15, 0),
		{ -1, 2, 0, 0 }, { -1, 2, 1, 1 }, { -1, 3, 0, 0 }, { -1, 3, 2, 0 },
	};
	static const struct monitor_kind good[] = {
		GATE(-1, EVL_GATE_PI, 0), GATE(-1, EVL_GATE_PP, 50), EVENT(-1, EVL_EVENT_GATED, 0),
		EVENT(-1, EVL_EVENT_COUNT, 0), EVENT(-1, EVL_EVENT_MASK, 0),
	};
	/* The first is closed, the second no clock, the others never were descriptors. */
	static const int clocks[] = { 999, 1, -2, -3, INT_MIN, INT_MAX };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		check_eq(create_kind(&bad[i], NULL), -EINVAL);
		check(!in_sysfs("monitor", unique("kind")));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(good); i++) {
		struct monitor_kind kind = good[i];

		for (unsigned int j = 0; j < ARRAY_SIZE(clocks); j++) {
			kind.clockfd = clocks[j];
			check_eq(create_kind(&kind, NULL), -EINVAL);
			check(!in_sysfs("monitor", unique("kind")));
		}
	}
}

/* All that is accepted, with handles and shared state. */
static void good_monitors(void)
{
	static const struct monitor_kind good[] = {
		GATE(-1, EVL_GATE_PI, 0), GATE(-1, EVL_GATE_PP, 1), GATE(-1, EVL_GATE_PP, 99),
		EVENT(-1, EVL_EVENT_GATED, 0), EVENT(-1, EVL_EVENT_COUNT, 0), EVENT(-1, EVL_EVENT_COUNT, INT_MAX),
		EVENT(-1, EVL_EVENT_MASK, 0), EVENT(-1, EVL_EVENT_MASK, 0xffffffff),
	};
	struct evl_monitor_state *state;
	struct evl_element_ids eids = { 0 };
	struct monitor_kind kind;
	unsigned int last = 0;
	int efd;

	check_ok(raw_init(&process, 36));
	for (unsigned int i = 0; i < 4 * ARRAY_SIZE(good); i++) {
		kind = good[i % ARRAY_SIZE(good)];
		kind.clockfd = (int[]){ -1, 0, process.monofd, process.realfd }[i / ARRAY_SIZE(good)];
		efd = check_ok(create_kind(&kind, &eids));
		check(in_sysfs("monitor", unique("kind")));
		check_gt(eids.fundle, 0);
		check_eq(eids.fundle & EVL_HANDLE_INDEX_MASK, 0);
		check_ne(eids.fundle, last);
		last = eids.fundle;
		check_le(eids.state_offset, process.info.shm_size - sizeof(*state));
		check_eq(eids.state_offset % 4, 0);
		state = (void *)((char *)process.shared + eids.state_offset);
		check_eq(state->flags, 0);
		if (kind.type == EVL_MONITOR_GATE) {
			check_eq(state->u.gate.owner, 0);
			check_eq(state->u.gate.ceiling, kind.initval);
			check_eq(state->u.gate.nesting, 0);
		} else {
			check_eq(state->u.event.value, kind.initval);
			check_eq(state->u.event.pollrefs, 0);
			check_eq(state->u.event.gate_offset, EVL_MONITOR_NOGATE);
		}
		/* Whoever gets it next is to find it clean. */
		memset(state, 0x5a, sizeof(*state));
		close(efd);
		check(!in_sysfs("monitor", unique("kind")));
	}
}

static const struct CMUnitTest tests[] = {
	TEST(foreign_requests, "other requests to a clone device are ENOTTY"),
	TEST(bad_request_pointer, "a bad pointer is EFAULT"),
	TEST(request_in_readonly_memory, "a request which cannot be answered creates nothing"),
	TEST(bad_inner_pointers, "bad pointers inside are EFAULT"),
	TEST(name_over_the_edge, "a name which runs into a hole is EFAULT"),
	TEST(unknown_flags, "flags of no meaning to the class are EINVAL, each of them"),
	TEST(second_request, "a second request on one descriptor is EBUSY, first of all"),
	TEST(public_needs_a_name, "a public element without a name is EINVAL"),
	TEST(bad_names, "an empty name is ENOENT, an endless one ENAMETOOLONG"),
	TEST(odd_names, "odd names do no harm"),
	TEST(names_are_unique, "names are unique in a class: EEXIST"),
	TEST(devices_have_reserved_names, "no element is called clone"),
	TEST(out_of_descriptors, "no descriptor left is EMFILE and creates nothing"),
	TEST(private_element, "a private element comes with its descriptor"),
	TEST(public_element, "a public element comes with a node, gone after its last close"),
	TEST(public_but_unopened, "nobody having opened it, it goes with the clone descriptor"),
	TEST(unused_descriptor, "opening and closing a clone device creates nothing"),
	TEST(made_up_names, "no name gives one made of class and minor"),
	TEST(minors_are_distinct, "minors are distinct"),
	TEST(name_is_free_after_close, "a name is free again after close"),
	TEST(longest_names, "255 characters make a good name"),
	TEST(node_inherits_owner, "a node is owned as the clone device was when opened"),
	TEST(thread_flags, "flags of no meaning to threads are EINVAL"),
	TEST(thread_conditions, "memory to be locked, control device opened, once per task"),
	TEST(control_is_not_inherited, "a forked child has to open the control device itself"),
	TEST(public_thread_unopened, "a public thread whose node is never opened detaches with its clone device"),
	TEST(public_thread_opened, "one whose node was open lives without it"),
	TEST(thread_ids, "handles and windows of threads"),
	TEST(windows_are_recycled_clean, "the window of a new thread is clean"),
	TEST(bad_monitors, "a monitor of no clock, type, protocol, ceiling or value is EINVAL"),
	TEST(good_monitors, "handles and shared states of monitors, which are clean"),
};

TEST_MAIN("clone", tests)
