// SPDX-License-Identifier: GPL-2.0-only
/*
 * What mutexes, semaphores, flags and events cost. A cycle involves a partner, which is at its waiting point again when
 * the cycle is over.
 */
#include "bench.h"
#include <evl/mutex.h>
#include <evl/event.h>
#include <evl/sem.h>
#include <evl/flags.h>
#include <sys/stat.h>

static struct evl_mutex mutex;
static struct evl_sem ready, sem, answer;
static struct evl_flags flags, answer_flags;
static struct evl_event event;
static volatile int stop;

/* --- Partners ------------------------------------------------------------- */

struct partner {
	void (*turn)(void);		/* from one waiting point to the next */
	pthread_t thread;
	int efd;
};

static void *run_partner(void *arg)
{
	struct partner *p = arg;

	p->efd = must(evl_attach_self("bench-partner:%d", getpid()));
	must(evl_switch_oob());
	must(evl_put_sem(&ready));
	while (!stop)
		p->turn();
	evl_detach_self();

	return NULL;
}

/* On return it waits, since it does not rank below us. */
static void start_partner(struct partner *p, int prio, void (*turn)(void))
{
	stop = 0;
	p->turn = turn;
	must(evl_switch_inband());
	p->thread = start_thread(prio, run_partner, p);
	must(evl_get_sem(&ready));
}

/* @wake ends its last wait. */
#define stop_partner(__p, __wake)			\
	do {						\
		stop = 1;				\
		__wake;					\
		must(evl_switch_inband());		\
		pthread_join((__p)->thread, NULL);	\
	} while (0)

static unsigned int count_switches(struct partner *p)
{
	struct evl_thread_state state;

	must(evl_get_state(p->efd, &state));

	return state.csw;
}

/* A cycle during which the partner does not get the CPU often enough is no such cycle. */
#define measure_cycle(__p, __name, __count, __switches, __op)				\
	do {										\
		unsigned int __csw;							\
											\
		must(evl_switch_oob());							\
		__csw = count_switches(__p);						\
		time_loop(__count, __op);						\
		__csw = count_switches(__p) - __csw;					\
		if (__csw != (unsigned int)(__switches) * (__count))			\
			printf("# %s: partner got the CPU %u times in %d cycles\n",	\
			       __name, __csw, __count);					\
		must(evl_switch_oob());							\
		measure(__name, __count, __op);						\
		must(evl_switch_oob());							\
	} while (0)

/* --- Alone ---------------------------------------------------------------- */

static void run_alone(void)
{
	must(evl_switch_oob());
	measure("mutex_lock_unlock_fast", 1000, (evl_lock_mutex(&mutex), evl_unlock_mutex(&mutex)));
	must(evl_switch_oob());
	measure("sem_put_get_fast", 1000, (evl_put_sem(&sem), evl_get_sem(&sem)));
	must(evl_switch_oob());
	measure("sem_tryget_empty", 1000, evl_tryget_sem(&sem));
	must(evl_switch_oob());
}

/* --- Mutexes -------------------------------------------------------------- */

static void hold_mutex(void)
{
	must(evl_lock_mutex(&mutex));
	must(evl_get_sem(&sem));
	must(evl_unlock_mutex(&mutex));
	must(evl_get_sem(&sem));
}

static void get_and_lock(void)
{
	must(evl_get_sem(&sem));
	must(evl_lock_mutex(&mutex));
	must(evl_unlock_mutex(&mutex));
}

static void run_mutex(void)
{
	struct partner p;

	start_partner(&p, MAIN_PRIO, hold_mutex);
	measure("mutex_trylock_contended", 1000, evl_trylock_mutex(&mutex));
	must(evl_switch_oob());
	stop_partner(&p, (evl_put_sem(&sem), evl_put_sem(&sem)));

	start_partner(&p, MAIN_PRIO, get_and_lock);
	measure_cycle(&p, "mutex_eqprio_contended_cycle(lock,put,yield,unlock,yield)", 100, 2,
		      (evl_lock_mutex(&mutex), evl_put_sem(&sem), evl_yield(), evl_unlock_mutex(&mutex), evl_yield()));
	measure_cycle(&p, "mutex_eqprio_uncontended_cycle(lock,unlock,put,yield,yield)", 100, 1,
		      (evl_lock_mutex(&mutex), evl_unlock_mutex(&mutex), evl_put_sem(&sem), evl_yield(), evl_yield()));
	stop_partner(&p, evl_put_sem(&sem));

	start_partner(&p, MAIN_PRIO + 1, get_and_lock);
	measure_cycle(&p, "mutex_pi_contended_cycle(lock,wake hi,block hi,handover,hi unlock,hi sleep)", 100, 2,
		      (evl_lock_mutex(&mutex), evl_put_sem(&sem), evl_unlock_mutex(&mutex)));
	measure_cycle(&p, "sem_wake_hi_uncontended_mutex_cycle", 100, 1,
		      (evl_lock_mutex(&mutex), evl_unlock_mutex(&mutex), evl_put_sem(&sem)));
	stop_partner(&p, evl_put_sem(&sem));
}

/* --- Semaphores, flags, events -------------------------------------------- */

static void return_sem(void)
{
	must(evl_get_sem(&sem));
	must(evl_put_sem(&answer));
}

static void return_flags(void)
{
	int bits;

	must(evl_wait_flags(&flags, &bits));
	must(evl_post_flags(&answer_flags, 1));
}

static void await_event(void)
{
	must(evl_lock_mutex(&mutex));
	while (!stop)
		must(evl_wait_event(&event, &mutex));
	must(evl_unlock_mutex(&mutex));
}

static void run_signals(void)
{
	struct partner p;
	int bits;

	start_partner(&p, MAIN_PRIO, return_sem);
	measure_cycle(&p, "sem_pingpong_roundtrip(2 switches)", 100, 1, (evl_put_sem(&sem), evl_get_sem(&answer)));
	stop_partner(&p, evl_put_sem(&sem));
	must(evl_get_sem(&answer));

	start_partner(&p, MAIN_PRIO, return_flags);
	measure_cycle(&p, "flags_pingpong_roundtrip(2 switches)", 100, 1,
		      (evl_post_flags(&flags, 1), evl_wait_flags(&answer_flags, &bits)));
	stop_partner(&p, evl_post_flags(&flags, 1));
	must(evl_wait_flags(&answer_flags, &bits));

	start_partner(&p, MAIN_PRIO + 1, await_event);
	measure_cycle(&p, "event_signal_wake_hi_cycle(lock,signal,unlock; hi relock,wait)", 100, 1,
		      (evl_lock_mutex(&mutex), evl_signal_event(&event), evl_unlock_mutex(&mutex)));
	stop_partner(&p, (evl_lock_mutex(&mutex), evl_signal_event(&event), evl_unlock_mutex(&mutex)));
}

/* --- Chains of owners ----------------------------------------------------- */

#define MAX_CHAIN	100
#define CYCLES		11

/*
 * Owner n holds a mutex, and waits for that of owner n - 1; the first one runs until told to let go. Then we want the
 * mutex of the last one, which boosts all of them, and have it once each of them was given what it waits for.
 */
static struct evl_mutex links[MAX_CHAIN];
static struct evl_sem begin[MAX_CHAIN], held, ended;
static volatile int let_go;

static void *own_link(void *arg)
{
	long n = (long)arg;

	must(evl_attach_self("bench-owner-%ld:%d", n, getpid()));
	for (;;) {
		must(evl_get_sem(&begin[n]));
		if (stop)
			return NULL;
		must(evl_lock_mutex(&links[n]));
		must(evl_put_sem(&held));
		if (n > 0) {
			must(evl_lock_mutex(&links[n - 1]));
			must(evl_unlock_mutex(&links[n - 1]));
		} else {
			while (!let_go)
				evl_yield();
		}
		must(evl_unlock_mutex(&links[n]));
		must(evl_put_sem(&ended));
	}
}

static int64_t run_chain_once(int length)
{
	int64_t start, stop_date;
	int n;

	let_go = 0;
	for (n = 0; n < length; n++) {
		must(evl_put_sem(&begin[n]));
		must(evl_get_sem(&held));
	}
	/* The last one gets to its wait. */
	must(evl_usleep(2000));
	let_go = 1;

	start = now();
	must(evl_lock_mutex(&links[length - 1]));
	stop_date = now();
	must(evl_unlock_mutex(&links[length - 1]));
	for (n = 0; n < length; n++)
		must(evl_get_sem(&ended));

	return stop_date - start;
}

static void run_chains(void)
{
	static const int lengths[] = { 1, 10, MAX_CHAIN };
	pthread_t threads[MAX_CHAIN];
	int64_t figures[CYCLES];
	char name[32];
	unsigned int l;
	long n;
	int c;

	must(evl_switch_inband());
	must(evl_new_sem(&held, NULL));
	must(evl_new_sem(&ended, NULL));
	stop = 0;
	for (n = 0; n < MAX_CHAIN; n++) {
		must(evl_new_mutex(&links[n], NULL));
		must(evl_new_sem(&begin[n], NULL));
		threads[n] = start_thread(n ? MAIN_PRIO - 1 : MAIN_PRIO - 2, own_link, (void *)n);
	}

	for (l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
		must(evl_switch_oob());
		run_chain_once(lengths[l]);
		for (c = 0; c < CYCLES; c++)
			figures[c] = run_chain_once(lengths[l]);
		snprintf(name, sizeof(name), "mutex_pi_chain_%d", lengths[l]);
		report(name, median(figures, CYCLES));
	}

	stop = 1;
	for (n = 0; n < MAX_CHAIN; n++)
		evl_put_sem(&begin[n]);
	must(evl_switch_inband());
	for (n = 0; n < MAX_CHAIN; n++)
		pthread_join(threads[n], NULL);
}

int main(void)
{
	struct stat st;

	setvbuf(stdout, NULL, _IONBF, 0);
	must(evl_init());
	if (stat("/dev/evl/monitor", &st)) {
		report_skipped("all of them", "there are no monitors");
		return 0;
	}

	become_fifo(MAIN_PRIO);
	must(evl_attach_self("bench-sync:%d", getpid()));
	must(evl_switch_inband());
	must(evl_new_mutex(&mutex, NULL));
	must(evl_new_event(&event, NULL));
	must(evl_new_sem(&ready, NULL));
	must(evl_new_sem(&sem, NULL));
	must(evl_new_sem(&answer, NULL));
	must(evl_new_flags(&flags, NULL));
	must(evl_new_flags(&answer_flags, NULL));

	run_alone();
	run_mutex();
	run_signals();
	run_chains();

	return 0;
}
