// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings of pointers: what calls return, in which order pointers come, and that whoever is
 * stopped in the middle of a call, at whichever instruction, keeps nobody from going on.
 */
#include "unit.h"
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <evl/ring_ptr.h>

#define ARRAY_SIZE(__a)	(sizeof(__a) / sizeof((__a)[0]))

/* Of all shapes: one entry, less than a cache line of them, one, several. */
DEFINE_EVL_RINGPTR_STATIC(one, 0)
DEFINE_EVL_RINGPTR_STATIC(two, 1)
DEFINE_EVL_RINGPTR_STATIC(eight, 3)
DEFINE_EVL_RINGPTR_STATIC(line, EVL_RINGPTR_MINORDER)
DEFINE_EVL_RINGPTR_STATIC(lines, EVL_RINGPTR_MINORDER + 1)
DEFINE_EVL_RINGPTR_STATIC(many, 9)
DEFINE_EVL_RINGPTR_DYNAMIC(dynamic, 6)

static unsigned char memory[SIZEOF_EVL_RINGPTR(2)] __attribute__((aligned(EVL_RING_ALIGNMENT)));
DEFINE_EVL_RINGPTR_OPS(placed, memory, 2)

struct ring {
	unsigned int size;
	bool (*enqueue)(void *ptr, struct evl_ring_cursor *cursor);
	bool (*dequeue)(void **ptr);
	void (*init_cursor)(struct evl_ring_cursor *cursor);
	void (*clear)(void);
};

#define RING(__name, __order)						\
	{ 1 << (__order), evl_enqueue_##__name, evl_dequeue_##__name,	\
	  evl_init_cursor_##__name, evl_clear_##__name }

static const struct ring rings[] = {
	RING(one, 0),
	RING(two, 1),
	RING(eight, 3),
	RING(line, EVL_RINGPTR_MINORDER),
	RING(lines, EVL_RINGPTR_MINORDER + 1),
	RING(many, 9),
	RING(dynamic, 6),
	RING(placed, 2),
};

static void *ptr_of(uintptr_t n)
{
	return (void *)n;
}

static void check_empty(const struct ring *ring)
{
	void *ptr = &ptr;

	assert_false(ring->dequeue(&ptr));
	assert_ptr_equal(ptr, &ptr);
}

static void fill(const struct ring *ring, uintptr_t first)
{
	struct evl_ring_cursor cursor;
	unsigned int n;

	ring->init_cursor(&cursor);
	for (n = 0; n < ring->size; n++)
		assert_true(ring->enqueue(ptr_of(first + n), &cursor));
	assert_false(ring->enqueue(ptr_of(0), &cursor));
	assert_false(ring->enqueue(ptr_of(0), &cursor));
}

static void drain(const struct ring *ring, uintptr_t first)
{
	unsigned int n;
	void *ptr;

	for (n = 0; n < ring->size; n++) {
		assert_true(ring->dequeue(&ptr));
		assert_ptr_equal(ptr, ptr_of(first + n));
	}
	check_empty(ring);
	check_empty(ring);
}

static void test_empty_at_first(void **state)
{
	size_t n;

	(void)state;
	for (n = 0; n < ARRAY_SIZE(rings); n++)
		check_empty(&rings[n]);
}

static void test_full(void **state)
{
	size_t n;
	int lap;

	(void)state;
	for (n = 0; n < ARRAY_SIZE(rings); n++) {
		for (lap = 0; lap < 20; lap++) {
			fill(&rings[n], (uintptr_t)lap * 1000);
			drain(&rings[n], (uintptr_t)lap * 1000);
		}
	}
}

/* From each place on, with each number of pointers in it. */
static void test_wrap(void **state)
{
	uintptr_t in = 0, out = 0;
	unsigned int level, n;
	const struct ring *ring;
	void *ptr;

	(void)state;
	for (ring = rings; ring < rings + ARRAY_SIZE(rings); ring++) {
		for (level = 0; level < ring->size; level++) {
			for (n = 0; n < 2 * ring->size + 1; n++) {
				assert_true(ring->enqueue(ptr_of(in++), NULL));
				if (n < level)
					continue;
				assert_true(ring->dequeue(&ptr));
				assert_ptr_equal(ptr, ptr_of(out++));
			}
			while (ring->dequeue(&ptr))
				assert_ptr_equal(ptr, ptr_of(out++));
			assert_int_equal(in, out);
		}
	}
}

static void test_any_pointer(void **state)
{
	void *ptr = &ptr;

	(void)state;
	assert_true(evl_enqueue_eight(NULL, NULL));
	assert_true(evl_enqueue_eight(ptr_of(UINTPTR_MAX), NULL));
	assert_true(evl_dequeue_eight(&ptr));
	assert_null(ptr);
	assert_true(evl_dequeue_eight(&ptr));
	assert_ptr_equal(ptr, ptr_of(UINTPTR_MAX));
}

static void test_clear(void **state)
{
	size_t n;

	(void)state;
	for (n = 0; n < ARRAY_SIZE(rings); n++) {
		fill(&rings[n], 0);
		rings[n].clear();
		check_empty(&rings[n]);
		fill(&rings[n], 5);
		drain(&rings[n], 5);
	}
}

static void test_alloc_again(void **state)
{
	void *ptr;

	(void)state;
	assert_true(evl_enqueue_dynamic(&ptr, NULL));
	assert_int_equal(evl_alloc_dynamic(), 0);
	assert_true(evl_dequeue_dynamic(&ptr));
	assert_ptr_equal(ptr, &ptr);
}

static void test_layout(void **state)
{
	TYPEOF_EVL_RINGPTR(local, 5) ring;

	(void)state;
	assert_int_equal((uintptr_t)&ring % EVL_RING_ALIGNMENT, 0);
	assert_true(sizeof(ring) >= SIZEOF_EVL_RINGPTR(5));
	assert_true(sizeof(ring) < SIZEOF_EVL_RINGPTR(5) + EVL_RING_ALIGNMENT);
	assert_int_equal(EVL_RING_CACHELINE_BYTES, 1 << EVL_RING_CACHELINE_SHIFT);
}

/* --- In a signal handler, which comes in the middle of the same calls ---------------- */

static volatile sig_atomic_t handled;
static unsigned int refused;

static void use_in_handler(int sig)
{
	void *ptr;

	(void)sig;
	if (!evl_enqueue_two(&ptr, NULL) || !evl_dequeue_two(&ptr))
		refused++;
	handled = handled + 1;
}

static void test_in_handler(void **state)
{
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec often = { .it_value.tv_nsec = 20000, .it_interval.tv_nsec = 20000 };
	unsigned long count = 0;
	void *ptr;

	(void)state;
	signal(SIGUSR1, use_in_handler);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &often, NULL), 0);
	while (handled < 3000) {
		assert_true(evl_enqueue_two(&count, NULL));
		assert_true(evl_dequeue_two(&ptr));
		count++;
	}
	timer_delete(timer);
	signal(SIGUSR1, SIG_DFL);
	/* Two places: one for whoever was interrupted, one for the handler. */
	assert_int_equal(refused, 0);
	assert_false(evl_dequeue_two(&ptr));
}

/* --- A producer and a consumer which a signal stops, while others go on -------------- */

static sem_t stopped, go_on, resumed;
static atomic_bool done;

static void stop_here(int sig)
{
	(void)sig;
	sem_post(&stopped);
	while (sem_wait(&go_on))
		;
	sem_post(&resumed);
}

static void *turn_over(void *arg)
{
	void *ptr;

	while (!atomic_load(&done)) {
		if (evl_enqueue_eight(arg, NULL))
			evl_dequeue_eight(&ptr);
	}

	return NULL;
}

static void test_stopped_threads(void **state)
{
	pthread_t threads[2];
	unsigned int round, n, count;
	void *ptr;

	(void)state;
	sem_init(&stopped, 0, 0);
	sem_init(&go_on, 0, 0);
	sem_init(&resumed, 0, 0);
	signal(SIGUSR2, stop_here);
	for (n = 0; n < 2; n++)
		assert_int_equal(pthread_create(&threads[n], NULL, turn_over, threads), 0);

	for (round = 0; round < 300; round++) {
		for (n = 0; n < 2; n++) {
			pthread_kill(threads[n], SIGUSR2);
			while (sem_wait(&stopped))
				;
		}
		while (evl_dequeue_eight(&ptr))
			;
		/* Each of them holds a place at most. */
		for (n = 0; n < 1000; n++) {
			for (count = 0; evl_enqueue_eight(&count, NULL); count++)
				;
			assert_in_range(count, 6, 8);
			while (count--)
				assert_true(evl_dequeue_eight(&ptr));
			assert_false(evl_dequeue_eight(&ptr));
		}
		for (n = 0; n < 2; n++)
			sem_post(&go_on);
		/* One could take what is meant for both. */
		for (n = 0; n < 2; n++) {
			while (sem_wait(&resumed))
				;
		}
	}

	atomic_store(&done, true);
	for (n = 0; n < 2; n++)
		pthread_join(threads[n], NULL);
	signal(SIGUSR2, SIG_DFL);
	while (evl_dequeue_eight(&ptr))
		;
	fill(&rings[2], 0);
	drain(&rings[2], 0);
}

/* --- A process which stops, or dies, at each instruction of a call -------------------- */

#define SHARED_ORDER	3
#define SHARED_SIZE	(1U << SHARED_ORDER)
#define MARK		((uintptr_t)999)

static void *shared;
DEFINE_EVL_RINGPTR_OPS(shared, shared, SHARED_ORDER)

/* What the child got. */
struct outcome {
	bool taken;
	void *ptr;
};

static struct outcome *outcome;

static void put_mark(void)
{
	outcome->taken = evl_enqueue_shared(ptr_of(MARK), NULL);
}

static void take_first(void)
{
	outcome->taken = evl_dequeue_shared(&outcome->ptr);
}

static int wait_child(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* A traced child which is about to make a call, and stops by itself after it. */
static pid_t start_child(void (*call)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP))
			_exit(1);
		call();
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_not_equal(pid, -1);

	return pid;
}

static bool stopped_by_itself(int status)
{
	return WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP;
}

/* False once its call is over. */
static bool run_child(pid_t pid, unsigned int instructions)
{
	int status;

	while (instructions--) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		status = wait_child(pid);
		if (stopped_by_itself(status))
			return false;
		assert_true(WIFSTOPPED(status));
	}

	return true;
}

static void end_child(pid_t pid, bool kill_it)
{
	if (kill_it) {
		kill(pid, SIGKILL);
		assert_true(WIFSIGNALED(wait_child(pid)));
		return;
	}
	assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	if (stopped_by_itself(wait_child(pid))) {
		assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
		assert_int_equal(wait_child(pid), 0);
	}
}

/*
 * All that is in the ring. Numbers ascend, except that the mark may be among them, and
 * that a consumer may have taken the first one.
 */
static unsigned int take_all(uintptr_t next, unsigned int *marks)
{
	unsigned int count = 0;
	void *ptr;

	while (evl_dequeue_shared(&ptr)) {
		if (ptr == ptr_of(MARK)) {
			++*marks;
			continue;
		}
		if (count == 0 && ptr == ptr_of(next + 1))
			next++;
		assert_ptr_equal(ptr, ptr_of(next++));
		count++;
	}

	return count;
}

/* Four pointers are there, and all places were used once and a half. */
static void prepare_shared(void)
{
	uintptr_t n;
	void *ptr;

	evl_clear_shared();
	for (n = 0; n < SHARED_SIZE + SHARED_SIZE / 2; n++) {
		assert_true(evl_enqueue_shared(ptr_of(n), NULL));
		if (n >= SHARED_SIZE / 2)
			assert_true(evl_dequeue_shared(&ptr));
	}
	memset(outcome, 0, sizeof(*outcome));
}

/* What others may expect while the child is in the middle, or has died there. */
static void go_on_without(unsigned int *marks)
{
	const uintptr_t first = SHARED_SIZE;
	unsigned int count, lap, full;

	for (count = 0; evl_enqueue_shared(ptr_of(first + SHARED_SIZE / 2 + count), NULL); count++)
		;
	assert_in_range(count, SHARED_SIZE / 2 - 1, SHARED_SIZE / 2 + 1);
	full = take_all(first, marks);
	assert_in_range(full, SHARED_SIZE - 1, SHARED_SIZE);
	assert_true(*marks <= 1);

	for (lap = 0; lap < 5; lap++) {
		for (count = 0; evl_enqueue_shared(ptr_of(count), NULL); count++)
			;
		assert_in_range(count, SHARED_SIZE - 1, SHARED_SIZE);
		assert_int_equal(take_all(0, marks), count);
	}
}

/* Returns false once the call takes less instructions than that. */
static bool stop_at(void (*call)(void), unsigned int instructions, bool kill_it)
{
	unsigned int marks = 0, count;
	bool inside;
	pid_t pid;

	prepare_shared();
	pid = start_child(call);
	assert_true(stopped_by_itself(wait_child(pid)));
	inside = run_child(pid, instructions);
	if (kill_it)
		end_child(pid, true);
	go_on_without(&marks);
	if (kill_it)
		return inside;

	/* The child finishes, with nothing lost. */
	end_child(pid, false);
	take_all(0, &marks);
	assert_int_equal(marks, call == put_mark && outcome->taken);
	for (count = 0; evl_enqueue_shared(ptr_of(count), NULL); count++)
		;
	assert_int_equal(count, SHARED_SIZE);

	return inside;
}

static void stop_everywhere(void (*call)(void))
{
	unsigned int n;

	for (n = 0; stop_at(call, n, false); n++)
		assert_true(stop_at(call, n, true));
	/* It ran through the call. */
	assert_in_range(n, 30, 100000);
}

static bool may_trace(void)
{
	pid_t pid = start_child(put_mark);
	int status = wait_child(pid);

	if (!stopped_by_itself(status) || ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL))
		return false;
	end_child(pid, true);

	return true;
}

static void test_stopped_producer(void **state)
{
	(void)state;
	if (!may_trace())
		skip();
	stop_everywhere(put_mark);
}

static void test_stopped_consumer(void **state)
{
	(void)state;
	if (!may_trace())
		skip();
	stop_everywhere(take_first);
}

static int set_up(void **state)
{
	(void)state;
	shared = mmap(NULL, SIZEOF_EVL_RINGPTR(SHARED_ORDER) + sizeof(*outcome),
		      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -1;
	/* Who is kept from going on would be for ever. */
	alarm(300);
	outcome = (struct outcome *)((char *)shared + SIZEOF_EVL_RINGPTR(SHARED_ORDER));

	return evl_alloc_dynamic();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_at_first),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_any_pointer),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_alloc_again),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_in_handler),
		cmocka_unit_test(test_stopped_threads),
		cmocka_unit_test(test_stopped_producer),
		cmocka_unit_test(test_stopped_consumer),
	};

	return cmocka_run_group_tests_name("ring", tests, set_up, NULL);
}
