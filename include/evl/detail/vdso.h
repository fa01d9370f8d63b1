/* SPDX-License-Identifier: MIT */
/*
 * The time reader which the kernel maps into each process. We look it up for
 * ourselves: a libc may know nothing of it, or prefer a system call, which
 * would send an out-of-band thread in-band.
 */
#ifndef _EVL_DETAIL_VDSO_H
#define _EVL_DETAIL_VDSO_H

#include <evl/detail/libc.h>
#include <string.h>

__EVL_BEGIN_DECLS

#if defined(__aarch64__)
#define __EVL_HL_VDSO_GETTIME	"__kernel_clock_gettime"
#elif defined(__LP64__)
#define __EVL_HL_VDSO_GETTIME	"__vdso_clock_gettime"
#endif

typedef int (*__evl_hl_gettime_fn)(clockid_t id, struct timespec *ts);

__evl_inline int __evl_hl_libc_gettime(clockid_t id, struct timespec *ts)
{
	return clock_gettime(id, ts) ? -errno : 0;
}

/* What we need of the dynamic section of the image. */
struct __evl_hl_vdso {
	const struct __evl_hl_sym *symbols;
	const char *strings;
	const __u32 *hash;
	const __u32 *gnu_hash;
};

/* Addresses in the image are relative to where it would like to be. */
__evl_inline bool __evl_hl_vdso_open(struct __evl_hl_vdso *vdso, unsigned long image,
				     unsigned long *bias)
{
	const struct __evl_hl_ehdr *header = (const struct __evl_hl_ehdr *)image;
	const struct __evl_hl_phdr *segment = (const struct __evl_hl_phdr *)(image + header->phoff);
	const struct __evl_hl_dyn *dyn = NULL;
	bool loaded = false;
	int n;

	for (n = 0; n < header->phnum; n++) {
		if (segment[n].type == __EVL_HL_PT_LOAD && !loaded) {
			*bias = image + segment[n].offset - segment[n].vaddr;
			loaded = true;
		} else if (segment[n].type == __EVL_HL_PT_DYNAMIC) {
			dyn = (const struct __evl_hl_dyn *)(image + segment[n].offset);
		}
	}

	if (dyn == NULL || !loaded)
		return false;

	for (; dyn->tag != __EVL_HL_DT_NULL; dyn++) {
		unsigned long addr = *bias + dyn->value;

		if (dyn->tag == __EVL_HL_DT_SYMTAB)
			vdso->symbols = (const struct __evl_hl_sym *)addr;
		else if (dyn->tag == __EVL_HL_DT_STRTAB)
			vdso->strings = (const char *)addr;
		else if (dyn->tag == __EVL_HL_DT_HASH)
			vdso->hash = (const __u32 *)addr;
		else if (dyn->tag == __EVL_HL_DT_GNU_HASH)
			vdso->gnu_hash = (const __u32 *)addr;
	}

	return vdso->symbols && vdso->strings && (vdso->hash || vdso->gnu_hash);
}

/* Only the hash tables know how many symbols there are. */
__evl_inline unsigned int __evl_hl_vdso_count(const struct __evl_hl_vdso *vdso)
{
	const __u32 *buckets, *chain;
	unsigned int n, last = 0, first;

	if (vdso->hash)
		return vdso->hash[1];

	first = vdso->gnu_hash[1];
	buckets = vdso->gnu_hash + 4 + vdso->gnu_hash[2] * (sizeof(unsigned long) / 4);
	chain = buckets + vdso->gnu_hash[0];
	for (n = 0; n < vdso->gnu_hash[0]; n++)
		last = buckets[n] > last ? buckets[n] : last;

	if (last < first)
		return first;

	/* The lowest bit marks the end of the last chain. */
	while (!(chain[last - first] & 1))
		last++;

	return last + 1;
}

/* Falls back to libc. */
__evl_inline __evl_hl_gettime_fn __evl_hl_find_gettime(void)
{
#ifdef __EVL_HL_VDSO_GETTIME
	struct __evl_hl_vdso vdso = { NULL, NULL, NULL, NULL };
	unsigned long image = __evl_hl_getauxval(__EVL_HL_AT_SYSINFO_EHDR), bias = 0;
	unsigned int n, count;

	if (image == 0 || !__evl_hl_vdso_open(&vdso, image, &bias))
		return __evl_hl_libc_gettime;

	count = __evl_hl_vdso_count(&vdso);
	for (n = 0; n < count; n++) {
		const struct __evl_hl_sym *sym = vdso.symbols + n;

		if (sym->shndx != __EVL_HL_SHN_UNDEF && (sym->info & 0xf) == __EVL_HL_STT_FUNC &&
		    strcmp(vdso.strings + sym->name, __EVL_HL_VDSO_GETTIME) == 0)
			return (__evl_hl_gettime_fn)(bias + sym->value);
	}
#endif
	return __evl_hl_libc_gettime;
}

__EVL_END_DECLS

#endif /* _EVL_DETAIL_VDSO_H */
