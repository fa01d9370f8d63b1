/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Elements and the factories which make them: what /dev/evl shows.
 *
 * An element lives as long as somebody holds a reference: each of its open
 * files does, and requests which came by one that was closed meanwhile, the clone
 * descriptor which created it too, and so may the core (an attached thread holds
 * its own). The last one out disposes of it, in-band.
 */
#ifndef EVL_FACTORY_H
#define EVL_FACTORY_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/idr.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/kref.h>
#include <linux/uidgid.h>
#include <evl/file.h>
#include <evl/lock.h>
#include <evl/work.h>
#include <evl/factory-abi.h>

struct evl_factory;

struct evl_element {
	struct evl_factory *factory;
	struct kref refs;
	char *name;			/* as its maker wants it */
	char *devname;			/* in sysfs, where it may differ */
	struct pid *maker;		/* the process */
	kuid_t uid;			/* of the clone node it came from */
	kgid_t gid;
	umode_t mode;
	atomic_t nr_files;		/* open ones */
	bool retired;			/* see evl_retire_element() */
	bool opened;			/* by its node, once at least */
	u32 clone_flags;
	u32 minor;
	fundle_t fundle;		/* 0 if the class is not indexed */
	bool indexed;			/* may be found by it; fundle lock */
	u32 state_offset;		/* EVL_NO_STATE_OFFSET if none */
	struct device *dev;		/* in sysfs, and in /dev/evl if public */
	struct hlist_node name_hash;
	struct hlist_node devname_hash;
	struct rb_node fundle_node;
	struct evl_work put_work;	/* disposal requested out-of-band */
};

#define EVL_FACTORY_CLONE	1	/* has a clone device */
#define EVL_FACTORY_SINGLE	2	/* is a device itself */
#define EVL_FACTORY_INDEXED	4	/* its elements have fundles */

struct evl_factory {
	const char *name;		/* of the class, e.g. "xbuf" */
	int flags;
	u32 clone_flags;		/* those accepted at creation */
	const struct file_operations *fops;	/* of its elements */
	const struct evl_file_ops *oob_ops;	/* of its elements, or NULL */
	size_t attrs_size;		/* of what build() gets, or 0 */
	/*
	 * Make an element out of @attrs, which are a copy, calling
	 * evl_init_element(). In-band, may sleep, but on nobody's user memory:
	 * others wait for this. ERR_PTR() on error. @name may be NULL. Checks
	 * attributes only: flags were checked.
	 */
	struct evl_element *(*build)(struct evl_factory *factory,
				     const char *name, const void *attrs,
				     u32 clone_flags);
	/*
	 * The creation failed after build(), or its maker went without having opened
	 * what it made: drop the references which the element holds on itself.
	 * dispose() follows, once nobody has it open. May be NULL.
	 */
	void (*undo)(struct evl_element *element);
	/* Nobody refers to it any more: free it, but not its name. May sleep. */
	void (*dispose)(struct evl_element *element);
	/* @file, not counted in nr_files any more, is being released: wake up whoever
	 * sleeps in a request by it, and all there are if no file is open. */
	void (*flush)(struct evl_element *element, struct evl_file *file);
	/* The process which made it released a file: it may be kept waiting for
	 * what is under way, for some time. Nobody else may, but who opened that file:
	 * see evl_drop_core_file(). May be NULL. */
	void (*linger)(struct evl_element *element);
	const struct attribute_group **attrs;	/* sysfs */

	/* Private to factory.c and clone.c. */
	struct class *class;
	struct cdev front_cdev;		/* the clone device, or the single one */
	struct cdev element_cdev;	/* all public elements */
	struct device *dev;		/* of front_cdev */
	dev_t region;			/* device numbers of public elements */
	struct mutex lock;		/* names, minors */
	struct idr minors;		/* NULL until open(2) may find it */
	DECLARE_HASHTABLE(names, 10);	/* several may have the same */
	DECLARE_HASHTABLE(devnames, 10);
	hard_spinlock_t fundle_lock;	/* fundles, fundle_cursor */
	struct rb_root fundles;
	fundle_t fundle_cursor;
	atomic_t population;		/* initialized, not disposed of */
};

/* State of an open file on an element: filp->private_data. */
struct evl_element_file {
	struct evl_core_file file;
	struct evl_element *element;
};

/*
 * By build(): have @element own a name, a minor and a fundle, under which nobody
 * finds it before evl_create_core_element(). It has one reference. 0, -EEXIST,
 * -EAGAIN (out of minors), -ENOMEM, -EINTR if the caller is being killed. May
 * sleep.
 */
int evl_init_element(struct evl_element *element, struct evl_factory *factory,
		     const char *name, u32 clone_flags);
/* Undo evl_init_element() for an element that build() gives up, and nobody else
 * has ever seen. */
void evl_cleanup_element(struct evl_element *element);

/* What @element stood for is gone, though it is still referred to: its maker may
 * use its name again, and who wants a public one waits for the last reference unless
 * it is somebody's file. Any stage. */
void evl_retire_element(struct evl_element *element);

static inline void evl_get_element(struct evl_element *element)
{
	kref_get(&element->refs);
}

/* Any stage. The disposal, if due, is left to a worker. */
void evl_put_element(struct evl_element *element);
/* In-band, may sleep: the disposal, if due, was done on return. */
void evl_drop_element(struct evl_element *element);

/* open() and release() of element files, to be put in fops. */
int evl_open_element(struct inode *inode, struct file *filp);
int evl_release_element(struct inode *inode, struct file *filp);

static inline struct evl_element *evl_file_element(struct file *filp)
{
	return ((struct evl_element_file *)filp->private_data)->element;
}

/*
 * The element of sysfs device @dev, NULL if it is dying or if @dev is a clone
 * device. It stays valid until the attribute handler which asks returns.
 */
struct evl_element *evl_dev_element(struct device *dev);
/* The same with a reference, to be dropped by evl_put_element(). */
struct evl_element *evl_get_dev_element(struct device *dev);
/* By fundle, with a reference, or NULL. Any stage. */
struct evl_element *evl_get_element_by_fundle(struct evl_factory *factory,
					      fundle_t fundle);

/*
 * Let the world see @element, which evl_init_element() prepared and which is
 * complete by now: by its fundle, in sysfs and in /dev/evl. 0, or -ENOMEM and the
 * like: others may have found it meanwhile, so that it goes by evl_drop_element().
 * Called by the core itself for its own elements (clocks, threads of drivers); the
 * clone device does it for others.
 */
int evl_create_core_element(struct evl_element *element);

/* An anonymous file on @element, with a reference to it. ERR_PTR() on error. */
struct file *evl_element_anon_file(struct evl_element *element);

/* A name which an element may have: 0, -ENOENT, -ENAMETOOLONG, -EINVAL. Private
 * ones may have slashes in theirs, none has control characters. */
int evl_check_element_name(const char *name, u32 clone_flags);

/* Bring-up of each part of element/, called by main.c in this order and undone
 * in the exact reverse. */
int evl_init_caps(void);	/* of threads */
void evl_exit_caps(void);
int evl_init_subscribers(void);	/* of observables */
void evl_exit_subscribers(void);
int evl_init_factories(void);	/* all of those below; nothing is to be seen yet */
void evl_exit_factories(void);
int evl_publish_factories(void);	/* the last step which may fail */
void evl_unpublish_factories(void);
/* By open() of what is there ahead of any clone: 0, -ENXIO if the core fails to
 * load, -EINTR if the caller is being killed. May sleep. */
int evl_check_published(void);

extern struct evl_factory evl_control_factory;
extern struct evl_factory evl_thread_factory;
extern struct evl_factory evl_clock_factory;
extern struct evl_factory evl_monitor_factory;
extern struct evl_factory evl_xbuf_factory;
extern struct evl_factory evl_proxy_factory;
extern struct evl_factory evl_poll_factory;
extern struct evl_factory evl_trace_factory;

#endif /* !EVL_FACTORY_H */
