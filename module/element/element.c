// SPDX-License-Identifier: GPL-2.0-only
/*
 * Elements: names, numbers, open files, and the end of their life.
 *
 * Locking, outer to inner:
 *
 *	service lock		(control.c) an element is being made
 *	clone_file.lock		(clone.c) one request at a time
 *	factory->lock		names, minors; opening vs. dying
 *	factory->fundle_lock	hard; fundles
 *
 * An element dies the moment its count of references drops to zero: neither a
 * name, nor a number leads to it from then on. Its name stays taken until its
 * device left sysfs, and whoever asks for the same name waits for that, so
 * that a name is free again as soon as its last user is gone.
 *
 * A public name is unique in its class: it is that of a node. A private one is
 * what a process calls something of its own: only the same process cannot use
 * it twice. sysfs wants names which are unique all the same, so an element may
 * be called differently there, see set_devname().
 */
#include <linux/anon_inodes.h>
#include <linux/ctype.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/stringhash.h>
#include "core/trace.h"
#include "element/element.h"

#define MAX_FUNDLE	(~EVL_HANDLE_INDEX_MASK)

DECLARE_WAIT_QUEUE_HEAD(evl_disposal_wait);
static atomic_t departures;		/* of names; wraps around */

/*
 * Linux makes the nodes of all devices, and takes them away, one after the other, and
 * does not while somebody lists the directory, who may be slow to read what he is told:
 * any user can have whoever makes or disposes of a public element wait.
 */
static bool has_node(const struct evl_element *element)
{
	return element->clone_flags & EVL_CLONE_PUBLIC;
}

/* --- Names ------------------------------------------------------------------ */

static bool has_control_char(const char *name)
{
	for (; *name; name++)
		if (iscntrl(*name))
			return true;

	return false;
}

int evl_check_element_name(const char *name, u32 clone_flags)
{
	size_t len = strnlen(name, EVL_NAME_MAX + 1);

	if (len == 0)
		return -ENOENT;
	if (len > EVL_NAME_MAX)
		return -ENAMETOOLONG;
	/* They would lead out of the directory of the class. */
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	if (clone_flags & EVL_CLONE_PUBLIC && strchr(name, '/'))
		return -EINVAL;
	/* A newline would start another line of an event, or of a log. */
	if (has_control_char(name))
		return -EINVAL;

	return 0;
}

static u32 name_key(const char *name)
{
	return full_name_hash(NULL, name, strlen(name));
}

/* Elements which nobody's process made are those of the core, and of drivers. */
static bool is_shared_name(const struct evl_element *element)
{
	return element->clone_flags & (EVL_CLONE_PUBLIC | EVL_CLONE_COREDEV);
}

/* May @element, which is new, not have the name of @other? */
static bool names_clash(const struct evl_element *element,
			const struct evl_element *other)
{
	if (strcmp(element->name, other->name))
		return false;
	if (is_shared_name(element) && is_shared_name(other))
		return true;

	return element->maker == other->maker &&
	       (!READ_ONCE(other->retired) || !kref_read(&other->refs));
}

/* Factory lock held. */
static struct evl_element *find_rival(const struct evl_element *element)
{
	struct evl_element *other;

	hash_for_each_possible(element->factory->names, other, name_hash,
			       name_key(element->name))
		if (names_clash(element, other))
			return other;

	return NULL;
}

/* Factory lock held. */
static bool devname_taken(struct evl_factory *factory, const char *devname)
{
	struct evl_element *other;

	hash_for_each_possible(factory->devnames, other, devname_hash,
			       name_key(devname))
		if (!strcmp(other->devname, devname))
			return true;

	return false;
}

/*
 * Factory lock held. The name in sysfs: that of the element, unless another one
 * is there under it, else with its minor behind, which no other living one has.
 * Somebody may have chosen even that for a name, so there is one number more, which
 * nobody can have foreseen.
 */
static int set_devname(struct evl_element *element)
{
	struct evl_factory *factory = element->factory;
	char suffix[24] = "";
	bool again = false;
	char *devname;

	for (;;) {
		devname = kasprintf(GFP_KERNEL, "%.*s%s",
				    (int)(EVL_NAME_MAX - strlen(suffix)),
				    element->name, suffix);
		if (!devname)
			return -ENOMEM;
		if (!devname_taken(factory, devname))
			break;
		kfree(devname);
		if (again)
			scnprintf(suffix, sizeof(suffix), "%%%u.%x",
				  element->minor, get_random_u32());
		else
			scnprintf(suffix, sizeof(suffix), "%%%u",
				  element->minor);
		again = true;
	}

	element->devname = devname;

	return 0;
}

/* Either no reference is left, or those which works of ours hold for a moment. */
static bool is_leaving(const struct evl_element *element)
{
	return !kref_read(&element->refs) ||
		(READ_ONCE(element->retired) && !atomic_read(&element->nr_files));
}

/* -EAGAIN if the name belongs to an element which is about to go. */
static int claim_name(struct evl_element *element)
{
	struct evl_factory *factory = element->factory;
	struct evl_element *rival;
	int ret;

	mutex_lock(&factory->lock);
	rival = find_rival(element);
	if (rival)
		ret = is_leaving(rival) ? -EAGAIN : -EEXIST;
	else
		ret = set_devname(element);
	if (!ret) {
		hash_add(factory->names, &element->name_hash,
			 name_key(element->name));
		hash_add(factory->devnames, &element->devname_hash,
			 name_key(element->devname));
	}
	mutex_unlock(&factory->lock);

	return ret;
}

/*
 * Whoever has it may be on its way out. The wait is a short one, unless that one has
 * a node, and somebody keeps Linux from removing it.
 */
static int wait_for_name(struct evl_element *element)
{
	int seen, ret;

	for (;;) {
		seen = atomic_read(&departures);
		ret = claim_name(element);
		if (ret != -EAGAIN)
			return ret;
		ret = wait_event_killable(evl_disposal_wait,
					  atomic_read(&departures) != seen);
		if (ret)
			return ret;
	}
}

static int assign_name(struct evl_element *element, const char *name)
{
	struct evl_factory *factory = element->factory;
	int ret;

	element->name = name ? kstrdup(name, GFP_KERNEL) :
		kasprintf(GFP_KERNEL, "%s%%%u", factory->name, element->minor);
	if (!element->name)
		return -ENOMEM;

	/* There are programs which give such names to what nobody opens: they
	 * get what sysfs would make of them. */
	if (!(element->clone_flags & EVL_CLONE_PUBLIC))
		strreplace(element->name, '/', '!');

	ret = evl_check_element_name(element->name, element->clone_flags);
	/* The clone device sits next to the elements. */
	if (!ret && (factory->flags & EVL_FACTORY_CLONE) &&
	    !strcmp(element->name, EVL_CLONE_NAME))
		ret = -EEXIST;

	element->maker = get_pid(task_tgid(current));
	if (!ret)
		ret = wait_for_name(element);
	if (ret) {
		put_pid(element->maker);
		kfree(element->name);
	}

	return ret;
}

bool evl_is_maker(const struct evl_element *element)
{
	return task_tgid(current) == element->maker;
}

void evl_retire_element(struct evl_element *element)
{
	WRITE_ONCE(element->retired, true);
}

/* --- Minors ------------------------------------------------------------------ */

static int assign_minor(struct evl_element *element)
{
	struct evl_factory *factory = element->factory;
	int minor;

	mutex_lock(&factory->lock);
	minor = idr_alloc(&factory->minors, NULL, 0, MINORMASK + 1, GFP_KERNEL);
	mutex_unlock(&factory->lock);
	if (minor < 0)
		return minor == -ENOSPC ? -EAGAIN : minor;

	element->minor = minor;

	return 0;
}

static void release_minor(struct evl_element *element)
{
	struct evl_factory *factory = element->factory;

	mutex_lock(&factory->lock);
	idr_remove(&factory->minors, element->minor);
	mutex_unlock(&factory->lock);
}

/* --- Fundles ----------------------------------------------------------------- */

/* Fundle lock held. False if another element has the same. */
static bool insert_fundle(struct evl_factory *factory,
			  struct evl_element *element)
{
	struct rb_node **link = &factory->fundles.rb_node, *parent = NULL;
	struct evl_element *other;

	while (*link) {
		parent = *link;
		other = rb_entry(parent, struct evl_element, fundle_node);
		if (element->fundle == other->fundle)
			return false;
		link = element->fundle < other->fundle ?
			&parent->rb_left : &parent->rb_right;
	}

	rb_link_node(&element->fundle_node, parent, link);
	rb_insert_color(&element->fundle_node, &factory->fundles);

	return true;
}

static void assign_fundle(struct evl_element *element)
{
	struct evl_factory *factory = element->factory;
	unsigned long flags;
	bool done;

	if (!(factory->flags & EVL_FACTORY_INDEXED))
		return;

	/* There are more handles than minors: one of them is free. */
	do {
		evl_lock_irqsave(&factory->fundle_lock, flags);
		if (factory->fundle_cursor++ >= MAX_FUNDLE)
			factory->fundle_cursor = 1;
		element->fundle = factory->fundle_cursor;
		done = insert_fundle(factory, element);
		evl_unlock_irqrestore(&factory->fundle_lock, flags);
	} while (!done);
}

/*
 * Handles are easily guessed: whoever writes one into an owner word may have the
 * core look for it at any time, an element half made included.
 */
static void index_element(struct evl_element *element, bool indexed)
{
	struct evl_factory *factory = element->factory;
	unsigned long flags;

	evl_lock_irqsave(&factory->fundle_lock, flags);
	element->indexed = indexed;
	evl_unlock_irqrestore(&factory->fundle_lock, flags);
}

static void release_fundle(struct evl_element *element)
{
	struct evl_factory *factory = element->factory;
	unsigned long flags;

	if (!element->fundle)
		return;

	evl_lock_irqsave(&factory->fundle_lock, flags);
	rb_erase(&element->fundle_node, &factory->fundles);
	evl_unlock_irqrestore(&factory->fundle_lock, flags);
	element->fundle = EVL_NO_HANDLE;
}

struct evl_element *evl_get_element_by_fundle(struct evl_factory *factory,
					      fundle_t fundle)
{
	struct evl_element *element, *found = NULL;
	struct rb_node *node;
	unsigned long flags;

	evl_lock_irqsave(&factory->fundle_lock, flags);
	node = factory->fundles.rb_node;
	while (node) {
		element = rb_entry(node, struct evl_element, fundle_node);
		if (fundle == element->fundle) {
			if (element->indexed &&
			    kref_get_unless_zero(&element->refs))
				found = element;
			break;
		}
		node = fundle < element->fundle ? node->rb_left : node->rb_right;
	}
	evl_unlock_irqrestore(&factory->fundle_lock, flags);

	return found;
}

/* --- Life of an element ------------------------------------------------------ */

static void forget_element(struct evl_element *element)
{
	struct evl_factory *factory = element->factory;

	release_fundle(element);
	mutex_lock(&factory->lock);
	hash_del(&element->name_hash);
	hash_del(&element->devname_hash);
	mutex_unlock(&factory->lock);
	release_minor(element);
	atomic_inc(&departures);
	wake_up_all(&evl_disposal_wait);
}

/* No reference is left, and none can be had any more. Returns once the node is gone, if
 * there is one. */
static void dispose_element(struct evl_element *element)
{
	struct evl_factory *factory = element->factory;
	char *name = element->name, *devname = element->devname;
	struct pid *maker = element->maker;

	evl_tracepoint(evl_element_dispose, factory->name, name, element->clone_flags);
	if (element->dev)
		device_unregister(element->dev);
	forget_element(element);
	factory->dispose(element);
	put_pid(maker);
	kfree(devname);
	kfree(name);
	/* Woken up under its lock: evl_unpublish_factories() may return after that. */
	atomic_dec(&factory->population);
	wake_up_all(&evl_disposal_wait);
}

static void do_put_work(struct evl_work *work)
{
	dispose_element(container_of(work, struct evl_element, put_work));
}

static void release_deferred(struct kref *refs)
{
	struct evl_element *element = container_of(refs, struct evl_element, refs);

	evl_call_inband(&element->put_work);
}

static void release_now(struct kref *refs)
{
	dispose_element(container_of(refs, struct evl_element, refs));
}

void evl_put_element(struct evl_element *element)
{
	kref_put(&element->refs, release_deferred);
}

void evl_drop_element(struct evl_element *element)
{
	kref_put(&element->refs, release_now);
}

int evl_init_element(struct evl_element *element, struct evl_factory *factory,
		     const char *name, u32 clone_flags)
{
	int ret;

	memset(element, 0, sizeof(*element));
	element->factory = factory;
	element->clone_flags = clone_flags;
	element->state_offset = EVL_NO_STATE_OFFSET;
	element->uid = GLOBAL_ROOT_UID;
	element->gid = GLOBAL_ROOT_GID;
	element->mode = 0600;
	kref_init(&element->refs);
	evl_init_work(&element->put_work, do_put_work);
	if (has_node(element))
		evl_let_work_wait(&element->put_work, EVL_WORK_DISPOSAL);

	ret = assign_minor(element);
	if (ret)
		return ret;

	ret = assign_name(element, name);
	if (ret) {
		release_minor(element);
		return ret;
	}

	atomic_inc(&factory->population);
	assign_fundle(element);
	evl_tracepoint(evl_element_new, factory->name, element->name, clone_flags);

	return 0;
}

void evl_cleanup_element(struct evl_element *element)
{
	evl_tracepoint(evl_element_dispose, element->factory->name, element->name,
		       element->clone_flags);
	forget_element(element);
	put_pid(element->maker);
	kfree(element->devname);
	kfree(element->name);
	element->name = NULL;
	atomic_dec(&element->factory->population);
	wake_up_all(&evl_disposal_wait);
}

/* What open(2) finds under the minor of @element: itself, or nothing. */
static void publish_minor(struct evl_element *element, void *entry)
{
	struct evl_factory *factory = element->factory;

	if (!has_node(element))
		return;

	mutex_lock(&factory->lock);
	idr_replace(&factory->minors, entry, element->minor);
	mutex_unlock(&factory->lock);
}

int evl_create_core_element(struct evl_element *element)
{
	struct device *dev;

	/* Ahead of the node: udev may open it at once. */
	index_element(element, true);
	publish_minor(element, element);
	dev = evl_add_element_device(element);
	if (IS_ERR(dev)) {
		publish_minor(element, NULL);
		index_element(element, false);
		return PTR_ERR(dev);
	}
	element->dev = dev;

	return 0;
}

/* --- Attributes ---------------------------------------------------------------- */

/*
 * sysfs drains the handlers of attributes before a device is gone, and the
 * element outlives its device: no reference is needed.
 */
struct evl_element *evl_dev_element(struct device *dev)
{
	struct evl_element *element = dev_get_drvdata(dev);

	return element && kref_read(&element->refs) ? element : NULL;
}

struct evl_element *evl_get_dev_element(struct device *dev)
{
	struct evl_element *element = dev_get_drvdata(dev);

	return element && kref_get_unless_zero(&element->refs) ? element : NULL;
}

/* --- Files of elements ------------------------------------------------------- */

/* Nobody came by it any more. */
static void end_file(struct evl_core_file *cfile)
{
	struct evl_element_file *ef = container_of(cfile, struct evl_element_file, file);
	struct evl_element *element = ef->element;

	kfree(ef);
	evl_drop_element(element);
}

/* The reference to @element goes to the file on success. */
static int attach_file(struct evl_element *element, struct file *filp)
{
	static const struct evl_file_ops no_oob_ops;
	const struct evl_file_ops *ops = element->factory->oob_ops;
	struct evl_element_file *ef;

	ef = kzalloc(sizeof(*ef), GFP_KERNEL);
	if (!ef)
		return -ENOMEM;

	ef->element = element;
	filp->private_data = ef;
	atomic_inc(&element->nr_files);
	evl_open_core_file(&ef->file, filp, ops ?: &no_oob_ops, end_file);
	if (has_node(element))
		evl_let_work_wait(&ef->file.end_work, EVL_WORK_DISPOSAL);

	return stream_open(file_inode(filp), filp);
}

int evl_open_element(struct inode *inode, struct file *filp)
{
	struct evl_factory *factory = container_of(inode->i_cdev,
						   struct evl_factory, element_cdev);
	struct evl_element *element;
	int ret;

	/* Clocks are there from the beginning. */
	ret = evl_check_published();
	if (ret)
		return ret;

	mutex_lock(&factory->lock);
	element = idr_find(&factory->minors, iminor(inode));
	if (!element)
		ret = -ENOENT;
	else if (!kref_get_unless_zero(&element->refs))
		ret = -ESTALE;
	mutex_unlock(&factory->lock);
	if (ret)
		return ret;

	ret = attach_file(element, filp);
	if (ret)
		evl_drop_element(element);
	else
		WRITE_ONCE(element->opened, true);

	return ret;
}

/*
 * Wake up whoever sleeps in an operation on the file being released, but nobody who
 * came by another one: that a stranger opened the element and goes is none of their
 * business. Others may open the element again meanwhile: who waits for what is
 * looked at with the line locked.
 */
static void drain_file(struct evl_element_file *ef)
{
	struct evl_element *element = ef->element;
	bool busy = evl_retire_core_file(&ef->file);
	bool last = atomic_dec_and_test(&element->nr_files);

	/* The last one is told even if none of its requests is there: drivers are. */
	if (element->factory->flush && (last || busy))
		element->factory->flush(element, &ef->file.efile);
}

int evl_release_element(struct inode *inode, struct file *filp)
{
	struct evl_element_file *ef = filp->private_data;
	struct evl_element *element;

	/* An anonymous file which evl_element_anon_file() gave up. */
	if (!ef)
		return 0;

	element = ef->element;
	drain_file(ef);
	if (element->factory->linger && evl_is_maker(element))
		element->factory->linger(element);
	evl_drop_core_file(&ef->file);

	return 0;
}

struct file *evl_element_anon_file(struct evl_element *element)
{
	struct file *filp;
	int ret;

	filp = anon_inode_getfile(element->name, element->factory->fops, NULL,
				  O_RDWR | O_CLOEXEC);
	if (IS_ERR(filp))
		return filp;

	evl_get_element(element);
	ret = attach_file(element, filp);
	if (ret) {
		evl_drop_element(element);
		fput(filp);
		return ERR_PTR(ret);
	}

	return filp;
}
