// SPDX-License-Identifier: GPL-2.0-only
/* What applications write, to be compiled as C and as C++: never run. */
#ifdef __cplusplus
extern "C" int evl_init(void);
#else
extern int evl_init(void);
#endif

#include <evl/evl.h>
#include <evl/heap.h>
#include <evl/list.h>
#include <evl/atomic.h>
#ifndef __cplusplus
#include <evl/ring_ptr.h>
#endif
#include <evl/trace.h>

static DEFINE_EVL_MUTEX(mutex);
static DEFINE_EVL_EVENT(event);
static DEFINE_EVL_SEM(sem);
static DEFINE_EVL_FLAGS(flags);
static DEFINE_EVL_RWLOCK(rwlock);
/* As values of static variables, these are an extension of GNU C. */
#ifdef ISO_C
static struct evl_mutex ceiling;
static struct evl_event event2;
static struct evl_sem sem2;
static struct evl_flags flags2;
static struct evl_rwlock rwlock2;
#else
static struct evl_mutex ceiling =
	EVL_MUTEX_INITIALIZER("ceiling", EVL_CLOCK_MONOTONIC, 10, EVL_MUTEX_RECURSIVE);
static struct evl_event event2 =
	EVL_EVENT_INITIALIZER("event", EVL_CLOCK_REALTIME, EVL_CLONE_PRIVATE);
static struct evl_sem sem2 =
	EVL_SEM_INITIALIZER(NULL, EVL_CLOCK_MONOTONIC, 1, EVL_CLONE_NONBLOCK);
static struct evl_flags flags2 =
	EVL_FLAGS_INITIALIZER("/flags", EVL_CLOCK_MONOTONIC, 1, EVL_CLONE_PUBLIC);
static struct evl_rwlock rwlock2 = EVL_RWLOCK_INITIALIZER();
#endif

#ifndef __cplusplus
DEFINE_EVL_RINGPTR_STATIC(ring, 4U)
DEFINE_EVL_RINGPTR_DYNAMIC(ring2, EVL_RINGPTR_MINORDER)
#endif

static unsigned char memory[EVL_HEAP_RAW_SIZE(65536)];

static int create(const char *name)
{
	struct evl_mutex m;
	struct evl_event e;
	struct evl_sem s;
	struct evl_flags f;
	struct evl_rwlock rw;
	struct evl_heap heap;

	ceiling = EVL_MUTEX_INITIALIZER(NULL, EVL_CLOCK_MONOTONIC, 10, EVL_MUTEX_NORMAL);
	event2 = EVL_EVENT_INITIALIZER(name, EVL_CLOCK_MONOTONIC, EVL_CLONE_PRIVATE);
	sem2 = EVL_SEM_INITIALIZER(name, EVL_CLOCK_MONOTONIC, 0, EVL_CLONE_PRIVATE);
	flags2 = EVL_FLAGS_INITIALIZER(name, EVL_CLOCK_MONOTONIC, 0, EVL_CLONE_PRIVATE);
	rwlock2 = EVL_RWLOCK_INITIALIZER();

	return evl_attach_self("usage:%d", getpid()) + evl_attach_self(NULL) +
		evl_attach_thread(EVL_CLONE_OBSERVABLE | EVL_CLONE_MASTER, "%s", name) +
		evl_new_mutex(&m, "m") + evl_new_event(&e, "e:%d", 1) +
		evl_new_sem(&s, NULL) + evl_new_flags(&f, "%s", name) + evl_new_rwlock(&rw) +
		evl_new_xbuf(1024, "/xbuf") + evl_new_proxy(1, 1024, "proxy") +
		evl_new_observable("%s", name) + evl_new_poll() +
		evl_new_timer(EVL_CLOCK_MONOTONIC) +
		evl_init_heap(&heap, memory, sizeof(memory));
}

static int use(int fd)
{
	struct evl_poll_event set[4];
	struct evl_sched_attrs attrs;
	struct evl_notice notice;
	int bits, old;

	attrs.sched_policy = SCHED_RR;
	attrs.sched_priority = 10;
	attrs.sched_rr_quantum.tv_sec = 0;
	attrs.sched_rr_quantum.tv_nsec = 1000000;
	notice.tag = EVL_NOTICE_USER + 1;
	notice.event = evl_intval(42);

	return evl_lock_mutex(&mutex) + evl_lock_mutex(&ceiling) +
		evl_wait_event(&event, &mutex) + evl_signal_event(&event2) +
		evl_get_sem(&sem) + evl_put_sem(&sem2) + evl_wait_flags(&flags, &bits) +
		evl_post_flags(&flags2, 1) + evl_lock_read(&rwlock) + evl_lock_write(&rwlock2) +
		evl_add_pollfd(fd, fd, POLLIN, evl_nil) +
		evl_mod_pollfd(fd, fd, POLLIN, evl_ptrval(set)) + evl_poll(fd, set, 4) +
		evl_set_schedattr(fd, &attrs) + evl_update_observable(fd, &notice, 1) +
		evl_set_thread_mode(fd, T_WOSS | EVL_T_HMSIG, &old) +
		(evl_send_proxy(fd, "x", 1) > 0) + evl_unlock_mutex(&mutex) +
		(evl_trace_write(evl_trace_open(), "x", 1) > 0) +
		(evl_trace_printf(fd, "mark %d", fd) > 0) + evl_trace_snapshot(fd);
}

#ifndef __cplusplus
static int pass(void *ptr)
{
	struct evl_ring_cursor cursor;

	evl_init_cursor_ring(&cursor);
	if (evl_alloc_ring2())
		return 0;
	evl_clear_ring2();

	return evl_enqueue_ring(ptr, &cursor) && evl_dequeue_ring(&ptr) &&
		evl_enqueue_ring2(ptr, &cursor) && evl_dequeue_ring2(&ptr);
}
#else
static int pass(void *ptr)
{
	return ptr ? 1 : 0;
}
#endif

int main(int argc, char *argv[])
{
	return create(argv[0]) + use(argc) + pass(argv);
}
