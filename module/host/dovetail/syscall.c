// SPDX-License-Identifier: GPL-2.0-only
/*
 * System calls: telling our requests from those to Linux, and what a call to
 * Linux does to a thread which is out-of-band.
 */
#include <linux/compat.h>
#include <linux/time_namespace.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <evl/syscall-abi.h>
#include "dovetail.h"
#include "arch-x86.h"

struct oob_request {
	u32 nr;
	unsigned long args[3];
};

/*
 * The three forms of a request, see syscall-abi.h. Form B is a valid prctl()
 * for all that Linux knows, so only attached tasks may use it.
 */
static noinline bool decode_request(struct pt_regs *regs, bool attached,
				    struct oob_request *req)
{
	u32 nr = syscall_get_nr(current, regs);
	unsigned long args[6];
	int first;

	if (arch_dovetail_is_prctl(nr)) {
		syscall_get_arguments(current, regs, args);
		if ((u32)args[0] == PR_OOB_SYSCALL) {
			req->nr = args[1];
			first = 2;
		} else if (attached && evl_is_oob_prctl_b(args[0])) {
			req->nr = args[0] & ~EVL_OOB_SYSCALL_BIT;
			first = 1;
		} else {
			return false;
		}
	} else if (nr != -1U && nr & EVL_OOB_SYSCALL_BIT) {
		syscall_get_arguments(current, regs, args);
		req->nr = nr & ~EVL_OOB_SYSCALL_BIT;
		first = 0;
	} else {
		return false;
	}

	memcpy(req->args, args + first, sizeof(req->args));

	return true;
}

/* What the others have in common, and hardly any regular call has. */
static __always_inline bool may_be_request(struct pt_regs *regs)
{
	u32 nr = syscall_get_nr(current, regs);

	return arch_dovetail_is_prctl(nr) || nr & EVL_OOB_SYSCALL_BIT;
}

static void set_result(struct pt_regs *regs, long ret)
{
	syscall_set_return_value(current, regs, 0, ret);
}

static void serve(struct pt_regs *regs, struct host_task *h,
		  const struct oob_request *req)
{
	long ret;

	if (likely(h))
		ret = host_core->request(h, req->nr, req->args[0],
					 req->args[1], req->args[2]);
	else
		ret = req->nr < NR_EVL_SYSCALLS ? -EPERM : -ENOSYS;

	set_result(regs, ret);
}

/*
 * Whether clock_gettime() was called for a clock that we can read out-of-band:
 * what a vDSO falls back to when the clock source is not readable from user
 * space should not cost the caller its stage.
 */
static bool serve_clock_gettime(struct pt_regs *regs, u32 nr)
{
	struct __kernel_timespec __user *u_ts;
	struct __kernel_timespec kts;
	struct timespec64 ts;
	unsigned long args[6];

	if (!arch_is_native_syscall(nr) || nr != __NR_clock_gettime)
		return false;

	syscall_get_arguments(current, regs, args);
	switch ((int)args[0]) {
	case CLOCK_MONOTONIC:
		ts = ns_to_timespec64(ktime_get_mono_fast_ns());
		timens_add_monotonic(&ts);
		break;
	case CLOCK_REALTIME:
		ts = ns_to_timespec64(ktime_get_real_fast_ns());
		break;
	default:
		return false;
	}

	kts.tv_sec = ts.tv_sec;
	kts.tv_nsec = ts.tv_nsec;
	u_ts = (void __user *)args[1];
	if (!access_ok(u_ts, sizeof(kts)) ||
	    raw_copy_to_user(u_ts, &kts, sizeof(kts)))
		set_result(regs, -EFAULT);
	else
		set_result(regs, 0);

	return true;
}

/* True if that is all there is to do, false if Linux has to serve it. */
static bool leave_for_syscall(struct pt_regs *regs, struct host_task *h)
{
	u32 nr = syscall_get_nr(current, regs);

	if (!arch_syscall_exists(nr)) {
		set_result(regs, -ENOSYS);
		return true;
	}

	if (serve_clock_gettime(regs, nr))
		return true;

	host_core->inband_syscall(h, true);

	return false;
}

/* Form A, which is what time-critical loops are made of: decoded on the spot. */
static __always_inline void serve_form_a(struct pt_regs *regs,
					 struct host_task *h)
{
	arch_set_result(regs, host_core->request(h, arch_request_nr(regs),
						 arch_request_arg0(regs),
						 arch_request_arg1(regs),
						 arch_request_arg2(regs)));
}

/* Other forms. */
static noinline int oob_syscall(struct pt_regs *regs)
{
	struct oob_request req;

	if (!decode_request(regs, true, &req))
		return 0;

	serve(regs, host_current(), &req);

	return 1;
}

/* From a thread which is out-of-band, forms A and C. Hard irqs on. */
int host_oob_syscall(struct pt_regs *regs)
{
	int done = 1;

	host_enter_hook();

	/* Out-of-band, whoever was given the CPU is an attached task. */
	if (likely(arch_is_request_a(regs)))
		serve_form_a(regs, raw_cpu_read(host_curr));
	else
		done = oob_syscall(regs);

	host_leave_hook();

	return done;
}

/* A thread which we bring in-band comes back too if we pass its call down. */
static noinline int pipelined_syscall(struct irq_stage *stage,
				      struct pt_regs *regs)
{
	struct host_task *h = host_current();
	struct oob_request req;
	int done = 1;

	host_enter_hook();

	if (arch_is_request_a(regs) && likely(h))
		serve_form_a(regs, h);
	else if (unlikely(may_be_request(regs)) &&
		 decode_request(regs, h != NULL, &req))
		serve(regs, h, &req);
	else if (h && stage == &oob_stage)
		done = leave_for_syscall(regs, h);
	else
		done = 0;

	if (!done && h && stage == &inband_stage)
		host_core->inband_syscall(h, false);

	host_leave_hook();

	return done;
}

/*
 * From anyone else with forms A and C, and every call of an attached task. Hard
 * irqs on. Called twice if @stage, the caller's, is in-band: the first time
 * with the CPU out-of-band, and nothing to be done.
 */
int host_pipelined_syscall(struct irq_stage *stage, struct pt_regs *regs)
{
	if (running_oob() != (stage == &oob_stage))
		return 0;

	return pipelined_syscall(stage, regs);
}
