/* SPDX-License-Identifier: MIT */
/*
 * What we use of libc and would not show to the application: these headers
 * bring thousands of names along, and some clash with those of the kernel.
 * The values are those of all architectures which we know.
 */
#ifndef _EVL_DETAIL_LIBC_H
#define _EVL_DETAIL_LIBC_H

#include <stddef.h>
#include <evl/detail/base.h>

__EVL_BEGIN_DECLS

/* <fcntl.h> */
#define __EVL_HL_O_RDWR		02
#define __EVL_HL_O_NONBLOCK	04000
#define __EVL_HL_O_CLOEXEC	02000000
#define __EVL_HL_F_SETFD	2
#define __EVL_HL_F_GETFL	3
#define __EVL_HL_F_SETFL	4
#define __EVL_HL_FD_CLOEXEC	1

extern int __evl_hl_open(const char *path, int flags, ...) __asm__("open");
extern int __evl_hl_fcntl(int fd, int cmd, ...) __asm__("fcntl");

/* <stdlib.h> */
extern void *__evl_hl_malloc(size_t size) __asm__("malloc");
extern void __evl_hl_free(void *block) __asm__("free");

/* What C++ compilers call for objects of a thread, if the libc has it. */
extern int __evl_hl_thread_atexit(void (*destructor)(void *object), void *object, void *module)
	__asm__("__cxa_thread_atexit_impl") __attribute__((weak));

/* <unistd.h>, where this is GNU's. */
extern long __evl_hl_syscall(long nr, ...) __asm__("syscall");

/* <sys/mman.h> */
#define __EVL_HL_PROT_RW	(0x1 | 0x2)
#define __EVL_HL_MAP_SHARED	0x1
#define __EVL_HL_MAP_FIXED	0x10
#define __EVL_HL_MCL_ALL	(0x1 | 0x2)

/* All addresses but this one. */
#define __evl_hl_map_failed(__p)	((uintptr_t)(__p) == ~(uintptr_t)0)

extern void *__evl_hl_mmap(void *addr, size_t length, int prot, int flags, int fd,
			   long offset) __asm__("mmap");
extern int __evl_hl_mlockall(int flags) __asm__("mlockall");

/* <sys/auxv.h> */
#define __EVL_HL_AT_SYSINFO_EHDR	33

extern unsigned long __evl_hl_getauxval(unsigned long type) __asm__("getauxval");

/* <elf.h>, as far as the running program is concerned. */
#define __EVL_HL_PT_LOAD	1
#define __EVL_HL_PT_DYNAMIC	2
#define __EVL_HL_PT_NOTE	4
#define __EVL_HL_DT_NULL	0
#define __EVL_HL_DT_HASH	4
#define __EVL_HL_DT_STRTAB	5
#define __EVL_HL_DT_SYMTAB	6
#define __EVL_HL_DT_GNU_HASH	0x6ffffef5
#define __EVL_HL_SHN_UNDEF	0
#define __EVL_HL_STT_FUNC	2

struct __evl_hl_ehdr {
	unsigned char ident[16];
	__u16 type;
	__u16 machine;
	__u32 version;
	unsigned long entry;
	unsigned long phoff;
	unsigned long shoff;
	__u32 flags;
	__u16 ehsize;
	__u16 phentsize;
	__u16 phnum;
};

/* Those of 64 bits have the small members in front, for alignment. */
struct __evl_hl_phdr {
	__u32 type;
#if defined(__LP64__)
	__u32 flags;
#endif
	unsigned long offset;
	unsigned long vaddr;
	unsigned long paddr;
	unsigned long filesz;
	unsigned long memsz;
#if !defined(__LP64__)
	__u32 flags;
#endif
	unsigned long align;
};

struct __evl_hl_dyn {
	long tag;
	unsigned long value;
};

struct __evl_hl_sym {
	__u32 name;
#if defined(__LP64__)
	unsigned char info;
	unsigned char other;
	__u16 shndx;
#endif
	unsigned long value;
	unsigned long size;
#if !defined(__LP64__)
	unsigned char info;
	unsigned char other;
	__u16 shndx;
#endif
};

/* <link.h>: what dl_iterate_phdr() gives. */
struct __evl_hl_module {
	unsigned long base;
	const char *name;
	const struct __evl_hl_phdr *phdr;
	__u16 phnum;
};

extern int __evl_hl_iterate_modules(int (*fn)(struct __evl_hl_module *, size_t, void *),
				    void *arg) __asm__("dl_iterate_phdr");

__EVL_END_DECLS

#endif /* _EVL_DETAIL_LIBC_H */
