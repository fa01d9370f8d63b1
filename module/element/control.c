// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/evl/control: what the core is, its state, the memory it shares.
 *
 * Locking: service_lock is held for reading while an element is being made, and
 * for writing while the core leaves the running state, so that no creation is
 * halfway when threads are told to leave. Its readers touch no user memory, yet
 * may have to wait for Linux to make a node, see element.h. transition, a mutex, is
 * tried by whoever changes the state, and is outside of it.
 */
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/sched/isolation.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <evl/control-abi.h>
#include <evl/process.h>
#include <evl/shmem.h>
#include <evl/uaccess.h>
#include "core/core.h"
#include "element/element.h"
#include "element/thread/thread.h"

/* As the ABI names what the FPU can do. */
#define FPU_XMM2	1
#define FPU_AVX		2

static DECLARE_RWSEM(service_lock);
static DEFINE_MUTEX(transition);

/* --- Service ------------------------------------------------------------------ */

int evl_enter_service(void)
{
	int ret;

	ret = down_read_killable(&service_lock);
	if (ret)
		return ret;
	if (evl_is_running())
		return 0;

	up_read(&service_lock);

	return -ENXIO;
}

void evl_leave_service(void)
{
	up_read(&service_lock);
}

static int start_core(void)
{
	if (atomic_read(&evl_core_state) == EVL_CORE_STOPPED)
		atomic_set(&evl_core_state, EVL_CORE_RUNNING);

	return 0;
}

/* No creation is halfway on return, and none begins. */
static int end_service(void)
{
	int ret;

	ret = down_write_killable(&service_lock);
	if (ret)
		return ret;
	atomic_set(&evl_core_state, EVL_CORE_TEARDOWN);
	up_write(&service_lock);

	return 0;
}

static int stop_core(void)
{
	int ret;

	/* It would wait for itself. */
	if (evl_current())
		return -EPERM;

	if (!evl_is_running())
		return 0;

	ret = end_service();
	if (ret)
		return ret;

	ret = evl_stop_all_threads();
	atomic_set(&evl_core_state, ret ? EVL_CORE_RUNNING : EVL_CORE_STOPPED);

	return ret;
}

/* --- Requests ------------------------------------------------------------------ */

static u32 fpu_features(void)
{
	u32 features = 0;

#ifdef CONFIG_X86
	if (boot_cpu_has(X86_FEATURE_XMM2))
		features |= FPU_XMM2;
	if (boot_cpu_has(X86_FEATURE_AVX))
		features |= FPU_AVX;
#endif

	return features;
}

static long get_coreinfo(void __user *u_arg)
{
	struct evl_core_info info;

	memset(&info, 0, sizeof(info));
	info.abi_base = EVL_ABI_BASE;
	info.abi_current = EVL_ABI_LEVEL;
	info.fpu_features = fpu_features();
	info.shm_size = evl_shared_size();

	return evl_copy_to_user(u_arg, &info, sizeof(info));
}

/* The classes which take this kind of control are not part of this release. */
static long control_sched(void __user *u_arg)
{
	struct evl_sched_ctlreq req;
	int ret;

	ret = evl_copy_from_user(&req, u_arg, sizeof(req));
	if (ret)
		return ret;

	switch (req.policy) {
	case SCHED_QUOTA:
	case SCHED_TP:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

static u32 cpu_state(unsigned int cpu)
{
	u32 state = 0;

	if (cpumask_test_cpu(cpu, &evl_oob_cpus))
		state |= EVL_CPU_OOB;
	if (!housekeeping_test_cpu(cpu, HK_TYPE_DOMAIN))
		state |= EVL_CPU_ISOL;
	if (!cpu_online(cpu))
		state |= EVL_CPU_OFFLINE;

	return state;
}

static long get_cpustate(void __user *u_arg)
{
	struct evl_cpu_state req;
	u32 state;
	int ret;

	ret = evl_copy_from_user(&req, u_arg, sizeof(req));
	if (ret)
		return ret;

	if (req.cpu >= nr_cpu_ids || !cpu_present(req.cpu))
		return -EINVAL;

	state = cpu_state(req.cpu);

	return evl_copy_to_user(u64_to_user_ptr(req.state_ptr), &state,
				sizeof(state));
}

/* On either stage: an out-of-band caller needs not leave its own for them. */
static long control_ioctl(struct file *filp, unsigned int cmd,
			  unsigned long arg)
{
	void __user *u_arg = (void __user *)arg;

	switch (cmd) {
	case EVL_CTLIOC_GET_COREINFO:
		return get_coreinfo(u_arg);
	case EVL_CTLIOC_SCHEDCTL:
		return control_sched(u_arg);
	case EVL_CTLIOC_GET_CPUSTATE:
		return get_cpustate(u_arg);
	default:
		return -ENOTTY;
	}
}

/* --- Files ---------------------------------------------------------------------- */

static const struct evl_file_ops control_oob_ops = {
	.oob_ioctl = control_ioctl,
};

static void end_control_file(struct evl_core_file *cfile)
{
	kfree(cfile);
}

/* Whoever opens the device may have threads. */
static int control_open(struct inode *inode, struct file *filp)
{
	struct evl_core_file *cfile;
	int ret;

	ret = evl_check_published();
	if (ret)
		return ret;

	cfile = kzalloc(sizeof(*cfile), GFP_KERNEL);
	if (!cfile)
		return -ENOMEM;

	ret = evl_admit_process();
	if (ret) {
		kfree(cfile);
		return ret;
	}

	filp->private_data = cfile;
	evl_open_core_file(cfile, filp, &control_oob_ops, end_control_file);

	return stream_open(inode, filp);
}

static int control_release(struct inode *inode, struct file *filp)
{
	struct evl_core_file *cfile = filp->private_data;

	evl_retire_core_file(cfile);
	evl_drop_core_file(cfile);

	return 0;
}

static int control_mmap(struct file *filp, struct vm_area_struct *vma)
{
	return evl_mmap_shared(vma);
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.open = control_open,
	.release = control_release,
	.unlocked_ioctl = control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = control_mmap,
};

/* --- Attributes ------------------------------------------------------------------- */

static ssize_t abi_show(struct device *dev, struct device_attribute *attr,
			char *buf)
{
	return sysfs_emit(buf, "%d\n", EVL_ABI_LEVEL);
}
static DEVICE_ATTR_RO(abi);

static ssize_t cpus_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%*pbl\n", cpumask_pr_args(&evl_oob_cpus));
}
static DEVICE_ATTR_RO(cpus);

static ssize_t state_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	static const char *const names[] = {
		[EVL_CORE_DISABLED] = "disabled",
		[EVL_CORE_STOPPED] = "stopped",
		[EVL_CORE_TEARDOWN] = "teardown",
		[EVL_CORE_RUNNING] = "running",
	};

	return sysfs_emit(buf, "%s\n", names[atomic_read(&evl_core_state)]);
}

static ssize_t state_store(struct device *dev, struct device_attribute *attr,
			   const char *buf, size_t count)
{
	int (*change)(void);
	int ret;

	if (str_has_prefix(buf, "start"))
		change = start_core;
	else if (str_has_prefix(buf, "stop"))
		change = stop_core;
	else
		return -EINVAL;

	if (!mutex_trylock(&transition))
		return -EINPROGRESS;
	ret = change();
	mutex_unlock(&transition);

	return ret ?: count;
}
static DEVICE_ATTR_RW(state);

static struct attribute *control_attrs[] = {
	&dev_attr_abi.attr,
	&dev_attr_cpus.attr,
	&dev_attr_state.attr,
	NULL,
};

static const struct attribute_group control_group = {
	.attrs = control_attrs,
};

static const struct attribute_group *control_groups[] = {
	&control_group,
	NULL,
};

struct evl_factory evl_control_factory = {
	.name = "control",
	.flags = EVL_FACTORY_SINGLE,
	.fops = &control_fops,
	.attrs = control_groups,
};
