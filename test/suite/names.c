// SPDX-License-Identifier: GPL-2.0-only
/* What elements may be called, and who may call them the same. */
#include "puppet.h"
#include <evl/event.h>
#include <evl/sem.h>
#include <evl/xbuf.h>
#include <sched.h>

static int new_xbuf(const char *name, int flags)
{
	return evl_create_xbuf(64, 64, flags, "%s", name);
}

/* --- Characters ------------------------------------------------------------------------------- */

static void no_control_characters(void)
{
	char name[] = "a?b", public[] = "/a?b";

	check_ok(evl_init());
	for (int c = 1; c < 128; c++) {
		if (c >= ' ' && c != 127)
			continue;
		name[1] = public[2] = c;
		check_eq(new_xbuf(name, EVL_CLONE_PRIVATE), -EINVAL);
		check_eq(new_xbuf(public, EVL_CLONE_PUBLIC), -EINVAL);
	}
	check(!first_element("xbuf"));
	/* An event is made of lines. */
	check_eq(new_xbuf("/x\nDEVNAME=sda", EVL_CLONE_PUBLIC), -EINVAL);
	check_eq(evl_attach_self("thread\nof two lines"), -EINVAL);
	check_eq(evl_create_proxy(1, 64, 0, EVL_CLONE_OUTPUT, "proxy\n"), -EINVAL);
}

/* Whatever else means something to somebody does not to the core. */
static void odd_characters(void)
{
	static const char *const names[] = {
		"%s%n%p", "100%", " a ", ".hidden", "...", "a!b", "a=b", "a:b", "\\", "\"", "'", "$(a)", "-", "*", "\303\274",
	};
	char public[32];

	check_ok(evl_init());
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = check_ok(new_xbuf(names[i], EVL_CLONE_PRIVATE));

		check(has_element("xbuf", names[i]));
		close(fd);
		snprintf(public, sizeof(public), "/%s", names[i]);
		fd = check_ok(new_xbuf(public, EVL_CLONE_PUBLIC));
		check(has_node("xbuf", names[i]));
		close(fd);
		check(!has_node("xbuf", names[i]));
	}
}

/* --- The same name in several processes --------------------------------------------------------- */

/* Names in sysfs which are @name, or made of it. */
static int count_elements(const char *class, const char *name)
{
	char path[64];
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/devices/virtual/%s", class);
	dir = opendir(path);
	check(dir);
	while ((entry = readdir(dir)))
		count += !strncmp(entry->d_name, name, strlen(name));
	closedir(dir);
	return count;
}

static void make_twin(void *arg)
{
	char c;
	int fd;

	check_ok(evl_init());
	fd = check_ok(new_xbuf(arg, EVL_CLONE_PRIVATE));

	check_eq(new_xbuf(arg, EVL_CLONE_PRIVATE), -EEXIST);
	check_eq(count_elements("xbuf", arg), 2);
	/* They are not the same thing. */
	set_nonblocking(fd, true);
	check_errno(read(fd, &c, 1), EAGAIN);
}

static void private_names_of_others(void)
{
	int fd;

	check_ok(evl_init());
	fd = check_ok(new_xbuf("twin", EVL_CLONE_PRIVATE));
	wait_success(fork_child(make_twin, "twin"));
	check_eq(count_elements("xbuf", "twin"), 1);
	check(has_element("xbuf", "twin"));
	close(fd);
}

static void make_public(void *arg)
{
	char public[64];
	int fd, efd;

	check_ok(evl_init());
	snprintf(public, sizeof(public), "/%s", (char *)arg);
	fd = check_ok(new_xbuf(public, EVL_CLONE_PUBLIC));
	/* The node has its name, whatever sysfs calls it. */
	check(has_node("xbuf", arg));
	efd = check_ok(evl_open_element("xbuf", "%s", (char *)arg));
	close(efd);
	check_eq(count_elements("xbuf", arg), 2);
	close(fd);
	check(!has_node("xbuf", arg));
}

static void refuse_public(void *arg)
{
	check_ok(evl_init());
	check_eq(new_xbuf(arg, EVL_CLONE_PUBLIC), -EEXIST);
	check_ok(new_xbuf((char *)arg + 1, EVL_CLONE_PRIVATE));
}

static void public_names(void)
{
	int fd;

	check_ok(evl_init());
	fd = check_ok(new_xbuf("mine", EVL_CLONE_PRIVATE));
	wait_success(fork_child(make_public, "mine"));
	close(fd);
	fd = check_ok(new_xbuf("/ours", EVL_CLONE_PUBLIC));
	wait_success(fork_child(refuse_public, "/ours"));
	check(has_node("xbuf", "ours"));
	close(fd);
	check(!first_element("xbuf"));
}

/* Somebody has thought of all names which another process would get instead. */
static void taken_substitutes(void)
{
	int fds[65];
	char name[16];

	check_ok(evl_init());
	fds[64] = check_ok(new_xbuf("twin", EVL_CLONE_PRIVATE));
	for (int n = 0; n < 64; n++) {
		snprintf(name, sizeof(name), "twin%%%d", n);
		fds[n] = check_ok(new_xbuf(name, EVL_CLONE_PRIVATE));
	}
	close(fds[0]);
	fds[0] = check_ok(new_xbuf("twin%65", EVL_CLONE_PRIVATE));
	for (int n = 0; n < 2; n++) {
		pid_t pid = check_sys(fork());

		if (!pid) {
			check_ok(evl_init());
			check_ok(new_xbuf("twin", EVL_CLONE_PRIVATE));
			check_eq(count_elements("xbuf", "twin"), 66);
			_exit(0);
		}
		wait_success(pid);
	}
	check_eq(count_elements("xbuf", "twin"), 65);
}

static void longest_name(void)
{
	char name[256];
	pid_t pid;

	memset(name, 'l', 255);
	name[255] = '\0';
	check_ok(evl_init());
	check_ok(new_xbuf(name, EVL_CLONE_PRIVATE));
	pid = check_sys(fork());
	if (!pid) {
		check_ok(evl_init());
		check_ok(new_xbuf(name, EVL_CLONE_PRIVATE));
		check_eq(count_elements("xbuf", "llll"), 2);
		_exit(0);
	}
	wait_success(pid);
}

/* --- Containers ------------------------------------------------------------------------------------ */

static atomic_int *attached;

static void say_hello(void)
{
	check_eq(getpid(), 1);
	check_ok(evl_attach_self("hello:%d", getpid()));
	atomic_fetch_add(attached, 1);
	await(atomic_load(attached) == 2);
	check_ok(evl_detach_self());
}

static pid_t start_container(void)
{
	pid_t pid = check_sys(fork());

	if (pid)
		return pid;
	if (unshare(CLONE_NEWPID))
		check_skip("no namespaces of processes: %s", strerror(errno));
	pid = check_sys(fork());
	if (!pid) {
		say_hello();
		_exit(0);
	}
	wait_success(pid);
	_exit(0);
}

static void two_containers(void)
{
	pid_t pids[2];

	attached = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(attached != MAP_FAILED);
	for (int n = 0; n < 2; n++)
		pids[n] = start_container();
	for (int n = 0; n < 2; n++)
		wait_success(pids[n]);
}

/* --- Names of threads which are gone ------------------------------------------------------------------ */

static void just_exit(struct worker *w)
{
	attach_worker(w);
	w->result = check_sys(dup(w->efd));
}

static void thread_exits(void)
{
	struct worker w = { .body = just_exit, .name = "again" };

	check_ok(evl_init());
	for (int n = 0; n < 3; n++) {
		start_worker(&w);
		join_worker(&w);
		/* One of its descriptors is still there. */
		check_eq(evl_unblock_thread(w.result), -ESTALE);
	}
}

static void child_has_descriptor(void)
{
	pid_t pid;
	int efd;

	efd = check_sys(dup(check_ok(evl_attach_self("named:%d", getpid()))));
	pid = check_sys(fork());
	if (!pid) {
		pause();
		_exit(0);
	}
	check_sys(close(efd));
	check_ok(evl_detach_self());
	check_ok(evl_attach_self("named:%d", getpid()));
	check_eq(count_elements("thread", own_name("named")), 2);
	check_ok(evl_detach_self());
	kill(pid, SIGKILL);
	wait_for(pid);
}

/* --- Public ones, and who opens them ------------------------------------------------------------- */

static struct evl_mutex shared_mutex;
static struct evl_event shared_event;
static struct evl_sem shared_sem;

static void look_in(void *arg)
{
	struct evl_mutex mutex;
	struct evl_event event;
	struct evl_sem sem;

	(void)arg;
	check_ok(evl_init());
	check_ok(evl_open_mutex(&mutex, "visited-mutex"));
	check_ok(evl_open_event(&event, "visited-event"));
	check_ok(evl_open_sem(&sem, "visited-sem"));
	_exit(0);
}

static int wait_on_mutex(struct puppet *p)
{
	(void)p;
	return evl_lock_mutex(&shared_mutex) ?: evl_unlock_mutex(&shared_mutex);
}

static int wait_on_event(struct puppet *p)
{
	static struct evl_mutex own;
	int ret;

	(void)p;
	check_ok(evl_new_mutex(&own, "own:%d", getpid()));
	check_eq(evl_lock_mutex(&own), 0);
	ret = evl_wait_event(&shared_event, &own);
	return ret ?: evl_unlock_mutex(&own);
}

static int wait_on_sem(struct puppet *p)
{
	(void)p;
	return evl_get_sem(&shared_sem);
}

static int hold_mutex(struct puppet *p)
{
	(void)p;
	return evl_lock_mutex(&shared_mutex);
}

static int let_go(struct puppet *p)
{
	(void)p;
	return evl_unlock_mutex(&shared_mutex);
}

static void visitors_disturb_nobody(void)
{
	int (*const acts[])(struct puppet *p) = { wait_on_mutex, wait_on_event, wait_on_sem };
	struct puppet p[ARRAY_SIZE(acts)], holder;
	char name[16];

	check_ok(evl_init());
	check_ok(evl_new_mutex(&shared_mutex, "/visited-mutex"));
	check_ok(evl_new_event(&shared_event, "/visited-event"));
	check_ok(evl_new_sem(&shared_sem, "/visited-sem"));
	start_puppet(&holder, "holder", 1, 0);
	check_eq(perform(&holder, hold_mutex, NULL), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(acts); i++) {
		snprintf(name, sizeof(name), "visited%u", i);
		start_puppet(&p[i], name, 10, other_cpu());
		begin_wait(&p[i], acts[i], NULL);
	}
	wait_success(fork_child(look_in, NULL));
	for (unsigned int i = 0; i < ARRAY_SIZE(acts); i++) {
		check(worker_sleeps(&p[i].w));
		check(atomic_load(&p[i].busy));
	}
	/* Their own ends are another thing. */
	check_ok(evl_close_sem(&shared_sem));
	check_eq(result(&p[2]), -EIDRM);
	check_ok(evl_close_event(&shared_event));
	check_eq(result(&p[1]), -EIDRM);
	check_eq(perform(&holder, let_go, NULL), 0);
	check_eq(result(&p[0]), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(acts); i++)
		end_puppet(&p[i]);
	end_puppet(&holder);
}

static const struct CMUnitTest tests[] = {
	TEST(visitors_disturb_nobody, "who opens a public element and goes ends no wait of others"),
	TEST(no_control_characters, "control characters in a name are -EINVAL"),
	TEST(odd_characters, "others may be there, whatever they mean elsewhere"),
	TEST(private_names_of_others, "two processes may have private elements of the same name"),
	TEST(public_names, "public ones are unique, and not in the way of private ones"),
	TEST(taken_substitutes, "whoever took all names alike keeps nobody from a name"),
	TEST(longest_name, "the longest name, twice"),
	TEST(two_containers, "a program runs in two containers at once"),
	TEST(thread_exits, "a thread which just exits gives up its name"),
	TEST(child_has_descriptor, "a child which has a descriptor of a thread does not keep its name"),
};

TEST_MAIN("names", tests)
