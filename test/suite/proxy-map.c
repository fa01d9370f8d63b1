// SPDX-License-Identifier: GPL-2.0-only
/* Mapping files through proxies. */
#include "helpers.h"
#include <evl/proxy.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/socket.h>

static int map_only(int target)
{
	return check_ok(evl_create_proxy(target, 0, 0, EVL_CLONE_PRIVATE, "map:%d", get_tid()));
}

/* The error of a mapping which is refused, 0 if it is not. */
static int try_map(int fd, int prot, int flags)
{
	void *p = mmap(NULL, 4096, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		return errno;
	munmap(p, 4096);
	return 0;
}

static int new_memfd(int flags)
{
	int fd = check_sys(memfd_create("mapped", MFD_CLOEXEC | flags));

	check_sys(ftruncate(fd, 8192));
	return fd;
}

/* A mapping is not to touch its pages. */
static void init_unlocked(void)
{
	check_ok(evl_init());
	check_sys(munlockall());
}

/* --- What it is for --------------------------------------------------------------------------- */

static void maps_its_file(void)
{
	int memfd = check_sys(memfd_create("mapped", 0)), fd;
	char *direct, *proxied;

	check_sys(ftruncate(memfd, 8192));
	attach_fifo(10);
	fd = check_ok(evl_create_proxy(memfd, 0, 0, 0, "map:%d", getpid()));
	direct = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	proxied = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(direct != MAP_FAILED);
	if (proxied == MAP_FAILED)
		check_fail("mmap: %s", strerror(errno));
	strcpy(direct + 100, "shared");
	check_str(proxied + 100, "shared");
	strcpy(proxied + 5000, "both ways");
	check_str(direct + 5000, "both ways");
	/* It is for mapping only. */
	check_eq(evl_write_proxy(fd, "x", 1), -ENXIO);
	check_eq(evl_read_proxy(fd, direct, 1), -ENXIO);
	/* The mapping outlives both descriptors. */
	close(fd);
	close(memfd);
	check(!has_element("proxy", own_name("map")));
	strcpy(proxied + 200, "still");
	check_str(direct + 200, "still");
}

static void map_from_afar(void *arg)
{
	char *map;
	int fd;

	(void)arg;
	check_ok(evl_init());
	fd = check_ok(evl_open_element("proxy", "mapped-afar"));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(map != MAP_FAILED);
	check_str(map, "hello");
	strcpy(map, "there");
}

static void maps_in_another_process(void)
{
	int memfd = check_sys(memfd_create("mapped", MFD_CLOEXEC));
	char *map;

	check_sys(ftruncate(memfd, 4096));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	check(map != MAP_FAILED);
	strcpy(map, "hello");
	check_ok(evl_init());
	check_ok(evl_create_proxy(memfd, 0, 0, EVL_CLONE_PUBLIC, "mapped-afar"));
	wait_success(fork_child(map_from_afar, NULL));
	check_str(map, "there");
}

static int try_map_only(int target)
{
	int fd = evl_create_proxy(target, 0, 0, EVL_CLONE_PRIVATE, "map:%d", get_tid());

	if (fd >= 0)
		close(fd);
	return fd;
}

/* There is nothing else to do with such a proxy. A relay makes it useful. */
static void cannot_map_a_pipe(void)
{
	int pipe_fds[2], sv[2], fd;

	init_unlocked();
	check_sys(pipe(pipe_fds));
	check_eq(try_map_only(pipe_fds[0]), -EINVAL);
	check_sys(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	check_eq(try_map_only(sv[0]), -EINVAL);
	check_eq(try_map_only(check_sys(epoll_create1(0))), -EINVAL);
	fd = check_ok(evl_create_proxy(pipe_fds[1], 64, 0, EVL_CLONE_OUTPUT, "map:%d", getpid()));
	check_eq(try_map(fd, PROT_READ, MAP_SHARED), ENODEV);
}

/* --- What the target would refuse -------------------------------------------------------------- */

/* Their size shows in what Linux does before and after. */
static void no_huge_pages(void)
{
	int memfd, fd;

	init_unlocked();
	memfd = memfd_create("huge", MFD_HUGETLB);
	if (memfd < 0)
		check_skip("no huge pages: %s", strerror(errno));
	check_eq(try_map_only(memfd), -EINVAL);
	fd = check_ok(evl_create_proxy(memfd, 64, 0, EVL_CLONE_INPUT, "map:%d", getpid()));
	check_eq(try_map(fd, PROT_READ, MAP_SHARED | MAP_NORESERVE), ENODEV);
	check_eq(try_map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE), ENODEV);
}

static void no_code(void)
{
	int memfd, fd;
	void *p;

	init_unlocked();
	mkdir("/tmp/noexec", 0700);
	check_sys(mount("none", "/tmp/noexec", "tmpfs", MS_NOEXEC, NULL));
	memfd = check_sys(open("/tmp/noexec/file", O_RDWR | O_CREAT, 0700));
	check_sys(umount2("/tmp/noexec", MNT_DETACH));
	check_sys(rmdir("/tmp/noexec"));
	check_sys(ftruncate(memfd, 4096));
	for (int n = 0; n < 2; n++) {
		fd = map_only(memfd);
		check_eq(try_map(fd, PROT_READ | PROT_EXEC, MAP_SHARED), EPERM);
		check_eq(try_map(fd, PROT_READ | PROT_EXEC, MAP_PRIVATE), EPERM);
		p = mmap(NULL, 4096, PROT_READ, n ? MAP_SHARED : MAP_PRIVATE, fd, 0);
		check(p != MAP_FAILED);
		check_errno(mprotect(p, 4096, PROT_READ | PROT_EXEC), EACCES);
		close(fd);
		/* The same with a file which might be executed. */
		memfd = new_memfd(0);
	}
}

static void read_only(void)
{
	char path[64];
	int memfd = new_memfd(0), fd;
	void *p;

	init_unlocked();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	fd = map_only(check_sys(open(path, O_RDONLY)));
	check_eq(try_map(fd, PROT_READ | PROT_WRITE, MAP_SHARED), EACCES);
	check_eq(try_map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE), 0);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	check(p != MAP_FAILED);
	check_errno(mprotect(p, 4096, PROT_READ | PROT_WRITE), EACCES);
	close(fd);
	fd = map_only(check_sys(open(path, O_WRONLY)));
	check_eq(try_map(fd, PROT_READ, MAP_SHARED), EACCES);
	check_eq(try_map(fd, PROT_WRITE, MAP_SHARED), EACCES);
}

static void beyond_the_end_of_files(void)
{
	int fd;

	init_unlocked();
	fd = map_only(new_memfd(0));
	check(mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, LLONG_MAX & ~4095LL) == MAP_FAILED);
	check_eq(errno, EOVERFLOW);
	check_eq(try_map(fd, PROT_READ, MAP_SHARED), 0);
}

/* --- Seals ------------------------------------------------------------------------------------------ */

static void sealed(void)
{
	int memfd = new_memfd(MFD_ALLOW_SEALING), fd, again;
	char path[64];

	init_unlocked();
	fd = map_only(memfd);
	check_sys(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE));
	check_eq(try_map(fd, PROT_READ | PROT_WRITE, MAP_SHARED), EPERM);
	check_eq(try_map(fd, PROT_READ, MAP_SHARED), EPERM);
	check_eq(try_map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE), 0);
	close(fd);
	/* Nor does a mapping for reading loosen the seal. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	again = check_sys(open(path, O_RDONLY));
	fd = map_only(again);
	mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	check_eq(try_map(memfd, PROT_READ | PROT_WRITE, MAP_SHARED), EPERM);
}

/* A mapping through a proxy keeps the file from being sealed as any does, no longer, and no shorter. */
static void sealing_waits_for_unmapping(void)
{
	int memfd = new_memfd(MFD_ALLOW_SEALING), fd;
	char *p;

	init_unlocked();
	fd = map_only(memfd);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(p != MAP_FAILED);
	for (int n = 0; n < 50; n++) {
		check_errno(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
		nap();
	}
	*p = 1;
	check_sys(munmap(p, 4096));
	await(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
}

static int sealing_fd;
static atomic_int round_nr;

static void *seal_it(void *arg)
{
	int seen = 0;

	for (;;) {
		int nr = atomic_load(&round_nr);

		if (nr < 0)
			return arg;
		if (nr == seen)
			continue;
		seen = nr;
		while (fcntl(sealing_fd, F_ADD_SEALS, F_SEAL_WRITE) && atomic_load(&round_nr) == nr)
			;
	}
}

/* Either the mapping comes first, or the seal. */
static void sealing_in_motion(void)
{
	pthread_t thread;

	init_unlocked();
	check_eq(pthread_create(&thread, NULL, seal_it, NULL), 0);
	for (int n = 1; n < 300; n++) {
		int fd;
		void *p;

		sealing_fd = new_memfd(MFD_ALLOW_SEALING);
		fd = map_only(sealing_fd);
		atomic_store(&round_nr, n);
		p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p == MAP_FAILED)
			check_eq(errno, EPERM);
		else
			check(!(fcntl(sealing_fd, F_GET_SEALS) & F_SEAL_WRITE));
		if (p != MAP_FAILED)
			munmap(p, 4096);
		await(fcntl(sealing_fd, F_GET_SEALS) & F_SEAL_WRITE);
		close(fd);
		close(sealing_fd);
	}
	atomic_store(&round_nr, -1);
	pthread_join(thread, NULL);
}

static atomic_bool mapped_enough;

static void *map_and_unmap(void *arg)
{
	while (!atomic_load(&mapped_enough))
		check_eq(try_map(*(int *)arg, PROT_READ | PROT_WRITE, MAP_SHARED), 0);
	return arg;
}

static int module_users(void)
{
	char buf[32] = "";
	int fd = check_sys(open("/sys/module/evl/refcnt", O_RDONLY));

	check_gt(read(fd, buf, sizeof(buf) - 1), 0);
	close(fd);
	return atoi(buf);
}

#define MAPPERS	3

/* However fast they come, mappings do not leave more and more behind, which holds the module as well. */
static void mapping_without_pause(void)
{
	int memfd = new_memfd(MFD_ALLOW_SEALING), fd, before, most = 0;
	pthread_t thread[MAPPERS];

	init_unlocked();
	fd = map_only(memfd);
	before = module_users();
	for (int n = 0; n < MAPPERS; n++)
		check_eq(pthread_create(&thread[n], NULL, map_and_unmap, &fd), 0);
	for (int64_t end = now() + 2 * NSEC_PER_SEC; now() < end; nap()) {
		int users = module_users();

		if (users > most)
			most = users;
	}
	atomic_store(&mapped_enough, true);
	for (int n = 0; n < MAPPERS; n++)
		pthread_join(thread[n], NULL);
	check_lt(most, before + 20);
	await(module_users() == before);
	await(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
}

static const struct CMUnitTest tests[] = {
	TEST(maps_its_file, "mmap maps the file behind"),
	TEST(maps_in_another_process, "also in another process"),
	TEST(cannot_map_a_pipe, "a proxy for mapping wants a file which can be mapped: -EINVAL"),
	TEST(no_huge_pages, "neither can huge pages be"),
	TEST(no_code, "nothing is executed through a proxy, now or later"),
	TEST(read_only, "the mapping may do what the file is open for"),
	TEST(beyond_the_end_of_files, "offsets which no file has are EOVERFLOW"),
	TEST(sealed, "a file sealed against writing cannot be mapped shared"),
	TEST(sealing_waits_for_unmapping, "a mapping keeps its file from being sealed"),
	TEST(sealing_in_motion, "also one which is just being made"),
	TEST(mapping_without_pause, "mappings which come and go without pause leave nothing behind"),
};

TEST_MAIN("proxy-map", tests)
