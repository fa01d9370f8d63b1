/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included ahead of every source of the module. The only place, with the
 * rest of module/host, where kernel versions and configurations differ.
 */
#ifndef EVL_HOST_COMPAT_H
#define EVL_HOST_COMPAT_H

#ifndef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
#error "evl: this kernel lacks CONFIG_DYNAMIC_FTRACE_WITH_ARGS, which the core hooks need"
#endif
#ifdef CONFIG_EVL
#error "evl: this kernel has the in-tree EVL core built in (CONFIG_EVL); build for a plain Dovetail kernel"
#endif
#ifndef CONFIG_TRACEPOINTS
#error "evl: this kernel lacks CONFIG_TRACEPOINTS"
#endif
#if !defined(CONFIG_DOVETAIL) && !defined(CONFIG_PREEMPT_NOTIFIERS)
#error "evl: this kernel lacks CONFIG_PREEMPT_NOTIFIERS, which CONFIG_KVM selects"
#endif
#ifndef CONFIG_PREEMPT_COUNT
#error "evl: this kernel lacks CONFIG_PREEMPT_COUNT, which CONFIG_PREEMPT and CONFIG_PREEMPT_DYNAMIC select: no thread could tell where it may sleep"
#endif
#ifndef CONFIG_MODULE_UNLOAD
#error "evl: this kernel lacks CONFIG_MODULE_UNLOAD"
#endif
#ifndef CONFIG_X86_64
#error "evl: only x86-64 is supported by this release"
#endif

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "evl: kernels older than 6.1 are not supported"
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#error "evl: kernels newer than 6.12 are not supported yet"
#endif

#include <linux/device.h>
#include <linux/fs.h>
#include <linux/ftrace.h>

/* class_create() lost its owner argument in 6.4, with no symbol to probe for. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#define evl_class_create(__name)	class_create(__name)
#else
#define evl_class_create(__name)	class_create(THIS_MODULE, __name)
#endif

/* The devnode() handler of a class takes a const device since 6.2. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define evl_devnode_dev			const struct device
#else
#define evl_devnode_dev			struct device
#endif

/* The flags of a mapping are not to be written in place since 6.3. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define evl_clear_vm_flags(__vma, __flags)	vm_flags_clear(__vma, __flags)
#else
#define evl_clear_vm_flags(__vma, __flags)	((__vma)->vm_flags &= ~(__flags))
#endif

/* The file at @f, which may be gone any time, with a reference; NULL if it has none. */
static inline struct file *evl_get_file_active(struct file **f)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	return get_file_active(f);
#else
	struct file *filp;

	rcu_read_lock();
	filp = READ_ONCE(*f);
	if (filp && !get_file_rcu(filp))
		filp = NULL;
	rcu_read_unlock();

	return filp;
#endif
}

/* A string of a trace event knows its source since 6.10. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define evl_assign_str(__field, __src)	__assign_str(__field)
#else
#define evl_assign_str(__field, __src)	__assign_str(__field, __src)
#endif

#ifndef ftrace_regs_set_instruction_pointer
#define ftrace_regs_set_instruction_pointer(__fregs, __ip)	\
	ftrace_instruction_pointer_set(__fregs, __ip)
#endif

/* Direct calls from functions take the form that we use since 6.4. */
#if defined(CONFIG_X86_64) && \
	defined(CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS) && \
	LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#define EVL_FTRACE_DIRECT
#endif

#endif /* !EVL_HOST_COMPAT_H */
