// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clone devices: one open file of them makes one element.
 *
 * Locking: clone_file.lock serializes the requests on a file; see element.c
 * for what nests in it.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "element/element.h"

struct clone_file {
	struct mutex lock;
	struct evl_factory *factory;
	struct evl_element *element;	/* NULL until made */
};

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

static struct evl_element *build_element(struct evl_factory *factory,
					 const struct evl_clone_req *req)
{
	struct evl_element *element;
	char *name;

	if ((req->clone_flags & EVL_CLONE_PUBLIC) && !req->name_ptr)
		return ERR_PTR(-EINVAL);
	if (req->clone_flags & ~factory->clone_flags)
		return ERR_PTR(-EINVAL);

	name = get_user_name(req->name_ptr);
	if (IS_ERR(name))
		return ERR_CAST(name);

	element = factory->build(factory, name, u64_to_user_ptr(req->attrs_ptr),
				 req->clone_flags);
	kfree(name);

	return element;
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
			   struct evl_clone_req __user *u_req)
{
	struct file *filp;
	int fd, ret;

	filp = evl_element_anon_file(element);
	if (IS_ERR(filp))
		return PTR_ERR(filp);

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		ret = fd;
		goto fail_fd;
	}

	ret = put_user_ids(u_req, element, fd);
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

static int deliver_element(struct evl_element *element,
			   struct evl_clone_req __user *u_req)
{
	int ret;

	ret = evl_create_core_element(element);
	if (ret)
		return ret;

	if (element->clone_flags & EVL_CLONE_PUBLIC)
		return put_user_ids(u_req, element, -1U);

	return deliver_private(element, u_req);
}

static int clone_element(struct clone_file *cf,
			 struct evl_clone_req __user *u_req)
{
	struct evl_element *element;
	struct evl_clone_req req;
	int ret;

	if (cf->element)
		return -EBUSY;

	if (copy_from_user(&req, u_req, sizeof(req)))
		return -EFAULT;

	element = build_element(cf->factory, &req);
	if (IS_ERR(element))
		return PTR_ERR(element);

	ret = deliver_element(element, u_req);
	if (ret) {
		if (cf->factory->abandon)
			cf->factory->abandon(element);
		evl_drop_element(element);
		return ret;
	}

	cf->element = element;

	return 0;
}

static long clone_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct clone_file *cf = filp->private_data;
	int ret;

	if (cmd != EVL_IOC_CLONE)
		return -ENOTTY;

	ret = evl_enter_service();
	if (ret)
		return ret;

	mutex_lock(&cf->lock);
	ret = clone_element(cf, (struct evl_clone_req __user *)arg);
	mutex_unlock(&cf->lock);
	evl_leave_service();

	return ret;
}

static int clone_open(struct inode *inode, struct file *filp)
{
	struct evl_factory *factory = container_of(inode->i_cdev,
						   struct evl_factory, front_cdev);
	struct clone_file *cf;

	cf = kzalloc(sizeof(*cf), GFP_KERNEL);
	if (!cf)
		return -ENOMEM;

	mutex_init(&cf->lock);
	cf->factory = factory;
	filp->private_data = cf;

	/* Public elements go to whoever owns the clone device. */
	WRITE_ONCE(factory->uid, inode->i_uid);
	WRITE_ONCE(factory->gid, inode->i_gid);

	return stream_open(inode, filp);
}

static int clone_release(struct inode *inode, struct file *filp)
{
	struct clone_file *cf = filp->private_data;

	if (cf->element)
		evl_drop_element(cf->element);
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
