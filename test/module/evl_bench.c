// SPDX-License-Identifier: GPL-2.0-only
/* Measures how late timers of the core wake up threads of the kernel, and run handlers: see test/bench/latency.c. */
#include <linux/completion.h>
#include <linux/irq_work.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>
#include <evl/clock.h>
#include <evl/kthread.h>
#include "evl_bench.h"

/* One at a time. */
static DEFINE_MUTEX(bench_lock);
static struct evl_bench_run run;
static ktime_t date;
static unsigned int left;

static void start_run(void)
{
	run.min = S64_MAX;
	run.max = S64_MIN;
	run.sum = 0;
	left = run.samples;
	date = ktime_add_ns(evl_ktime_monotonic(), 10 * run.period);
}

static void take_sample(void)
{
	s64 late = ktime_to_ns(ktime_sub(evl_ktime_monotonic(), date));

	run.min = min(run.min, late);
	run.max = max(run.max, late);
	run.sum += late;
	date = ktime_add_ns(date, run.period);
	left--;
}

/* --- A thread ------------------------------------------------------------- */

static void sleep_and_sample(void *arg)
{
	while (left && !evl_sleep_until(date))
		take_sample();
}

static int run_kthread(void)
{
	struct evl_kthread kthread;
	int ret;

	ret = evl_run_kthread(&kthread, sleep_and_sample, NULL, 90, EVL_CLONE_PRIVATE, "evl-bench");
	if (!ret)
		evl_join_kthread(&kthread);

	return ret;
}

/* --- A handler ------------------------------------------------------------ */

static struct evl_timer timer;
static DECLARE_COMPLETION(handled);

static void report_end(struct irq_work *work)
{
	complete(&handled);
}

static DEFINE_IRQ_WORK(end_work, report_end);

static void timer_handler(struct evl_timer *t)
{
	take_sample();
	if (left)
		return;

	evl_stop_timer(t);
	irq_work_queue(&end_work);
}

static int run_handler(void)
{
	reinit_completion(&handled);
	evl_init_timer_on_cpu(&timer, &evl_mono_clock, raw_smp_processor_id(),
			      timer_handler, EVL_GRAVITY_IRQ);
	evl_start_timer(&timer, date, run.period);
	wait_for_completion(&handled);
	irq_work_sync(&end_work);
	evl_destroy_timer(&timer);

	return 0;
}

/* --- The device ----------------------------------------------------------- */

static long measure(unsigned int cmd, void __user *u_run)
{
	int ret;

	if (copy_from_user(&run, u_run, sizeof(run)))
		return -EFAULT;
	if (!run.samples || !run.period)
		return -EINVAL;

	start_run();
	ret = cmd == EVL_BENCH_KTHREAD ? run_kthread() : run_handler();
	if (ret)
		return ret;

	return copy_to_user(u_run, &run, sizeof(run)) ? -EFAULT : 0;
}

static long bench_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	long ret;

	if (cmd != EVL_BENCH_KTHREAD && cmd != EVL_BENCH_HANDLER)
		return -ENOTTY;

	mutex_lock(&bench_lock);
	ret = measure(cmd, (void __user *)arg);
	mutex_unlock(&bench_lock);

	return ret;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = bench_ioctl,
};

static struct miscdevice bench_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "evl_bench",
	.fops = &bench_fops,
};
module_misc_device(bench_device);

MODULE_DESCRIPTION("Latency of timers of the EVL core");
MODULE_LICENSE("GPL");
