// SPDX-License-Identifier: GPL-2.0-only
/*
 * Timers of user space: anonymous files which count expiries.
 *
 * A periodic timer which expires while a tick is waiting to be read rests until
 * that is done: the periods which passed are counted then, and the timer is set to
 * the next one, on the CPU where the reader is. So what a timer costs is bounded
 * by what its readers do, however short its period is.
 *
 * Locking: readers.wchan.lock guards the count and the setting. The locks of
 * threads and timers nest in it.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <evl/clock-abi.h>
#include <evl/poll_head.h>
#include <evl/thread.h>
#include <evl/uaccess.h>
#include "element/clock/clock.h"

struct timerfd {
	struct evl_core_file file;
	struct evl_clock *clock;
	struct evl_timer timer;
	struct evl_wait_queue readers;
	struct evl_poll_head poll;
	ktime_t interval;		/* of the last setting which armed it */
	u64 ticks;			/* shots not read yet */
	unsigned long overruns;		/* of the timer, as of the last readout */
	bool resting;			/* it would be set, if ticks had been read */
	ktime_t date;			/* up to which periods count, then */
};

/* Until what is there was read; the timer is queued for its next date. Lock held. */
static void rest(struct timerfd *tf)
{
	tf->date = evl_get_timer_date(&tf->timer) - tf->interval;
	tf->resting = true;
	evl_stop_timer(&tf->timer);
}

/* Hard irqs off; the tick reschedules. One reader takes all there is. */
static void timerfd_expired(struct evl_timer *timer)
{
	struct timerfd *tf = container_of(timer, struct timerfd, timer);

	raw_spin_lock(&tf->readers.wchan.lock);
	/* It may have got another setting before we had the lock. */
	if (likely(!evl_timer_was_overtaken(timer))) {
		if (tf->ticks && tf->interval)
			rest(tf);
		tf->ticks++;
		evl_wake_up_head(&tf->readers.wchan, 0);
		evl_signal_poll_events(&tf->poll, EPOLLIN | EPOLLRDNORM);
	}
	raw_spin_unlock(&tf->readers.wchan.lock);
}

/* --- Setting -------------------------------------------------------------------------- */

struct setting {
	ktime_t value, interval;
};

static int get_user_setting(struct timerfd *tf, struct setting *set, u64 ptr)
{
	struct __evl_itimerspec its;
	int ret;

	ret = evl_copy_from_user(&its, u64_to_user_ptr(ptr), sizeof(its)) ?:
		evl_ktime_of_timespec(&set->value, &its.it_value) ?:
		evl_ktime_of_timespec(&set->interval, &its.it_interval);
	if (ret)
		return ret;

	/* No date may wrap around when it gets later by an interval. */
	set->value = min_t(ktime_t, evl_date_of_user(tf->clock, set->value),
			   KTIME_MAX - 1);
	set->interval = min_t(ktime_t, set->interval, KTIME_MAX / 4);

	return 0;
}

/* Lock held. On the CPU of the caller, who is about to wait for it most likely. */
static void start_timer(struct timerfd *tf, ktime_t date)
{
	struct evl_thread *curr = evl_current();

	if (curr)
		evl_move_timer(&tf->timer, tf->clock, READ_ONCE(curr->rq)->cpu);
	evl_start_timer(&tf->timer, date, tf->interval);
}

/* Periods which are over since the timer began to rest. Lock held. */
static u64 missed_periods(struct timerfd *tf)
{
	ktime_t now = evl_read_clock(tf->clock);

	return now > tf->date ? div64_u64(now - tf->date, tf->interval) : 0;
}

static ktime_t date_after(struct timerfd *tf, u64 missed)
{
	return ktime_add_safe(tf->date + missed * tf->interval, tf->interval);
}

/* Lock held: 1 ns at least, 0 if it is disarmed. */
static ktime_t time_left(struct timerfd *tf)
{
	ktime_t left;

	if (!tf->resting)
		return evl_get_timer_delta(&tf->timer);

	left = date_after(tf, missed_periods(tf)) - evl_read_clock(tf->clock);

	return max_t(ktime_t, left, 1);
}

/* What is left until the next shot, and the interval. */
static int put_user_setting(struct timerfd *tf, void __user *u_its)
{
	struct __evl_itimerspec its;
	ktime_t left, interval;
	unsigned long flags;

	evl_lock_irqsave(&tf->readers.wchan.lock, flags);
	left = time_left(tf);
	interval = tf->interval;
	evl_unlock_irqrestore(&tf->readers.wchan.lock, flags);

	its.it_value = evl_timespec_of_ktime(left);
	its.it_interval = evl_timespec_of_ktime(interval);

	return evl_copy_to_user(u_its, &its, sizeof(its));
}

/* Ticks which were not read survive, as they do upstream. */
static void apply_setting(struct timerfd *tf, const struct setting *set)
{
	unsigned long flags;

	evl_lock_irqsave(&tf->readers.wchan.lock, flags);
	evl_stop_timer(&tf->timer);
	tf->resting = false;
	if (set->value) {
		tf->interval = set->interval;
		start_timer(tf, set->value);
	}
	evl_unlock_irqrestore(&tf->readers.wchan.lock, flags);
}

static long set_timerfd(struct timerfd *tf, const void __user *u_arg)
{
	struct evl_timerfd_setreq req;
	struct setting set;
	int ret;

	ret = evl_copy_from_user(&req, u_arg, sizeof(req)) ?:
		get_user_setting(tf, &set, req.value_ptr);
	if (ret)
		return ret;

	/* First, so that nothing changes when that fails. */
	if (req.ovalue_ptr) {
		ret = put_user_setting(tf, u64_to_user_ptr(req.ovalue_ptr));
		if (ret)
			return ret;
	}

	apply_setting(tf, &set);

	return 0;
}

/* The same on both stages. */
static long timerfd_ioctl(struct file *filp, unsigned int cmd,
			  unsigned long arg)
{
	struct timerfd *tf = filp->private_data;

	switch (cmd) {
	case EVL_TFDIOC_SET:
		return set_timerfd(tf, (void __user *)arg);
	case EVL_TFDIOC_GET:
		return put_user_setting(tf, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

/* --- Reading -------------------------------------------------------------------------- */

/* All ticks since the last time: lock held. False if there was none. */
static bool take_ticks(struct timerfd *tf, u64 *ticks)
{
	unsigned long overruns = READ_ONCE(tf->timer.overruns);
	u64 missed;

	if (!tf->ticks)
		return false;

	/* Those which came in time, then those which came too late to be. */
	*ticks = tf->ticks + (overruns - tf->overruns);
	tf->ticks = 0;
	tf->overruns = overruns;
	if (tf->resting) {
		tf->resting = false;
		missed = missed_periods(tf);
		*ticks += missed;
		start_timer(tf, date_after(tf, missed));
	}

	return true;
}

/* Somebody who was woken up for ticks does not take them: the next one does. */
static void pass_ticks_on(struct timerfd *tf, u64 back)
{
	unsigned long flags;

	evl_lock_irqsave(&tf->readers.wchan.lock, flags);
	tf->ticks += back;
	if (tf->ticks) {
		evl_wake_up_head(&tf->readers.wchan, 0);
		evl_signal_poll_events(&tf->poll, EPOLLIN | EPOLLRDNORM);
	}
	evl_sched_unlock(&tf->readers.wchan.lock, flags);
}

static ssize_t timerfd_oob_read(struct file *filp, char __user *u_buf,
				size_t count)
{
	ktime_t timeout = filp->f_flags & O_NONBLOCK ? EVL_NONBLOCK : EVL_INFINITE;
	struct timerfd *tf = filp->private_data;
	u64 ticks = 0;
	int ret;

	if (count < sizeof(ticks))
		return -EINVAL;

	ret = evl_wait_event_timeout(&tf->readers, timeout, EVL_REL,
				     take_ticks(tf, &ticks));
	if (!ret)
		ret = evl_copy_to_user(u_buf, &ticks, sizeof(ticks));
	if (ret) {
		pass_ticks_on(tf, ticks);
		return ret;
	}

	return sizeof(ticks);
}

static __poll_t timerfd_oob_poll(struct file *filp, struct evl_poll_wait *wait)
{
	struct timerfd *tf = filp->private_data;

	evl_poll_watch(&tf->poll, wait, NULL);

	return READ_ONCE(tf->ticks) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* --- Files ------------------------------------------------------------------------------ */

static void end_timerfd(struct evl_core_file *cfile)
{
	struct timerfd *tf = container_of(cfile, struct timerfd, file);

	evl_destroy_timer(&tf->timer);
	kfree(tf);
}

static int timerfd_release(struct inode *inode, struct file *filp)
{
	struct timerfd *tf = filp->private_data;

	evl_retire_core_file(&tf->file);
	evl_flush_wait(&tf->readers.wchan, EVL_T_RMID);
	evl_drop_core_file(&tf->file);

	return 0;
}

static const struct file_operations timerfd_fops = {
	.owner = THIS_MODULE,
	.release = timerfd_release,
	.unlocked_ioctl = timerfd_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static const struct evl_file_ops timerfd_oob_ops = {
	.oob_ioctl = timerfd_ioctl,
	.oob_read = timerfd_oob_read,
	.oob_poll = timerfd_oob_poll,
};

/* Until somebody who has a better idea sets the timer. */
static int home_cpu(void)
{
	int cpu = raw_smp_processor_id();

	return cpumask_test_cpu(cpu, &evl_oob_cpus) ? cpu :
		cpumask_first(&evl_oob_cpus);
}

static struct file *make_timerfd(struct evl_clock *clock)
{
	struct timerfd *tf;
	struct file *filp;

	tf = kzalloc(sizeof(*tf), GFP_KERNEL);
	if (!tf)
		return ERR_PTR(-ENOMEM);

	filp = anon_inode_getfile("[evl-timerfd]", &timerfd_fops, tf,
				  O_RDWR | O_CLOEXEC);
	if (IS_ERR(filp)) {
		kfree(tf);
		return filp;
	}

	tf->clock = clock;
	evl_init_wait(&tf->readers, clock, EVL_WAIT_PRIO, "timerfd");
	evl_init_poll_head(&tf->poll);
	evl_init_timer_on_cpu(&tf->timer, clock, home_cpu(), timerfd_expired,
			      EVL_GRAVITY_USER);
	evl_open_core_file(&tf->file, filp, &timerfd_oob_ops, end_timerfd);

	return filp;
}

int evl_new_timerfd(struct evl_clock *clock, int __user *u_fd)
{
	struct file *filp;
	int fd, ret;

	filp = make_timerfd(clock);
	if (IS_ERR(filp))
		return PTR_ERR(filp);

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		ret = fd;
		goto fail_fd;
	}

	ret = put_user(fd, u_fd);
	if (ret)
		goto fail_copy;

	fd_install(fd, filp);

	return 0;

fail_copy:
	put_unused_fd(fd);
fail_fd:
	fput(filp);

	return ret;
}
