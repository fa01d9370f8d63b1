// SPDX-License-Identifier: GPL-2.0-only
/* The clock class: fixed, public elements for the clocks of the core. */
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/sysfs.h>
#include <evl/clock-abi.h>
#include <evl/thread.h>
#include <evl/uaccess.h>
#include "element/clock/clock.h"
#include "element/element.h"

struct clock_element {
	struct evl_element element;
	struct evl_clock *clock;
	const char *name;		/* of the node */
	bool created;
};

static struct clock_element clocks[] = {
	{ .clock = &evl_mono_clock, .name = EVL_CLOCK_MONOTONIC_DEV },
	{ .clock = &evl_realtime_clock, .name = EVL_CLOCK_REALTIME_DEV },
};

static const struct file_operations clock_fops;

static struct evl_clock *clock_of(struct evl_element *element)
{
	return container_of(element, struct clock_element, element)->clock;
}

struct evl_clock *evl_get_clock_by_fd(int clockfd, struct evl_file **efilpp)
{
	struct evl_file *efilp;

	*efilpp = NULL;

	switch (clockfd) {
	case EVL_CLOCK_MONOTONIC:
		return &evl_mono_clock;
	case EVL_CLOCK_REALTIME:
		return &evl_realtime_clock;
	}

	efilp = evl_get_file(clockfd);
	if (!efilp)
		return NULL;

	if (efilp->filp->f_op != &clock_fops) {
		evl_put_file(efilp);
		return NULL;
	}
	*efilpp = efilp;

	return clock_of(evl_file_element(efilp->filp));
}

/* --- Requests --------------------------------------------------------------------- */

static long get_resolution(struct evl_clock *clock, void __user *u_arg)
{
	return evl_put_user_timespec(u_arg, clock->resolution);
}

static long get_time(struct evl_clock *clock, void __user *u_arg)
{
	return evl_put_user_timespec(u_arg,
			evl_date_to_user(clock, evl_read_clock(clock)));
}

/* The clocks of the core follow those of Linux, which sets them. */
static long set_time(struct evl_clock *clock, void __user *u_arg)
{
	ktime_t date;

	return evl_get_user_timespec(&date, u_arg) ?: -EOPNOTSUPP;
}

/* Clocks are there for good: a file which leads to one may be closed. */
static long sleep_until(struct evl_clock *clock, void __user *u_arg)
{
	ktime_t date;
	int ret;

	ret = evl_get_user_date(clock, &date, u_arg);
	if (ret)
		return ret;

	/* Neither end of the range is a date to the core. */
	if (date <= evl_read_clock(clock))
		return 0;

	evl_unpin_request_file();

	return evl_sleep_until_clock(clock, min_t(ktime_t, date, KTIME_MAX - 1));
}

static long clock_common_ioctl(struct evl_clock *clock, unsigned int cmd,
			       void __user *u_arg)
{
	switch (cmd) {
	case EVL_CLKIOC_GET_RES:
		return get_resolution(clock, u_arg);
	case EVL_CLKIOC_GET_TIME:
		return get_time(clock, u_arg);
	case EVL_CLKIOC_SET_TIME:
		return set_time(clock, u_arg);
	default:
		return -ENOTTY;
	}
}

static long clock_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct evl_clock *clock = clock_of(evl_file_element(filp));

	if (cmd == EVL_CLKIOC_NEW_TIMER)
		return evl_new_timerfd(clock, (int __user *)arg);

	return clock_common_ioctl(clock, cmd, (void __user *)arg);
}

static long clock_oob_ioctl(struct file *filp, unsigned int cmd,
			    unsigned long arg)
{
	struct evl_clock *clock = clock_of(evl_file_element(filp));

	if (cmd == EVL_CLKIOC_SLEEP)
		return sleep_until(clock, (void __user *)arg);

	return clock_common_ioctl(clock, cmd, (void __user *)arg);
}

static const struct file_operations clock_fops = {
	.owner = THIS_MODULE,
	.open = evl_open_element,
	.release = evl_release_element,
	.unlocked_ioctl = clock_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static const struct evl_file_ops clock_oob_ops = {
	.oob_ioctl = clock_oob_ioctl,
};

/* --- Gravity ------------------------------------------------------------------------ */

static ssize_t gravity_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	struct evl_element *element = evl_dev_element(dev);
	struct evl_clock *clock;

	if (!element)
		return -EIO;

	clock = clock_of(element);

	return sysfs_emit(buf, "%lldi %lldk %lldu\n",
			  evl_get_clock_gravity(clock, EVL_GRAVITY_IRQ),
			  evl_get_clock_gravity(clock, EVL_GRAVITY_KERNEL),
			  evl_get_clock_gravity(clock, EVL_GRAVITY_USER));
}

/* A number of ns with the letter of what it applies to, user if none. */
static int parse_gravity(const char *token, ktime_t gravity[EVL_NR_GRAVITY])
{
	static const char suffixes[EVL_NR_GRAVITY] = {
		[EVL_GRAVITY_IRQ] = 'i',
		[EVL_GRAVITY_KERNEL] = 'k',
		[EVL_GRAVITY_USER] = 'u',
	};
	unsigned long value;
	char *end;
	int n;

	if (!isdigit(*token))
		return -EINVAL;

	/* Ten digits cannot overflow, and are more than a gravity may have. */
	value = simple_strtoul(token, &end, 10);
	if (end - token > 10)
		return -EINVAL;
	if (!*end) {
		gravity[EVL_GRAVITY_USER] = value;
		return 0;
	}

	for (n = 0; n < EVL_NR_GRAVITY; n++)
		if (*end == suffixes[n] && !end[1]) {
			gravity[n] = value;
			return 0;
		}

	return -EINVAL;
}

/* Those which are not mentioned stay what they are. */
static int set_gravity(struct evl_clock *clock, char *text)
{
	ktime_t gravity[EVL_NR_GRAVITY];
	int n, ret, found = 0;
	char *token;

	for (n = 0; n < EVL_NR_GRAVITY; n++)
		gravity[n] = evl_get_clock_gravity(clock, n);

	while ((token = strsep(&text, " \t\n:/,;"))) {
		if (!*token)
			continue;
		ret = parse_gravity(token, gravity);
		if (ret)
			return ret;
		found++;
	}

	return found ? evl_set_clock_gravity(clock, gravity) : -EINVAL;
}

static ssize_t gravity_store(struct device *dev, struct device_attribute *attr,
			     const char *buf, size_t count)
{
	struct evl_element *element = evl_dev_element(dev);
	char *text;
	int ret;

	if (!element)
		return -EIO;

	text = kstrndup(buf, count, GFP_KERNEL);
	if (!text)
		return -ENOMEM;

	ret = set_gravity(clock_of(element), text);
	kfree(text);

	return ret ?: count;
}
static DEVICE_ATTR_RW(gravity);

static struct attribute *clock_attrs[] = {
	&dev_attr_gravity.attr,
	NULL,
};

static const struct attribute_group clock_group = {
	.attrs = clock_attrs,
};

static const struct attribute_group *clock_groups[] = {
	&clock_group,
	NULL,
};

/* --- Factory -------------------------------------------------------------------------- */

/* Clocks are static data. */
static void clock_dispose(struct evl_element *element)
{
}

struct evl_factory evl_clock_factory = {
	.name = EVL_CLOCK_DEV,
	.fops = &clock_fops,
	.oob_ops = &clock_oob_ops,
	.dispose = clock_dispose,
	.attrs = clock_groups,
};

static int create_clock(struct clock_element *ce)
{
	int ret;

	ret = evl_init_element(&ce->element, &evl_clock_factory, ce->name,
			       EVL_CLONE_PUBLIC | EVL_CLONE_COREDEV);
	if (ret)
		return ret;

	ret = evl_create_core_element(&ce->element);
	if (ret)
		evl_cleanup_element(&ce->element);
	else
		ce->created = true;

	return ret;
}

int evl_create_clocks(void)
{
	int n, ret;

	for (n = 0; n < ARRAY_SIZE(clocks); n++) {
		ret = create_clock(&clocks[n]);
		if (ret) {
			evl_delete_clocks();
			return ret;
		}
	}

	return 0;
}

void evl_delete_clocks(void)
{
	int n;

	for (n = 0; n < ARRAY_SIZE(clocks); n++)
		if (clocks[n].created) {
			clocks[n].created = false;
			evl_drop_element(&clocks[n].element);
		}
}
