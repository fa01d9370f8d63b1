// SPDX-License-Identifier: GPL-2.0-only
/*
 * What tracers do, in places which cannot leave the out-of-band stage: look at user memory which is not there, and have
 * the kernel hit breakpoints.
 */
#include <linux/kprobes.h>
#include <linux/uaccess.h>
#include <asm/nmi.h>
#include "context.h"

/* As the kernel does to take the call chain of a program which has no frame pointers. */
static bool access_fails(void)
{
	int value, ret;

	pagefault_disable();
	ret = __get_user(value, (int __user *)16);
	pagefault_enable();

	return ret == -EFAULT;
}

static void access_oob(void *arg)
{
	struct context *cx = arg;

	expect(cx, access_fails());
	expect(cx, evl_current_oob());
	hard_local_irq_disable();
	expect(cx, access_fails());
	hard_local_irq_enable();
	expect(cx, evl_current_oob());
	/* And on the other stage. */
	evl_switch_inband(0, 0);
	expect(cx, access_fails());
	expect(cx, !evl_switch_oob());
	expect(cx, evl_current_oob());
}

void test_traps_thread(struct context *cx)
{
	run_thread(cx, access_oob);
}

static void on_shot(struct evl_timer *timer)
{
	struct context *cx = container_of(timer, struct context, timer);

	/* Debugging of Dovetail warns of any fault in the handler of an interrupt. */
	if (!IS_ENABLED(CONFIG_DEBUG_IRQ_PIPELINE))
		expect(cx, access_fails());
	atomic_inc(&cx->shots);
}

/* Whether it hits a thread, or Linux. */
static void await_shots(void *arg)
{
	struct context *cx = arg;

	evl_start_timer(&cx->timer, evl_ktime_monotonic() + NSEC_PER_MSEC, 0);
	while (atomic_read(&cx->shots) < 1)
		cpu_relax();
	expect(cx, evl_current_oob());
	evl_start_timer(&cx->timer, evl_ktime_monotonic() + NSEC_PER_MSEC, 0);
	while (atomic_read(&cx->shots) < 2)
		evl_sleep(NSEC_PER_MSEC);
}

void test_traps_irq(struct context *cx)
{
	int cpu = cpumask_last(cpu_online_mask);

	evl_init_timer_on_cpu(&cx->timer, &evl_mono_clock, cpu, on_shot, EVL_GRAVITY_IRQ);
	if (expect(cx, !evl_run_kthread_on_cpu(&cx->thread, cpu, await_shots, cx, 50, 0, "evl_test.traps")))
		evl_join_kthread(&cx->thread);
	evl_destroy_timer(&cx->timer);
}

/* The CPU of which an NMI is expected, or -1. */
static atomic_t expected = ATOMIC_INIT(-1);
static bool failed_in_nmi;

static int handle_nmi(unsigned int type, struct pt_regs *regs)
{
	if (atomic_read(&expected) != raw_smp_processor_id())
		return NMI_DONE;

	failed_in_nmi = in_nmi() && access_fails();

	return NMI_HANDLED;
}

static void raise_nmi(struct context *cx)
{
	failed_in_nmi = false;
	atomic_set(&expected, raw_smp_processor_id());
	asm volatile("int $2" ::: "memory");
	atomic_set(&expected, -1);
	expect(cx, failed_in_nmi);
}

static void raise_nmis(void *arg)
{
	struct context *cx = arg;

	raise_nmi(cx);
	expect(cx, evl_current_oob());
	hard_local_irq_disable();
	raise_nmi(cx);
	hard_local_irq_enable();
	expect(cx, evl_current_oob());
}

void test_traps_nmi(struct context *cx)
{
	if (!expect(cx, !register_nmi_handler(NMI_LOCAL, handle_nmi, 0, "evl_test")))
		return;
	run_thread(cx, raise_nmis);
	unregister_nmi_handler(NMI_LOCAL, "evl_test");
}

#ifdef CONFIG_KPROBES

static atomic_t hits;

static int count_hit(struct kprobe *probe, struct pt_regs *regs)
{
	atomic_inc(&hits);

	return 0;
}
NOKPROBE_SYMBOL(count_hit);

/* Not by way of ftrace, that would be without a breakpoint. */
static noinline notrace int probed(int value)
{
	asm volatile("" : "+r" (value));

	return value + 1;
}

static struct kprobe probe = {
	.pre_handler = count_hit,
};

static void hit_probe(void *arg)
{
	struct context *cx = arg;

	atomic_set(&hits, 0);
	expect(cx, probed(1) == 2);
	expect(cx, evl_current_oob());
	hard_local_irq_disable();
	expect(cx, probed(2) == 3);
	hard_local_irq_enable();
	expect(cx, evl_current_oob());
	evl_switch_inband(0, 0);
	expect(cx, probed(3) == 4);
	expect(cx, atomic_read(&hits) == 3);
}

void test_traps_probe(struct context *cx)
{
	probe.addr = (kprobe_opcode_t *)probed;
	if (!expect(cx, !register_kprobe(&probe)))
		return;
	run_thread(cx, hit_probe);
	unregister_kprobe(&probe);
}

#else

void test_traps_probe(struct context *cx)
{
}

#endif
