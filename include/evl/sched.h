/* SPDX-License-Identifier: MIT */
/* Scheduling parameters of threads and CPUs. */
#ifndef _EVL_SCHED_H
#define _EVL_SCHED_H

#include <evl/syscall.h>
#include <evl/detail/descriptor.h>
#include <sched.h>
#include <string.h>
#include <evl/sched-abi.h>
#include <evl/control-abi.h>
#include <evl/thread-abi.h>

__EVL_BEGIN_DECLS

/*
 * Sets policy and priority of a thread. Any stage, any caller. Returns 0, or
 * -EINVAL (policy not built in, priority out of range, bad quantum, group or
 * partition), -EBADF, -ESTALE for a thread which has gone, -EFAULT.
 */
__evl_api int evl_set_schedattr(int efd, const struct evl_sched_attrs *attrs)
{
	return __evl_hl_quick_thread(efd, EVL_THRIOC_SET_SCHEDPARAM, (void *)(uintptr_t)attrs);
}

/*
 * Gets policy and priority of a thread, never those of a current boost: see
 * evl_get_state() for these. Any stage, any caller. -EBADF, -ESTALE.
 */
__evl_api int evl_get_schedattr(int efd, struct evl_sched_attrs *attrs)
{
	return __evl_hl_quick_thread(efd, EVL_THRIOC_GET_SCHEDPARAM, attrs);
}

/*
 * The in-tree core does not take requests on the control device out-of-band,
 * although it says so: go the long way then.
 */
__evl_inline int __evl_hl_control(unsigned long request, void *arg)
{
	struct __evl_hl_process *home = __evl_hl_home();
	int fd = home->ctlfd, ret;

	if (!__evl_hl_ready())
		return -ENXIO;

	if (!__evl_hl_is_inband_in(home)) {
		ret = __evl_hl_quick_in(home, fd, request, arg);
		if (ret != -EBADF)
			return ret;
	}

	return __evl_hl_owns_fd(fd) ? __evl_hl_ioctl_inband(fd, request, arg) : -EBADF;
}

/*
 * Controls the CPU-local policies, SCHED_QUOTA and SCHED_TP, on a CPU. info
 * may be NULL. Any stage, any caller. Returns 0, or -ENXIO before evl_init(),
 * -EOPNOTSUPP for a policy which is not built in, -EINVAL (policy, cpu, group,
 * windows), -EBUSY for a group with members or a schedule in use, -ENOMEM,
 * -EFAULT, -EBADF if the program closed what evl_init() opened.
 */
__evl_api int evl_control_sched(int policy, const union evl_sched_ctlparam *param,
				union evl_sched_ctlinfo *info, int cpu)
{
	struct evl_sched_ctlreq req;

	req.policy = policy;
	req.cpu = cpu;
	req.param_ptr = __evl_hl_ptr64(param);
	req.info_ptr = __evl_hl_ptr64(info);

	return __evl_hl_control(EVL_CTLIOC_SCHEDCTL, &req);
}

/*
 * Tells what a CPU is for the core, a mask of EVL_CPU_*. Any stage, any
 * caller. Returns 0, or -ENXIO before evl_init(), -EINVAL for a bad CPU,
 * -EFAULT, -EBADF as above.
 */
__evl_api int evl_get_cpustate(int cpu, int *state_r)
{
	struct evl_cpu_state req;
	__u32 state = 0;
	int ret;

	if (state_r == NULL)
		return -EFAULT;

	memset(&req, 0, sizeof(req));
	req.cpu = (__u32)cpu;
	req.state_ptr = __evl_hl_ptr64(&state);

	ret = __evl_hl_control(EVL_CTLIOC_GET_CPUSTATE, &req);
	if (ret == 0)
		*state_r = (int)state;

	return ret;
}

/*
 * Moves the caller to the end of the queue of its priority. Out-of-band,
 * attached threads. Returns 0, or -EPERM if not attached.
 */
__evl_api int evl_yield(void)
{
	struct __evl_hl_process *home = __evl_hl_home();
	struct __evl_hl_thread *self = __evl_hl_self_in(home);

	if (__evl_unlikely(self->window == NULL))
		return -EPERM;

	return __evl_hl_quick_in(home, self->efd, EVL_THRIOC_YIELD, NULL);
}

__EVL_END_DECLS

#endif /* _EVL_SCHED_H */
