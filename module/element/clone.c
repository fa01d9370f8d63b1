// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clone devices: one open file of them makes one element.
 *
 * All that a request says is copied before any lock is taken, and answers are
 * given after the last one was dropped: a process may keep whoever touches its
 * memory waiting as long as it likes.
 *
 * Locking: clone_file.lock serializes the requests on a file; see element.c
 * for what nests in it.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "core/core.h"
#include "element/element.h"

struct clone_file {
	struct mutex lock;
	struct evl_factory *factory;
	struct evl_element *element;	/* NULL until made */
	kuid_t uid;			/* of the node, as it was opened */
	kgid_t gid;
	umode_t mode;
};

/* A request, in kernel memory. */
struct clone_params {
	struct evl_clone_req req;
	char *name;			/* NULL if none was given */
	void *attrs;			/* NULL if the class has none */
};

/* --- What the caller wants ------------------------------------------------------- */

/* NULL if the caller gave no name. To be freed. */
static char *get_user_name(u64 name_ptr)
{
	char *name;
	long len;
	int ret;

	if (!name_ptr)
		return NULL;

	name = kmalloc(EVL_NAME_MAX + 2, GFP_KERNEL);
	if (!name)
		return ERR_PTR(-ENOMEM);

	len = strncpy_from_user(name, u64_to_user_ptr(name_ptr),
				EVL_NAME_MAX + 1);
	if (len < 0) {
		ret = len;
	} else {
		name[len] = '\0';
		ret = evl_check_element_name(name, 0);
	}
	if (ret) {
		kfree(name);
		return ERR_PTR(ret);
	}

	return name;
}

static void *get_user_attrs(struct evl_factory *factory, u64 attrs_ptr)
{
	if (!factory->attrs_size)
		return NULL;

	return memdup_user(u64_to_user_ptr(attrs_ptr), factory->attrs_size);
}

static int get_params(struct evl_factory *factory, struct clone_params *params,
		    struct evl_clone_req __user *u_req)
{
	struct evl_clone_req *req = &params->req;

	if (copy_from_user(req, u_req, sizeof(*req)))
		return -EFAULT;

	if ((req->clone_flags & EVL_CLONE_PUBLIC) && !req->name_ptr)
		return -EINVAL;
	if (req->clone_flags & ~factory->clone_flags)
		return -EINVAL;

	params->name = get_user_name(req->name_ptr);
	if (IS_ERR(params->name))
		return PTR_ERR(params->name);

	params->attrs = get_user_attrs(factory, req->attrs_ptr);
	if (IS_ERR(params->attrs)) {
		kfree(params->name);
		return PTR_ERR(params->attrs);
	}

	return 0;
}

static void put_params(struct clone_params *params)
{
	kfree(params->attrs);
	kfree(params->name);
}

/* --- Making it --------------------------------------------------------------------- */

static void discard_element(struct evl_element *element)
{
	struct evl_factory *factory = element->factory;

	if (factory->undo)
		factory->undo(element);
	evl_drop_element(element);
}

static struct evl_element *build_element(struct clone_file *cf,
					 const struct clone_params *params)
{
	struct evl_factory *factory = cf->factory;
	struct evl_element *element;
	int ret;

	element = factory->build(factory, params->name, params->attrs,
				 params->req.clone_flags);
	if (IS_ERR(element))
		return element;

	/* Elements go to whoever owns the clone device. */
	element->uid = cf->uid;
	element->gid = cf->gid;
	element->mode = cf->mode;
	ret = evl_create_core_element(element);
	if (ret) {
		discard_element(element);
		return ERR_PTR(ret);
	}

	return element;
}

static int make_element(struct clone_file *cf, const struct clone_params *params)
{
	struct evl_element *element;
	int ret;

	ret = mutex_lock_killable(&cf->lock);
	if (ret)
		return ret;

	if (cf->element) {
		ret = -EBUSY;
	} else {
		element = build_element(cf, params);
		ret = PTR_ERR_OR_ZERO(element);
		if (!ret)
			WRITE_ONCE(cf->element, element);
	}
	mutex_unlock(&cf->lock);

	return ret;
}

/* Nobody else touches the element of a file which has one. */
static void unmake_element(struct clone_file *cf)
{
	struct evl_element *element = cf->element;

	WRITE_ONCE(cf->element, NULL);
	discard_element(element);
}

/* --- Handing it over ----------------------------------------------------------------- */

/*
 * What the delivery may fail for is found out ahead: making an element may leave
 * traces, such as the CPU and the name of a thread which attached. The request stays
 * as it is. A descriptor, if the element comes with one, or -1.
 */
static int prepare_delivery(const struct clone_params *params,
			    struct evl_clone_req __user *u_req, int *fd)
{
	if (copy_to_user(u_req, &params->req, sizeof(params->req)))
		return -EFAULT;

	*fd = -1;
	if (params->req.clone_flags & EVL_CLONE_PUBLIC)
		return 0;

	*fd = get_unused_fd_flags(O_CLOEXEC);

	return *fd < 0 ? *fd : 0;
}

static int put_user_ids(struct evl_clone_req __user *u_req,
			const struct evl_element *element, u32 efd)
{
	const struct evl_element_ids ids = {
		.minor = element->minor,
		.fundle = element->fundle,
		.state_offset = element->state_offset,
	};

	if (copy_to_user(&u_req->eids, &ids, sizeof(ids)) ||
	    put_user(efd, &u_req->efd))
		return -EFAULT;

	return 0;
}

/* The descriptor is installed last: it cannot be taken back. */
static int deliver_private(struct evl_element *element,
			   struct evl_clone_req __user *u_req, int fd)
{
	struct file *filp;
	int ret;

	filp = evl_element_anon_file(element);
	if (IS_ERR(filp))
		return PTR_ERR(filp);

	ret = put_user_ids(u_req, element, fd);
	if (ret)
		fput(filp);
	else
		fd_install(fd, filp);

	return ret;
}

static int deliver_element(struct evl_element *element,
			   struct evl_clone_req __user *u_req, int fd)
{
	if (element->clone_flags & EVL_CLONE_PUBLIC)
		return put_user_ids(u_req, element, -1U);

	return deliver_private(element, u_req, fd);
}

/* --- Files ---------------------------------------------------------------------------- */

static int create_element(struct clone_file *cf, const struct clone_params *params)
{
	int ret;

	ret = evl_enter_service();
	if (ret)
		return ret;

	ret = make_element(cf, params);
	evl_leave_service();

	return ret;
}

static int clone_element(struct clone_file *cf, const struct clone_params *params,
			 struct evl_clone_req __user *u_req)
{
	int fd, ret;

	ret = prepare_delivery(params, u_req, &fd);
	if (ret)
		return ret;

	ret = create_element(cf, params);
	if (ret)
		goto fail;

	ret = deliver_element(cf->element, u_req, fd);
	if (ret) {
		unmake_element(cf);
		goto fail;
	}

	return 0;

fail:
	if (fd >= 0)
		put_unused_fd(fd);

	return ret;
}

static long clone_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct evl_clone_req __user *u_req = (struct evl_clone_req __user *)arg;
	struct clone_file *cf = filp->private_data;
	struct clone_params params;
	int ret;

	if (cmd != EVL_IOC_CLONE)
		return -ENOTTY;

	/* Both are looked at again under their locks: this is the order in which
	 * programs learn what is wrong. */
	if (!evl_is_running())
		return -ENXIO;
	if (READ_ONCE(cf->element))
		return -EBUSY;

	ret = get_params(cf->factory, &params, u_req);
	if (ret)
		return ret;

	ret = clone_element(cf, &params, u_req);
	put_params(&params);

	return ret;
}

static int clone_open(struct inode *inode, struct file *filp)
{
	struct evl_factory *factory = container_of(inode->i_cdev,
						   struct evl_factory, front_cdev);
	struct clone_file *cf;
	int ret;

	ret = evl_check_published();
	if (ret)
		return ret;

	cf = kzalloc(sizeof(*cf), GFP_KERNEL);
	if (!cf)
		return -ENOMEM;

	mutex_init(&cf->lock);
	cf->factory = factory;
	cf->uid = inode->i_uid;
	cf->gid = inode->i_gid;
	cf->mode = inode->i_mode & 0666;
	filp->private_data = cf;

	return stream_open(inode, filp);
}

/* A public element is there for its maker to open. One which cannot would have it
 * for good, or be it, without a way to tell it anything. */
static void leave_element(struct evl_element *element)
{
	if (element->clone_flags & EVL_CLONE_PUBLIC && !READ_ONCE(element->opened))
		discard_element(element);
	else
		evl_drop_element(element);
}

static int clone_release(struct inode *inode, struct file *filp)
{
	struct clone_file *cf = filp->private_data;

	if (cf->element)
		leave_element(cf->element);
	kfree(cf);

	return 0;
}

const struct file_operations evl_clone_fops = {
	.owner = THIS_MODULE,
	.open = clone_open,
	.release = clone_release,
	.unlocked_ioctl = clone_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};
