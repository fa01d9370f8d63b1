// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user side of mutexes and events: which words change, and when the core
 * is asked.
 */
#include "fake-sync.h"

static void test_mutex_uncontended(void **state)
{
	struct evl_monitor_state *shared;
	struct evl_mutex mutex;

	(void)state;
	assert_true(evl_new_mutex(&mutex, "m") >= 0);
	assert_int_equal(fake.clone_attrs[0], (unsigned int)EVL_CLOCK_MONOTONIC);
	assert_int_equal(fake.clone_attrs[1], EVL_MONITOR_GATE | EVL_GATE_PI << 2);
	shared = mutex.monitor.state;
	shared->flags = EVL_MONITOR_SIGNALED;
	fake.nr_log = 0;

	assert_int_equal(evl_lock_mutex(&mutex), 0);
	assert_int_equal(shared->u.gate.owner, me);
	assert_int_equal(shared->u.gate.nesting, 1);
	assert_int_equal(shared->flags, 0);
	assert_int_equal(evl_lock_mutex(&mutex), -EDEADLK);
	assert_int_equal(evl_trylock_mutex(&mutex), -EDEADLK);
	assert_int_equal(evl_unlock_mutex(&mutex), 0);
	assert_int_equal(shared->u.gate.owner, 0);
	assert_int_equal(evl_unlock_mutex(&mutex), -EPERM);
	assert_int_equal(evl_trylock_mutex(&mutex), 0);
	assert_int_equal(evl_unlock_mutex(&mutex), 0);
	assert_int_equal(fake.nr_log, 0);
	assert_int_equal(evl_close_mutex(&mutex), 0);
	assert_int_equal(evl_lock_mutex(&mutex), -EBADF);
}

static void test_mutex_recursive(void **state)
{
	struct evl_mutex mutex;
	int n;

	(void)state;
	assert_true(evl_create_mutex(&mutex, EVL_CLOCK_MONOTONIC, 0,
				     EVL_MUTEX_RECURSIVE, "r") >= 0);
	assert_int_equal(fake.clone.clone_flags, 0);
	fake.nr_log = 0;
	for (n = 0; n < 3; n++)
		assert_int_equal(evl_lock_mutex(&mutex), 0);
	assert_int_equal(mutex.monitor.state->u.gate.nesting, 3);
	for (n = 0; n < 3; n++)
		assert_int_equal(evl_unlock_mutex(&mutex), 0);
	assert_int_equal(evl_unlock_mutex(&mutex), -EPERM);

	assert_int_equal(evl_lock_mutex(&mutex), 0);
	mutex.monitor.state->u.gate.nesting = 0x7fffffff;
	assert_int_equal(evl_lock_mutex(&mutex), -EAGAIN);
	assert_int_equal(fake.nr_log, 0);
	evl_close_mutex(&mutex);
}

/* The core locks: as it would, with a mark. */
static int grant_gate(struct fake_request *req, void *arg)
{
	struct evl_monitor_state *shared =
		(struct evl_monitor_state *)(void *)(fake.shm + 1024);

	(void)arg;
	if (req->request == EVL_MONIOC_ENTER || req->request == EVL_MONIOC_TRYENTER)
		shared->u.gate.owner = me | EVL_MUTEX_FLCLAIM;
	if (req->request == EVL_MONIOC_EXIT)
		shared->u.gate.owner = 0;

	return 0;
}

static void test_mutex_contended(void **state)
{
	struct evl_monitor_state *shared;
	struct evl_mutex mutex;

	(void)state;
	assert_true(evl_new_mutex(&mutex, "m") >= 0);
	shared = mutex.monitor.state;
	shared->u.gate.owner = me + 1;
	shared->u.gate.nesting = 7;	/* left there by somebody */
	fake.on_request = grant_gate;

	/* Signals do not end the wait. */
	fake_fail(EVL_MONIOC_ENTER, OOB, EINTR, 2);
	assert_int_equal(evl_lock_mutex(&mutex), 0);
	assert_int_equal(fake_count(EVL_MONIOC_ENTER, OOB), 3);
	assert_int_equal(shared->u.gate.nesting, 1);
	assert_int_equal(evl_unlock_mutex(&mutex), 0);
	assert_int_equal(fake_count(EVL_MONIOC_EXIT, OOB), 1);

	shared->u.gate.owner = me + 1;
	shared->u.gate.nesting = 7;
	assert_int_equal(evl_trylock_mutex(&mutex), 0);
	assert_int_equal(shared->u.gate.nesting, 1);
	assert_int_equal(evl_unlock_mutex(&mutex), 0);

	shared->u.gate.owner = me + 1;
	fake_fail(EVL_MONIOC_TRYENTER, OOB, EBUSY, 1);
	assert_int_equal(evl_trylock_mutex(&mutex), -EAGAIN);
	fake_fail(EVL_MONIOC_ENTER, OOB, ETIMEDOUT, 1);
	assert_int_equal(evl_timedlock_mutex(&mutex, &__evl_hl_forever), -ETIMEDOUT);
	assert_int_equal(evl_unlock_mutex(&mutex), -EPERM);
	evl_close_mutex(&mutex);
}

/* In-band, weak and watched threads always ask the core. */
static void test_mutex_modes(void **state)
{
	static const struct {
		__u32 mode;
		int enters, exits;
	} table[] = {
		{ EVL_T_INBAND, 1, 1 },		/* granted with a mark */
		{ EVL_T_WEAK, 1, 1 },
		{ EVL_T_WOLI, 1, 1 },
		{ EVL_T_WOSS, 0, 0 },
	};
	struct evl_mutex mutex;
	size_t n;

	(void)state;
	assert_true(evl_new_mutex(&mutex, "m") >= 0);
	fake.on_request = grant_gate;
	for (n = 0; n < sizeof(table) / sizeof(table[0]); n++) {
		fake.nr_log = 0;
		self->window->state = EVL_T_USER | table[n].mode;
		assert_int_equal(evl_lock_mutex(&mutex), 0);
		assert_int_equal(evl_lock_mutex(&mutex), -EDEADLK);
		assert_int_equal(evl_unlock_mutex(&mutex), 0);
		assert_int_equal(fake_count(EVL_MONIOC_ENTER, OOB), table[n].enters);
		assert_int_equal(fake_count(EVL_MONIOC_EXIT, OOB), table[n].exits);
	}

	/* A watched thread lets the core know of what it should not do. */
	self->window->state = EVL_T_USER | EVL_T_WOLI;
	fake_fail(EVL_MONIOC_EXIT, OOB, EPERM, 1);
	assert_int_equal(evl_unlock_mutex(&mutex), -EPERM);
	evl_close_mutex(&mutex);
}

static void test_mutex_ceiling(void **state)
{
	struct evl_mutex mutex, inner;

	(void)state;
	assert_true(evl_create_mutex(&mutex, EVL_CLOCK_MONOTONIC, 50, 0, "pp") >= 0);
	assert_int_equal(fake.clone_attrs[1], EVL_MONITOR_GATE | EVL_GATE_PP << 2);
	assert_int_equal(fake.clone_attrs[2], 50);
	assert_true(evl_create_mutex(&inner, EVL_CLOCK_MONOTONIC, 60, 0, "in") >= 0);
	fake.nr_log = 0;

	assert_int_equal(evl_lock_mutex(&mutex), 0);
	assert_int_equal(self->window->pp_pending, mutex.monitor.fundle);
	/* Room for one only. */
	assert_int_equal(evl_lock_mutex(&inner), 0);
	assert_int_equal(fake_count(EVL_MONIOC_ENTER, OOB), 1);
	inner.monitor.state->u.gate.owner = 0;
	assert_int_equal(evl_unlock_mutex(&mutex), 0);
	assert_int_equal(self->window->pp_pending, 0);

	/* The mark of a ceiling which was applied calls for the core. */
	assert_int_equal(evl_lock_mutex(&mutex), 0);
	self->window->pp_pending = 0;
	mutex.monitor.state->u.gate.owner |= EVL_MUTEX_FLCEIL;
	assert_int_equal(evl_lock_mutex(&mutex), -EDEADLK);
	assert_int_equal(self->window->pp_pending, 0);
	assert_int_equal(evl_unlock_mutex(&mutex), 0);
	assert_int_equal(fake_count(EVL_MONIOC_EXIT, OOB), 1);

	assert_int_equal(evl_set_mutex_ceiling(&mutex, 70), 0);
	assert_int_equal(evl_get_mutex_ceiling(&mutex), 70);
	assert_int_equal(mutex.monitor.state->u.gate.ceiling, 70);
	evl_close_mutex(&mutex);
	evl_close_mutex(&inner);
}

static void *try_unattached(void *arg)
{
	struct evl_mutex *mutex = (struct evl_mutex *)arg;

	/* The handle of nobody is that of the owner of a free mutex. */
	assert_int_equal(evl_unlock_mutex(mutex), -EPERM);
	assert_int_equal(evl_lock_mutex(mutex), -EPERM);
	assert_int_equal(evl_trylock_mutex(mutex), -EPERM);

	return NULL;
}

static void test_mutex_unattached(void **state)
{
	struct evl_mutex mutex;
	pthread_t thread;

	(void)state;
	assert_true(evl_new_mutex(&mutex, "m") >= 0);
	pthread_create(&thread, NULL, try_unattached, &mutex);
	pthread_join(thread, NULL);
	evl_close_mutex(&mutex);
}

static void test_open(void **state)
{
	int before = fake_open_fds();
	struct evl_mutex mutex;
	struct evl_event event;
	struct evl_sem sem;

	(void)state;
	memset(&fake.binding, 0, sizeof(fake.binding));
	fake.binding.type = EVL_MONITOR_EVENT;
	fake.binding.protocol = EVL_EVENT_COUNT;
	fake.binding.eids.fundle = 77;
	fake.binding.eids.state_offset = 2048;

	assert_int_equal(evl_open_mutex(&mutex, "/sem"), -EINVAL);
	assert_int_equal(evl_open_event(&event, "sem"), -EINVAL);
	assert_int_equal(fake_open_fds(), before);
	assert_true(evl_open_sem(&sem, "/sem") >= 0);
	assert_string_equal(fake.opened[(fake.nr_opened - 1) % FAKE_LOG],
			    "/dev/evl/monitor/sem");
	assert_ptr_equal(sem.monitor.state, fake.shm + 2048);
	assert_int_equal(evl_close_sem(&sem), 0);

	fake.binding.type = EVL_MONITOR_GATE;
	fake.binding.protocol = EVL_GATE_PP;
	assert_true(evl_open_mutex(&mutex, "gate") >= 0);
	assert_int_equal(evl_lock_mutex(&mutex), 0);
	assert_int_equal(self->window->pp_pending, 77);
	assert_int_equal(evl_unlock_mutex(&mutex), 0);
	evl_close_mutex(&mutex);
}

/* How the core may answer a wait, and what the caller is told. */
static struct {
	int error;		/* of the request, 0 if none */
	int status;
	int times;
	struct evl_monitor_state *gate;
} wait_answer;

static int answer_wait(struct fake_request *req, void *arg)
{
	struct evl_monitor_waitreq *wait = (struct evl_monitor_waitreq *)arg;

	if (req->request == EVL_MONIOC_UNWAIT)
		wait_answer.gate->u.gate.owner = me;

	if (req->request != EVL_MONIOC_WAIT || wait_answer.times-- <= 0)
		return 0;

	wait->status = wait_answer.status;
	if (wait_answer.error) {
		wait_answer.gate->u.gate.owner = 0;
		errno = wait_answer.error;
		return -1;
	}

	return 0;
}

static void test_event_wait(void **state)
{
	static const struct {
		int error, status, expected, waits, unwaits;
	} table[] = {
		{ 0, 0, 0, 1, 0 },
		{ 0, -ETIMEDOUT, -ETIMEDOUT, 1, 0 },
		{ 0, -EINTR, -EINTR, 1, 0 },		/* unblocked */
		{ 0, -EBADFD, -EBADFD, 1, 0 },
		{ 0, -EPERM, -EPERM, 1, 0 },
		{ EINTR, 0, 0, 1, 1 },			/* plain signal, upstream's core */
		{ EINTR, -EAGAIN, 0, 1, 1 },		/* the same, ours */
		{ EINTR, -ETIMEDOUT, -ETIMEDOUT, 1, 1 },
		{ EIDRM, -EIDRM, -EIDRM, 1, 0 },
		{ EFAULT, 0, -EFAULT, 1, 1 },
	};
	struct evl_event event;
	struct evl_mutex mutex;
	size_t n;

	(void)state;
	assert_true(evl_new_mutex(&mutex, "m") >= 0);
	assert_true(evl_new_event(&event, "e") >= 0);
	assert_int_equal(evl_wait_event(&event, &mutex), -EPERM);
	wait_answer.gate = mutex.monitor.state;
	fake.on_request = answer_wait;

	for (n = 0; n < sizeof(table) / sizeof(table[0]); n++) {
		mutex.monitor.state->u.gate.owner = me;
		mutex.monitor.state->u.gate.nesting = 1;
		fake.nr_log = 0;
		wait_answer.error = table[n].error;
		wait_answer.status = table[n].status;
		wait_answer.times = 1;
		assert_int_equal(evl_wait_event(&event, &mutex), table[n].expected);
		assert_int_equal(fake_count(EVL_MONIOC_WAIT, OOB), table[n].waits);
		assert_int_equal(fake_count(EVL_MONIOC_UNWAIT, OOB), table[n].unwaits);
	}

	/* The event was closed, the mutex is held nevertheless. */
	mutex.monitor.state->u.gate.owner = me;
	mutex.monitor.state->u.gate.nesting = 2;
	fake.nr_log = 0;
	fake_fail(EVL_MONIOC_WAIT, OOB, EBADF, 1);
	fake_fail(EVL_MONIOC_UNWAIT, OOB, EBADF, 1);
	assert_int_equal(evl_wait_event(&event, &mutex), -EBADF);
	assert_int_equal(fake_count(EVL_MONIOC_ENTER, OOB), 1);
	assert_int_equal(mutex.monitor.state->u.gate.nesting, 2);

	evl_close_event(&event);
	assert_int_equal(evl_wait_event(&event, &mutex), -EBADF);
	evl_close_mutex(&mutex);
}

static struct evl_event cancel_event;
static struct evl_mutex cancel_mutex;
static int unlocked_by_handler;

/* As a thread is cancelled in a wait: the core has released the gate. */
static int sleep_in_wait(struct fake_request *req, void *arg)
{
	struct evl_monitor_state *gate = cancel_mutex.monitor.state;
	__u32 handle = __evl_hl_self()->handle;

	(void)arg;
	if (req->request == EVL_MONIOC_UNWAIT)
		gate->u.gate.owner = handle;
	if (req->request != EVL_MONIOC_WAIT)
		return 0;

	gate->u.gate.owner = 0;
	for (;;)
		pause();
}

static void unlock_handler(void *arg)
{
	(void)arg;
	unlocked_by_handler = evl_unlock_mutex(&cancel_mutex);
}

static void *wait_forever(void *arg)
{
	(void)arg;
	if (evl_attach_self(NULL) < 0)
		return NULL;
	__evl_hl_self()->window->state = EVL_T_USER;
	if (evl_lock_mutex(&cancel_mutex))
		return NULL;
	pthread_cleanup_push(unlock_handler, NULL);
	evl_wait_event(&cancel_event, &cancel_mutex);
	pthread_cleanup_pop(1);

	return NULL;
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);

	return now.tv_sec;
}

static void test_event_cancel(void **state)
{
	time_t start = seconds();
	pthread_t thread;
	void *ret;

	(void)state;
	assert_true(evl_new_mutex(&cancel_mutex, "m") >= 0);
	assert_true(evl_new_event(&cancel_event, "e") >= 0);
	unlocked_by_handler = -1;
	fake.nr_log = 0;
	fake.on_request = sleep_in_wait;
	pthread_create(&thread, NULL, wait_forever, NULL);
	while (!fake_count(EVL_MONIOC_WAIT, OOB)) {
		assert_true(seconds() < start + 60);
		sched_yield();
	}
	pthread_cancel(thread);
	pthread_join(thread, &ret);
	assert_ptr_equal(ret, PTHREAD_CANCELED);
	assert_int_equal(fake_count(EVL_MONIOC_UNWAIT, OOB), 1);
	assert_int_equal(unlocked_by_handler, 0);
	evl_close_event(&cancel_event);
	evl_close_mutex(&cancel_mutex);
}

static void test_event_signal(void **state)
{
	struct evl_monitor_state *gate;
	struct evl_event event;
	struct evl_mutex mutex;

	(void)state;
	assert_true(evl_new_mutex(&mutex, "m") >= 0);
	assert_true(evl_new_event(&event, "e") >= 0);
	gate = mutex.monitor.state;
	event.monitor.state->u.event.gate_offset = EVL_MONITOR_NOGATE;
	fake.nr_log = 0;

	assert_int_equal(evl_lock_mutex(&mutex), 0);
	assert_int_equal(evl_signal_event(&event), 0);
	assert_int_equal(event.monitor.state->flags, 0);
	assert_int_equal(gate->flags, 0);

	event.monitor.state->u.event.gate_offset = 1024;
	assert_int_equal(evl_signal_event(&event), 0);
	assert_int_equal(event.monitor.state->flags, EVL_MONITOR_SIGNALED);
	assert_int_equal(gate->flags, EVL_MONITOR_SIGNALED);
	assert_int_equal(evl_broadcast_event(&event), 0);
	assert_int_equal(event.monitor.state->flags,
			 EVL_MONITOR_SIGNALED | EVL_MONITOR_BROADCAST);
	assert_int_equal(fake.nr_log, 0);

	/* Now the mutex is left through the core. */
	assert_int_equal(evl_unlock_mutex(&mutex), 0);
	assert_int_equal(fake_count(EVL_MONIOC_EXIT, OOB), 1);

	/* Somebody scribbled over the offset. */
	event.monitor.state->u.event.gate_offset = 0x7ffffff0;
	assert_int_equal(evl_signal_event(&event), -EINVAL);
	event.monitor.state->u.event.gate_offset = FAKE_SHM_SIZE - 12;
	assert_int_equal(evl_signal_event(&event), -EINVAL);
	event.monitor.state->u.event.gate_offset = 1025;
	assert_int_equal(evl_signal_event(&event), -EINVAL);

	event.monitor.state->u.event.gate_offset = 1024;
	gate->flags = 0;
	assert_int_equal(evl_signal_thread(&event, 5), 0);
	assert_int_equal(gate->flags, EVL_MONITOR_SIGNALED);
	assert_int_equal(fake_count(EVL_THRIOC_SIGNAL, OOB), 1);
	evl_close_event(&event);
	evl_close_mutex(&mutex);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_mutex_uncontended, setup),
		cmocka_unit_test_setup(test_mutex_recursive, setup),
		cmocka_unit_test_setup(test_mutex_contended, setup),
		cmocka_unit_test_setup(test_mutex_modes, setup),
		cmocka_unit_test_setup(test_mutex_ceiling, setup),
		cmocka_unit_test_setup(test_mutex_unattached, setup),
		cmocka_unit_test_setup(test_open, setup),
		cmocka_unit_test_setup(test_event_wait, setup),
		cmocka_unit_test_setup(test_event_cancel, setup),
		cmocka_unit_test_setup(test_event_signal, setup),
	};

	return cmocka_run_group_tests_name("mutex", tests, NULL, NULL);
}
