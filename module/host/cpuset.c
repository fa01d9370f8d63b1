// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPUs which the cpuset of a task allows. Linux tells no module, but whoever
 * reads cpuset.cpus.effective in the folder of the cgroup. There may be no such
 * folder where the caller can see it, so we have the text by a file which exists
 * for as long as it takes.
 */
#include <linux/cgroup.h>
#include <linux/cpumask.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "host.h"

#ifdef CONFIG_CPUSETS

static struct cftype *find_file(struct cgroup_subsys_state *css)
{
	struct cftype *file;

	for (file = css->ss->dfl_cftypes; file && *file->name; file++)
		if (!strcmp(file->name, "cpus.effective"))
			return file;

	return NULL;
}

/* A cpuset goes a grace period after its last task left, at the earliest. */
static int show_allowed(struct seq_file *seq)
{
	struct kernfs_node folder = { }, node = { .parent = &folder };
	struct kernfs_open_file of = { .kn = &node };
	struct cgroup_subsys_state *css;
	struct cftype *file;
	int ret = -ENOENT;

	seq->private = &of;
	rcu_read_lock();
	css = task_css(current, cpuset_cgrp_id);
	file = find_file(css);
	if (file) {
		folder.priv = css->cgroup;
		node.priv = file;
		ret = file->seq_show(seq, NULL);
	}
	rcu_read_unlock();

	return ret;
}

static int get_allowed(struct cpumask *mask)
{
	/* A number, and what separates it from the next one. */
	size_t size = nr_cpu_ids * sizeof("12345") + 2;
	struct seq_file seq = { .size = size };
	int ret;

	seq.buf = kvzalloc(size, GFP_KERNEL);
	if (!seq.buf)
		return -ENOMEM;

	ret = show_allowed(&seq);
	if (!ret && seq_has_overflowed(&seq))
		ret = -EOVERFLOW;
	if (!ret) {
		seq.buf[seq.count] = '\0';
		ret = cpulist_parse(seq.buf, mask);
	}
	kvfree(seq.buf);

	return ret;
}

#else

static int get_allowed(struct cpumask *mask)
{
	cpumask_copy(mask, cpu_possible_mask);

	return 0;
}

#endif

int host_find_allowed_cpu(const struct cpumask *mask)
{
	cpumask_var_t allowed;
	int cpu = nr_cpu_ids;

	if (!alloc_cpumask_var(&allowed, GFP_KERNEL))
		return cpu;

	if (!get_allowed(allowed))
		cpu = cpumask_first_and(allowed, mask);
	free_cpumask_var(allowed);

	return cpu;
}
