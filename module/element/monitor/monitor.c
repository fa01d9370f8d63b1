// SPDX-License-Identifier: GPL-2.0-only
/*
 * The monitor class: gates (mutexes), gated events (condition variables),
 * counting events (semaphores) and mask events (groups of flags). Each kind has
 * a file of its own; this one is about their life as elements.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <evl/shmem.h>
#include <evl/thread.h>
#include "element/clock/clock.h"
#include "element/element.h"
#include "element/monitor/monitor.h"

static int check_gate(const struct evl_monitor_attrs *attrs)
{
	switch (attrs->protocol) {
	case EVL_GATE_PI:
		return attrs->initval ? -EINVAL : 0;
	case EVL_GATE_PP:
		return attrs->initval < evl_sched_fifo.min_prio ||
			attrs->initval > evl_sched_fifo.max_prio ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

static int check_event(const struct evl_monitor_attrs *attrs)
{
	switch (attrs->protocol) {
	case EVL_EVENT_COUNT:
		/* That many waiters, of whom there is none. */
		return (s32)attrs->initval < 0 ? -EINVAL : 0;
	case EVL_EVENT_GATED:
	case EVL_EVENT_MASK:
		return 0;
	default:
		return -EINVAL;
	}
}

static int check_attrs(const struct evl_monitor_attrs *attrs)
{
	switch (attrs->type) {
	case EVL_MONITOR_GATE:
		return check_gate(attrs);
	case EVL_MONITOR_EVENT:
		return check_event(attrs);
	default:
		return -EINVAL;
	}
}

static int find_clock(struct evl_monitor *mon, int clockfd)
{
	struct evl_file *efilp;

	mon->clock = evl_get_clock_by_fd(clockfd, &efilp);
	if (!mon->clock)
		return -EINVAL;

	/* It was there before us, and stays. */
	evl_put_clock(efilp);

	return 0;
}

static void init_kind(struct evl_monitor *mon,
		      const struct evl_monitor_attrs *attrs)
{
	struct evl_monitor_state *state = mon->state;

	mon->protocol = attrs->protocol;
	if (attrs->type == EVL_MONITOR_GATE) {
		mon->kind = MONITOR_GATE;
		state->u.gate.ceiling = attrs->initval;
		evl_init_gate(mon);
		return;
	}

	state->u.event.value = attrs->initval;
	state->u.event.gate_offset = EVL_MONITOR_NOGATE;
	switch (attrs->protocol) {
	case EVL_EVENT_GATED:
		mon->kind = MONITOR_GATED;
		evl_init_gated(mon);
		break;
	case EVL_EVENT_COUNT:
		mon->kind = MONITOR_COUNT;
		evl_init_count(mon);
		break;
	default:
		mon->kind = MONITOR_MASK;
		evl_init_mask(mon);
	}
}

static struct evl_wait_channel *monitor_wchan(struct evl_monitor *mon)
{
	return mon->kind == MONITOR_GATE ? &mon->gate.mutex.wchan :
		&mon->event.wchan;
}

static int init_monitor(struct evl_monitor *mon, struct evl_factory *factory,
			const char *name, u32 clone_flags,
			const struct evl_monitor_attrs *attrs)
{
	int ret;

	ret = find_clock(mon, attrs->clockfd);
	if (ret)
		return ret;

	mon->state = evl_alloc_shared(sizeof(*mon->state));
	if (!mon->state)
		return -ENOMEM;

	init_kind(mon, attrs);
	/* Open by its private descriptor, which is about to be made. */
	if (mon->kind == MONITOR_GATE && !(clone_flags & EVL_CLONE_PUBLIC))
		evl_open_gate(mon);

	ret = evl_init_element(&mon->element, factory, name, clone_flags);
	if (ret) {
		evl_free_shared(mon->state, sizeof(*mon->state));
		return ret;
	}

	mon->element.state_offset = evl_shared_offset(mon->state);
	monitor_wchan(mon)->name = mon->element.name;

	return 0;
}

static struct evl_element *monitor_build(struct evl_factory *factory,
					 const char *name, const void *p,
					 u32 clone_flags)
{
	const struct evl_monitor_attrs *attrs = p;
	struct evl_monitor *mon;
	int ret;

	ret = check_attrs(attrs);
	if (ret)
		return ERR_PTR(ret);

	mon = kzalloc(sizeof(*mon), GFP_KERNEL);
	if (!mon)
		return ERR_PTR(-ENOMEM);

	ret = init_monitor(mon, factory, name, clone_flags, attrs);
	if (ret) {
		kfree(mon);
		return ERR_PTR(ret);
	}

	return &mon->element;
}

static void monitor_flush(struct evl_element *element, struct evl_file *file)
{
	static void (*const flush[])(struct evl_monitor *, struct evl_file *) = {
		[MONITOR_GATE] = evl_flush_gate,
		[MONITOR_GATED] = evl_flush_gated,
		[MONITOR_COUNT] = evl_flush_count,
		[MONITOR_MASK] = evl_flush_mask,
	};
	struct evl_monitor *mon = evl_monitor_of(element);

	flush[mon->kind](mon, file);
}

static void monitor_dispose(struct evl_element *element)
{
	struct evl_monitor *mon = evl_monitor_of(element);

	if (mon->kind == MONITOR_GATE)
		evl_destroy_gate(mon);
	else if (mon->kind == MONITOR_GATED)
		evl_destroy_gated(mon);
	else if (mon->kind == MONITOR_MASK)
		evl_destroy_mask(mon);

	evl_free_shared(mon->state, sizeof(*mon->state));
	kfree(mon);
}

static ssize_t state_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	struct evl_element *element = evl_dev_element(dev);
	struct evl_monitor *mon;

	if (!element)
		return -EIO;

	mon = evl_monitor_of(element);
	switch (mon->kind) {
	case MONITOR_GATE:
		return evl_show_gate(mon, buf);
	case MONITOR_GATED:
		return sysfs_emit(buf, "%#x\n",
				  atomic_read(evl_monitor_flags(mon)));
	case MONITOR_COUNT:
		return sysfs_emit(buf, "%d\n",
				  atomic_read(evl_event_value(mon)));
	default:
		return sysfs_emit(buf, "%#x\n",
				  atomic_read(evl_event_value(mon)));
	}
}
static DEVICE_ATTR_RO(state);

static struct attribute *monitor_attrs[] = {
	&dev_attr_state.attr,
	NULL,
};
ATTRIBUTE_GROUPS(monitor);

struct evl_factory evl_monitor_factory = {
	.name		= EVL_MONITOR_DEV,
	.flags		= EVL_FACTORY_CLONE | EVL_FACTORY_INDEXED,
	.clone_flags	= EVL_CLONE_PUBLIC,
	.fops		= &evl_monitor_fops,
	.oob_ops	= &evl_monitor_oob_ops,
	.attrs_size	= sizeof(struct evl_monitor_attrs),
	.build		= monitor_build,
	.dispose	= monitor_dispose,
	.flush		= monitor_flush,
	.attrs		= monitor_groups,
};
