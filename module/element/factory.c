// SPDX-License-Identifier: GPL-2.0-only
/*
 * Factories: classes, device nodes and device numbers.
 *
 * A class has one range of device numbers, served by a single cdev: open(2)
 * finds the element by its minor. Hence no element is ever referred to by an
 * inode, and a node which outlives its element is harmless.
 *
 * All is prepared first, then published in the last step of bring-up: once
 * somebody has a file open, nothing is left which can fail and would take the
 * module away from under it. An open() which comes while nodes are being
 * published waits for how that ends.
 *
 * See element.c for locking.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <evl/mutex.h>
#include "core/trace.h"
#include "element/element.h"
#include "element/monitor/monitor.h"
#include "element/observable/observable.h"
#include "element/thread/thread.h"

#define MAX_FRONTS	32		/* clone and single devices */

static struct class *evl_class;		/* of single devices */
static dev_t front_region;
static int nr_fronts;

static DECLARE_RWSEM(publication);	/* for writing while it is going on */
static bool published;

/* --- Devices ---------------------------------------------------------------- */

static char *front_devnode(evl_devnode_dev *dev, umode_t *mode, kuid_t *uid,
			   kgid_t *gid)
{
	if (mode)
		*mode = 0600;
	if (dev->class == evl_class)
		return kasprintf(GFP_KERNEL, "evl/%s", dev_name(dev));

	return kasprintf(GFP_KERNEL, "evl/%s/%s", dev->class->name,
			 dev_name(dev));
}

static char *element_devnode(evl_devnode_dev *dev, umode_t *mode, kuid_t *uid,
			     kgid_t *gid)
{
	struct evl_element *element = dev_get_drvdata(dev);

	/* Whoever could use the clone device may use what came out of it, at once. */
	if (mode)
		*mode = element->mode;
	if (uid)
		*uid = element->uid;
	if (gid)
		*gid = element->gid;

	/* Not the name of the device, which may be another. */
	return kasprintf(GFP_KERNEL, "evl/%s/%s", dev->class->name,
			 element->name);
}

static const struct device_type front_type = {
	.name = "evl_front",
	.devnode = front_devnode,
};

static const struct device_type element_type = {
	.name = "evl_element",
	.devnode = element_devnode,
};

static void release_device(struct device *dev)
{
	kfree(dev);
}

static struct device *add_device(struct evl_factory *factory,
				 const struct device_type *type,
				 const char *name, dev_t devt, void *data)
{
	struct device *dev;
	int ret;

	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return ERR_PTR(-ENOMEM);

	device_initialize(dev);
	dev->class = factory->class;
	dev->type = type;
	dev->devt = devt;
	dev->groups = factory->attrs;
	dev->release = release_device;
	dev_set_drvdata(dev, data);

	ret = dev_set_name(dev, "%s", name);
	if (!ret)
		ret = device_add(dev);
	if (ret) {
		put_device(dev);
		return ERR_PTR(ret);
	}

	return dev;
}

/* A private element is in sysfs only, having no device number. */
struct device *evl_add_element_device(struct evl_element *element)
{
	dev_t devt = 0;

	if (element->clone_flags & EVL_CLONE_PUBLIC)
		devt = MKDEV(MAJOR(element->factory->region), element->minor);

	return add_device(element->factory, &element_type, element->devname,
			  devt, element);
}

/* --- Preparing what nobody can open yet ------------------------------------- */

static int init_class(struct evl_factory *factory)
{
	if (factory->flags & EVL_FACTORY_SINGLE) {
		factory->class = evl_class;
		return 0;
	}

	factory->class = evl_class_create(factory->name);

	return PTR_ERR_OR_ZERO(factory->class);
}

static void exit_class(struct evl_factory *factory)
{
	if (!(factory->flags & EVL_FACTORY_SINGLE))
		class_destroy(factory->class);
}

/* The range of device numbers that public elements come from. */
static int init_region(struct evl_factory *factory)
{
	if (factory->flags & EVL_FACTORY_SINGLE)
		return 0;

	return alloc_chrdev_region(&factory->region, 0, MINORMASK + 1,
				   factory->name);
}

static void exit_region(struct evl_factory *factory)
{
	if (!(factory->flags & EVL_FACTORY_SINGLE))
		unregister_chrdev_region(factory->region, MINORMASK + 1);
}

static int init_factory(struct evl_factory *factory)
{
	int ret;

	mutex_init(&factory->lock);
	idr_init(&factory->minors);
	hash_init(factory->names);
	hash_init(factory->devnames);
	raw_spin_lock_init(&factory->fundle_lock);
	factory->fundles = RB_ROOT;
	factory->fundle_cursor = 0;
	atomic_set(&factory->population, 0);

	ret = init_class(factory);
	if (ret)
		return ret;

	ret = init_region(factory);
	if (ret)
		exit_class(factory);

	return ret;
}

static void exit_factory(struct evl_factory *factory)
{
	exit_region(factory);
	exit_class(factory);
	idr_destroy(&factory->minors);
}

static struct evl_factory *const factories[] = {
	&evl_control_factory,
	&evl_clock_factory,
	&evl_observable_factory,
	&evl_thread_factory,
	&evl_monitor_factory,
	&evl_xbuf_factory,
	&evl_proxy_factory,
	&evl_poll_factory,
	&evl_trace_factory,
};

static void exit_factories(int count)
{
	while (count > 0)
		exit_factory(factories[--count]);
}

int evl_init_factories(void)
{
	int ret, n;

	evl_class = evl_class_create("evl");
	if (IS_ERR(evl_class))
		return PTR_ERR(evl_class);

	nr_fronts = 0;
	ret = alloc_chrdev_region(&front_region, 0, MAX_FRONTS, "evl_factory");
	if (ret)
		goto fail_region;

	for (n = 0; n < ARRAY_SIZE(factories); n++) {
		ret = init_factory(factories[n]);
		if (ret) {
			pr_err("evl: cannot register class %s (error %d)\n",
			       factories[n]->name, ret);
			goto fail_factory;
		}
	}

	evl_set_gate_ops(&evl_monitor_gate_ops);

	return 0;

fail_factory:
	exit_factories(n);
	unregister_chrdev_region(front_region, MAX_FRONTS);
fail_region:
	class_destroy(evl_class);

	return ret;
}

void evl_exit_factories(void)
{
	evl_set_gate_ops(NULL);
	exit_factories(ARRAY_SIZE(factories));
	evl_wait_thread_elements();
	unregister_chrdev_region(front_region, MAX_FRONTS);
	class_destroy(evl_class);
}

/* --- Publishing it ------------------------------------------------------------ */

static int add_cdev(struct cdev *cdev, const struct file_operations *fops,
		    dev_t devt, unsigned int count)
{
	cdev_init(cdev, fops);
	cdev->owner = THIS_MODULE;

	return cdev_add(cdev, devt, count);
}

static int publish_elements(struct evl_factory *factory)
{
	if (factory->flags & EVL_FACTORY_SINGLE)
		return 0;

	return add_cdev(&factory->element_cdev, factory->fops, factory->region,
			MINORMASK + 1);
}

static void unpublish_elements(struct evl_factory *factory)
{
	if (!(factory->flags & EVL_FACTORY_SINGLE))
		cdev_del(&factory->element_cdev);
}

static int publish_front(struct evl_factory *factory)
{
	bool single = factory->flags & EVL_FACTORY_SINGLE;
	dev_t devt;
	int ret;

	if (!(factory->flags & (EVL_FACTORY_SINGLE | EVL_FACTORY_CLONE)))
		return 0;

	if (nr_fronts >= MAX_FRONTS)
		return -ENOSPC;

	devt = MKDEV(MAJOR(front_region), nr_fronts++);
	ret = add_cdev(&factory->front_cdev,
		       single ? factory->fops : &evl_clone_fops, devt, 1);
	if (ret)
		return ret;

	factory->dev = add_device(factory, &front_type,
				  single ? factory->name : EVL_CLONE_NAME, devt,
				  NULL);
	if (IS_ERR(factory->dev)) {
		ret = PTR_ERR(factory->dev);
		factory->dev = NULL;
		cdev_del(&factory->front_cdev);
	}

	return ret;
}

static void unpublish_front(struct evl_factory *factory)
{
	if (!factory->dev)
		return;

	device_unregister(factory->dev);
	factory->dev = NULL;
	cdev_del(&factory->front_cdev);
}

static int publish_factory(struct evl_factory *factory)
{
	int ret;

	ret = publish_elements(factory);
	if (ret)
		return ret;

	ret = publish_front(factory);
	if (ret)
		unpublish_elements(factory);

	return ret;
}

/* No file is open any more, else the module would be pinned: what remains is
 * on its way to disposal. */
static void unpublish_factory(struct evl_factory *factory)
{
	unpublish_front(factory);
	wait_event(evl_disposal_wait, !atomic_read(&factory->population));
	unpublish_elements(factory);
}

static void unpublish_factories(int count)
{
	evl_delete_clocks();
	while (count > 0)
		unpublish_factory(factories[--count]);
}

static int publish_factories(void)
{
	int ret, n;

	for (n = 0; n < ARRAY_SIZE(factories); n++) {
		ret = publish_factory(factories[n]);
		if (ret)
			goto fail;
	}

	ret = evl_create_clocks();
	if (ret)
		goto fail;

	return 0;

fail:
	unpublish_factories(n);

	return ret;
}

int evl_check_published(void)
{
	int ret;

	ret = down_read_killable(&publication);
	if (ret)
		return ret;
	if (!published)
		ret = -ENXIO;
	up_read(&publication);

	return ret;
}

/* Linux frees a module which fails to load without asking who uses it. All opens
 * are refused by now: besides that of Linux, uses are short, and it takes its events
 * back by itself. */
static void wait_for_openers(void)
{
	while (module_refcount(THIS_MODULE) > 1 + evl_count_events())
		msleep(1);
}

int evl_publish_factories(void)
{
	int ret;

	down_write(&publication);
	ret = publish_factories();
	published = !ret;
	up_write(&publication);

	if (ret) {
		pr_err("evl: cannot create the nodes of /dev/evl (error %d)\n",
		       ret);
		wait_for_openers();
	}

	return ret;
}

void evl_unpublish_factories(void)
{
	unpublish_factories(ARRAY_SIZE(factories));
}
