/* SPDX-License-Identifier: GPL-2.0-only */
/* A page which is not there until the test says so: whoever touches it waits. */
#ifndef EVL_TEST_FAULT_H
#define EVL_TEST_FAULT_H

#include "test.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <linux/userfaultfd.h>

struct fault_page {
	int uffd;
	void *addr;
};

static void new_fault_page(struct fault_page *page)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };

	page->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (page->uffd < 0)
		check_skip("no userfaultfd: %s", strerror(errno));
	check_sys(ioctl(page->uffd, UFFDIO_API, &api));
	page->addr = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(page->addr != MAP_FAILED);
	reg.range.start = (uintptr_t)page->addr;
	reg.range.len = 4096;
	check_sys(ioctl(page->uffd, UFFDIO_REGISTER, &reg));
}

/* Until somebody waits for it. */
static void await_fault(struct fault_page *page)
{
	struct pollfd pfd = { .fd = page->uffd, .events = POLLIN };
	struct uffd_msg msg;

	check_eq(poll(&pfd, 1, 30000), 1);
	check_eq(read(page->uffd, &msg, sizeof(msg)), sizeof(msg));
	check_eq(msg.event, UFFD_EVENT_PAGEFAULT);
}

/* Have the page there, with a copy of the one at @src, or zeroes. */
static void resolve_fault(struct fault_page *page, const void *src)
{
	static const char zeroes[4096] __attribute__((aligned(4096)));
	struct uffdio_copy copy = { .len = 4096 };

	copy.dst = (uintptr_t)page->addr;
	copy.src = (uintptr_t)(src ? src : zeroes);
	check_sys(ioctl(page->uffd, UFFDIO_COPY, &copy));
}

#endif /* !EVL_TEST_FAULT_H */
