// SPDX-License-Identifier: GPL-2.0-only
/* The two clocks of the core, and conversions of dates. */
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/notifier.h>
#include <linux/suspend.h>
#include <evl/clock.h>
#include "core.h"

/*
 * Default gravity, i.e. how much earlier than asked a timer is shot to make up
 * for the latency of what it wakes up, in ns. These are the figures which the
 * upstream core starts from on x86; a calibration may replace them.
 */
#define DEFAULT_GRAVITY_IRQ	0
#define DEFAULT_GRAVITY_KERNEL	3000
#define DEFAULT_GRAVITY_USER	3000

#define DEFAULT_GRAVITY						\
	{							\
		[EVL_GRAVITY_IRQ] = DEFAULT_GRAVITY_IRQ,	\
		[EVL_GRAVITY_KERNEL] = DEFAULT_GRAVITY_KERNEL,	\
		[EVL_GRAVITY_USER] = DEFAULT_GRAVITY_USER,	\
	}

static ktime_t read_mono(void)
{
	return ktime_get_mono_fast_ns();
}

static ktime_t read_real(void)
{
	return ktime_get_real_fast_ns();
}

struct evl_clock evl_mono_clock = {
	.name = "monotonic",
	.index = EVL_CLOCK_MONO_INDEX,
	.read = read_mono,
	.resolution = 1,
	.gravity = DEFAULT_GRAVITY,
};
EXPORT_SYMBOL_GPL(evl_mono_clock);

struct evl_clock evl_realtime_clock = {
	.name = "realtime",
	.index = EVL_CLOCK_REAL_INDEX,
	.read = read_real,
	.resolution = 1,
	.gravity = DEFAULT_GRAVITY,
};
EXPORT_SYMBOL_GPL(evl_realtime_clock);

int evl_set_clock_gravity(struct evl_clock *clock,
			  const ktime_t gravity[EVL_NR_GRAVITY])
{
	int n;

	for (n = 0; n < EVL_NR_GRAVITY; n++)
		if (gravity[n] < 0 || gravity[n] > EVL_GRAVITY_MAX)
			return -EINVAL;

	for (n = 0; n < EVL_NR_GRAVITY; n++)
		WRITE_ONCE(clock->gravity[n], gravity[n]);

	return 0;
}
EXPORT_SYMBOL_GPL(evl_set_clock_gravity);

void evl_reset_clock_gravity(struct evl_clock *clock)
{
	static const ktime_t gravity[EVL_NR_GRAVITY] = DEFAULT_GRAVITY;

	evl_set_clock_gravity(clock, gravity);
}
EXPORT_SYMBOL_GPL(evl_reset_clock_gravity);

ktime_t evl_abs_timeout(struct evl_clock *clock, ktime_t timeout,
			enum evl_tmode tmode)
{
	if (timeout == EVL_INFINITE || tmode == EVL_ABS)
		return timeout;

	return ktime_add_safe(evl_read_clock(clock), timeout);
}
EXPORT_SYMBOL_GPL(evl_abs_timeout);

/*
 * The wall clock went on while the machine was suspended, which counts as a step:
 * time to wait got shorter. Kernels used to tell of that as they do of any step;
 * from 5.14 on they do not.
 */
static int power_changed(struct notifier_block *nb, unsigned long event, void *data)
{
	if (event == PM_POST_SUSPEND || event == PM_POST_HIBERNATION)
		evl_clock_was_set();

	return NOTIFY_DONE;
}

static struct notifier_block power_watch = {
	.notifier_call = power_changed,
};

int evl_init_clocks(void)
{
	return register_pm_notifier(&power_watch);
}

void evl_exit_clocks(void)
{
	unregister_pm_notifier(&power_watch);
}
