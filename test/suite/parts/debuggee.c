// SPDX-License-Identifier: GPL-2.0-only
/* A program to be debugged: a control loop, and a thread which takes the CPU whenever that rests. Fails if one was in-band. */
#include <evl/evl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define NR_STEPS	200

static atomic_bool done;
static atomic_long inband[2];

__attribute__((noinline))
void control_step(int n)
{
	__asm__ volatile("nop; nop; nop; nop; nop; nop" : : "r"(n) : "memory");
}

static void note_stage(int who)
{
	if (evl_is_inband())
		atomic_fetch_add(&inband[who], 1);
}

static int become_thread(const char *name, int prio)
{
	struct sched_param param = { .sched_priority = prio };
	cpu_set_t set;
	int efd;

	CPU_ZERO(&set);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) > 1, &set);
	sched_setaffinity(0, sizeof(set), &set);
	pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
	efd = evl_attach_self("%s:%d", name, getpid());
	return efd < 0 ? efd : evl_switch_oob();
}

static void *control(void *arg)
{
	(void)arg;
	if (become_thread("control", 20))
		return "control";
	for (int n = 0; n < NR_STEPS; n++) {
		control_step(n);
		note_stage(0);
		evl_usleep(1000);
	}
	atomic_store(&done, true);
	return NULL;
}

static void *load(void *arg)
{
	(void)arg;
	if (become_thread("load", 10))
		return "load";
	while (!atomic_load(&done)) {
		for (int n = 0; n < 100000; n++)
			note_stage(1);
		evl_usleep(50);
	}
	return NULL;
}

int main(void)
{
	void *(*const bodies[])(void *) = { control, load };
	pthread_t threads[2];
	void *failed;

	if (evl_init())
		return 2;
	for (int n = 0; n < 2; n++)
		if (pthread_create(&threads[n], NULL, bodies[n], NULL))
			return 2;
	for (int n = 0; n < 2; n++) {
		pthread_join(threads[n], &failed);
		if (failed)
			return 3;
	}
	printf("in-band: control %ld, load %ld\n", atomic_load(&inband[0]), atomic_load(&inband[1]));
	return inband[0] || inband[1];
}
