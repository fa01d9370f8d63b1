/* SPDX-License-Identifier: MIT */
/*
 * The state of the library: one per process, and one per thread.
 *
 * A header-only library is compiled into any number of units, which end up
 * in any number of modules: the program, shared objects, plugins.
 *
 *   - Within a module, the linker keeps one of many weak definitions. They
 *     are hidden, so that no symbol rule of the dynamic linker (visibility,
 *     -rdynamic, RTLD_LOCAL, version scripts) has a say in what follows.
 *   - Among modules, each leaves an ELF note with the address of its state.
 *     All use the state of the first module that has such a note, in loading
 *     order: its home. The program comes first if it has one.
 *
 * Limits: a module stripped of its notes keeps to itself, and is then told
 * -EBUSY when attaching a thread which another module attached. evl_init()
 * pins the home, and the module which calls it: if that is a plugin,
 * dlclose() will not unload it. Modules built from headers which lay this state out differently
 * do not share it.
 */
#ifndef _EVL_DETAIL_SHARED_H
#define _EVL_DETAIL_SHARED_H

#include <evl/detail/libc.h>
#include <pthread.h>
#include <string.h>
#include <evl/control-abi.h>
#include <evl/thread-abi.h>

/* Goes up with each change of the two structures below. */
#define __EVL_HL_LAYOUT		3

/* How requests travel to the core, see evl/syscall-abi.h. */
#define __EVL_HL_FORM_A		0
#define __EVL_HL_FORM_B		1

/* How far a thread is from its end, see evl/detail/attached.h. */
#define __EVL_HL_UNWATCHED	0
#define __EVL_HL_WATCHED	1	/* the library will be told that it ends */
#define __EVL_HL_ENDS		2

/* Parts of the table of threads: for more of them than Linux has numbers. */
#define __EVL_HL_NR_PARTS	20

struct __evl_hl_thread {
	fundle_t handle;		/* EVL_NO_HANDLE if not attached */
	int efd;
	struct evl_user_window *window;
	__u64 *slot;			/* NULL if not attached */
	int watch;
	int rounds;			/* of destructors, when it ends */
};

/*
 * lock serialises the bootstrap, and the creation of elements on first use. Whoever
 * forks does not wait for it: a child may come from the middle of either.
 * What the bootstrap sets does not change after ready was set; ready, pinned and
 * atfork are read without the lock. The table of threads has no lock.
 */
struct __evl_hl_process {
	struct __evl_hl_thread *(*self)(void);	/* thread state in the home */
	void (*ends)(void *thread);	/* to be called when one ends */
	pthread_mutex_t lock;
	int pinned;
	int ready;
	int booted;
	int status;			/* of the bootstrap, if booted */
	int form;
	int ctlfd;
	int clockfd[2];			/* monotonic, realtime */
	int proxyfd[2];			/* stdout, stderr */
	int atfork;
	int forking;			/* forks under way */
	int stop_warned;
	int heap_serial;
	int keyed;
	pthread_key_t key;		/* has threads which end detach, if keyed */
	__u64 *attached[__EVL_HL_NR_PARTS];
	unsigned char *shm;
	struct evl_core_info core;
};

#define __EVL_HL_SHARED		__attribute__((weak, visibility("hidden"), used))

__EVL_BEGIN_DECLS

extern struct __evl_hl_process __evl_hl_process;
extern struct __evl_hl_process *__evl_hl_home_cache;
extern __thread struct __evl_hl_thread __evl_hl_thread;
struct __evl_hl_thread *__evl_hl_thread_here(void);
void __evl_hl_thread_ends(void *thread);

__EVL_HL_SHARED __thread struct __evl_hl_thread __evl_hl_thread = {
	EVL_NO_HANDLE, -1, NULL, NULL, __EVL_HL_UNWATCHED, 0
};

__EVL_HL_SHARED struct __evl_hl_thread *__evl_hl_thread_here(void)
{
	return &__evl_hl_thread;
}

__EVL_HL_SHARED void __evl_hl_thread_ends(void *thread)
{
	((struct __evl_hl_thread *)thread)->watch = __EVL_HL_ENDS;
}

__EVL_HL_SHARED struct __evl_hl_process __evl_hl_process = {
	__evl_hl_thread_here,
	__evl_hl_thread_ends,
	PTHREAD_MUTEX_INITIALIZER,
	0, 0, 0, 0, __EVL_HL_FORM_A,
	-1,
	{ -ENXIO, -ENXIO },
	{ -EBADF, -EBADF },
	0, 0, 0, 0,
	0, 0,
	{ NULL },
	NULL,
	{ 0, 0, 0, 0 },
};

__EVL_HL_SHARED struct __evl_hl_process *__evl_hl_home_cache = NULL;

/*
 * If the caller is part of the program, then so is the home: only a shared
 * object may have to pin. Weak, for the sake of libcs which keep it apart.
 */
#if defined(__PIC__) && !defined(__PIE__)
extern void *__evl_hl_dlopen(const char *path, int flags)
	__asm__("dlopen") __attribute__((weak));
#else
static void *(*const __evl_hl_dlopen)(const char *, int) __attribute__((unused)) = NULL;
#endif

/*
 * The note: its type is the layout of the state, its content the distance to
 * a pointer which the dynamic linker sets. (A note is read-only, and must not
 * need relocation itself.) One per unit, all of a module say the same.
 */
#define __EVL_HL_NOTE_NAME	"EVL-hl"
#define __EVL_HL_STR(__x)	#__x
#define __EVL_HL_XSTR(__x)	__EVL_HL_STR(__x)

#if defined(__LP64__)
#define __EVL_HL_ASM_PTR	".8byte"
#else
#define __EVL_HL_ASM_PTR	".4byte"
#endif

__asm__("\t.pushsection .data.rel.ro.evl_hl,\"aw\",%progbits\n"
	"\t.balign 8\n"
	"881:\t" __EVL_HL_ASM_PTR " __evl_hl_process\n"
	"\t.popsection\n"
	"\t.pushsection .note.evl_hl,\"a\",%note\n"
	"\t.balign 4\n"
	"\t.4byte 7\n"
	"\t.4byte 4\n"
	"\t.4byte " __EVL_HL_XSTR(__EVL_HL_LAYOUT) "\n"
	"\t.asciz \"" __EVL_HL_NOTE_NAME "\"\n"
	"\t.balign 4\n"
	"882:\t.4byte 881b - 882b\n"
	"\t.popsection\n");

struct __evl_hl_search {
	struct __evl_hl_process *home;
	const char *home_path;
	const char *own_path;
	bool in_program;		/* the home comes first */
	bool everywhere;		/* look for our own module as well */
	int rank;
};

/* Looks for our note in one segment of notes. */
__evl_inline struct __evl_hl_process *__evl_hl_scan_notes(const unsigned char *p, size_t size)
{
	const size_t namesz = sizeof(__EVL_HL_NOTE_NAME), header = 12;
	struct __evl_hl_process *home;
	__u32 word[3];
	__s32 distance;
	size_t length;

	while (size >= header) {
		memcpy(word, p, header);
		length = header + ((word[0] + (size_t)3) & ~(size_t)3)
			+ ((word[1] + (size_t)3) & ~(size_t)3);
		if (length > size)
			break;

		if (word[0] == namesz && word[1] == sizeof(distance) &&
		    word[2] == __EVL_HL_LAYOUT &&
		    memcmp(p + header, __EVL_HL_NOTE_NAME, namesz) == 0) {
			p += header + ((namesz + 3) & ~(size_t)3);
			memcpy(&distance, p, sizeof(distance));
			memcpy(&home, p + distance, sizeof(home));
			return home;
		}

		p += length;
		size -= length;
	}

	return NULL;
}

__evl_inline int __evl_hl_visit_module(struct __evl_hl_module *mod, size_t size, void *arg)
{
	const uintptr_t here = (uintptr_t)&__evl_hl_process;
	struct __evl_hl_search *search = (struct __evl_hl_search *)arg;
	uintptr_t start;
	int n;

	(void)size;

	for (n = 0; n < mod->phnum; n++) {
		start = (uintptr_t)(mod->base + mod->phdr[n].vaddr);
		if (mod->phdr[n].type == __EVL_HL_PT_LOAD && here >= start &&
		    here - start < mod->phdr[n].memsz)
			search->own_path = mod->name;

		if (mod->phdr[n].type != __EVL_HL_PT_NOTE || search->home)
			continue;

		search->home = __evl_hl_scan_notes((const unsigned char *)start,
						   mod->phdr[n].memsz);
		search->home_path = mod->name;
		search->in_program = search->rank == 0;
	}

	search->rank++;

	return search->home != NULL && !search->everywhere;
}

/*
 * Finds the home. Pinning keeps it in memory, along with the calling module,
 * whose handlers serve the process from then on. The answer may be kept once
 * it cannot change any more.
 */
__evl_cold struct __evl_hl_process *__evl_hl_find_home(int pin)
{
	const int lazy_noload_nodelete = 0x1 | 0x4 | 0x1000;
	struct __evl_hl_search search;

	memset(&search, 0, sizeof(search));
	search.everywhere = pin != 0;
	__evl_hl_iterate_modules(__evl_hl_visit_module, &search);

	if (search.home == NULL) {
		search.home = &__evl_hl_process;
		search.home_path = search.own_path;
	}

	if (pin && __evl_hl_dlopen) {
		if (!search.in_program && search.home_path)
			__evl_hl_dlopen(search.home_path, lazy_noload_nodelete);
		if (search.own_path && search.own_path != search.home_path)
			__evl_hl_dlopen(search.own_path, lazy_noload_nodelete);
	}

	if (pin || search.in_program)
		__evl_hl_store(&search.home->pinned, 1);
	if (__evl_hl_load(&search.home->pinned))
		__evl_hl_store(&__evl_hl_home_cache, search.home);

	return search.home;
}

/* The process-wide state. */
__evl_always struct __evl_hl_process *__evl_hl_home(void)
{
	struct __evl_hl_process *home = __evl_hl_load(&__evl_hl_home_cache);

	if (__evl_likely(home != NULL))
		return home;

	return __evl_hl_find_home(0);
}

/* The state of the calling thread. */
__evl_always struct __evl_hl_thread *__evl_hl_self_in(struct __evl_hl_process *home)
{
	if (__evl_likely(home == &__evl_hl_process))
		return &__evl_hl_thread;

	return home->self();
}

__evl_always struct __evl_hl_thread *__evl_hl_self(void)
{
	return __evl_hl_self_in(__evl_hl_home());
}

/*
 * A plugin loaded while real-time threads run had better not search for its
 * home in the first request of one of them.
 */
void __evl_hl_enter(void);
__attribute__((constructor)) __EVL_HL_SHARED void __evl_hl_enter(void)
{
	__evl_hl_home();
}

/* True once evl_init() has succeeded. */
__evl_inline bool __evl_hl_ready(void)
{
	return __evl_hl_load(&__evl_hl_home()->ready) != 0;
}

/* True if the caller runs in-band, attached or not. No request. */
__evl_always bool __evl_hl_is_inband_in(struct __evl_hl_process *home)
{
	struct evl_user_window *window = __evl_hl_self_in(home)->window;

	return window == NULL || (__evl_hl_load(&window->state) & EVL_T_INBAND) != 0;
}

__evl_always bool __evl_hl_is_inband(void)
{
	return __evl_hl_is_inband_in(__evl_hl_home());
}

/*
 * Keeps the caller from being cancelled in the middle of what opens or closes: these
 * are cancellation points, and with asynchronous cancellation, so is all the rest. What
 * was opened would stay, and nobody know of it.
 */
__evl_inline int __evl_hl_hold_cancel(void)
{
	int cancel_state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);

	return cancel_state;
}

__evl_inline void __evl_hl_allow_cancel(int cancel_state)
{
	pthread_setcancelstate(cancel_state, NULL);
}

/* Nor is the holder of the process lock cancelled. */
__evl_inline int __evl_hl_lock_process(struct __evl_hl_process *home)
{
	int cancel_state = __evl_hl_hold_cancel();

	pthread_mutex_lock(&home->lock);

	return cancel_state;
}

__evl_inline void __evl_hl_unlock_process(struct __evl_hl_process *home, int cancel_state)
{
	pthread_mutex_unlock(&home->lock);
	__evl_hl_allow_cancel(cancel_state);
}

__EVL_END_DECLS

#endif /* _EVL_DETAIL_SHARED_H */
