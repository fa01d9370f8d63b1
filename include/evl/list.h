/* SPDX-License-Identifier: MIT */
/*
 * Doubly linked circular lists. Mind the order of arguments, element first:
 * it is not that of Linux. Any stage, any thread, no request; the caller serialises.
 */
#ifndef _EVL_LIST_H
#define _EVL_LIST_H

#include <evl/detail/base.h>
#include <evl/compiler.h>

__EVL_BEGIN_DECLS

struct list_head {
	struct list_head *next;
	struct list_head *prev;
};

#define LIST_HEAD_INITIALIZER(__name)	{ &(__name), &(__name) }
#define DEFINE_LIST_HEAD(__name)	\
	struct list_head __name = LIST_HEAD_INITIALIZER(__name)

/* Makes an empty list, or an element which is in none; list_init() is the same. */
__evl_inline void inith(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

__evl_inline void list_init(struct list_head *head)
{
	inith(head);
}

/* Link after, and unlink. Unlinked elements keep stale links. */
__evl_inline void ath(struct list_head *head, struct list_head *e)
{
	e->next = head->next;
	e->prev = head;
	head->next->prev = e;
	head->next = e;
}

__evl_inline void dth(struct list_head *e)
{
	e->prev->next = e->next;
	e->next->prev = e->prev;
}

/* True if a list has no element. */
__evl_inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

/* True if an element is in a list: only if initialised, or removed by list_remove_init(). */
__evl_inline bool list_is_linked(const struct list_head *e)
{
	return !list_empty(e);
}

/* True if an element is the first of a list. */
__evl_inline bool list_is_heading(const struct list_head *e, const struct list_head *head)
{
	return head->next == e;
}

/* Link ahead of all others, and behind them. Returns the element. */
__evl_inline struct list_head *list_prepend(struct list_head *e, struct list_head *head)
{
	ath(head, e);
	return e;
}

__evl_inline struct list_head *list_append(struct list_head *e, struct list_head *head)
{
	ath(head->prev, e);
	return e;
}

/* Links next after prev. */
__evl_inline struct list_head *list_insert(struct list_head *next, struct list_head *prev)
{
	ath(prev, next);
	return next;
}

/* Moves the elements of src to the end of dst. */
__evl_inline void list_join(struct list_head *src, struct list_head *dst)
{
	if (list_empty(src))
		return;

	src->next->prev = dst->prev;
	dst->prev->next = src->next;
	src->prev->next = dst;
	dst->prev = src->prev;
	inith(src);
}

/* Unlink an element: it is in no list then, as list_is_linked() sees it, if by the second. */
__evl_inline void list_remove(struct list_head *e)
{
	dth(e);
}

__evl_inline void list_remove_init(struct list_head *e)
{
	dth(e);
	inith(e);
}

/* Unlinks the first element of a list which has one. */
__evl_inline struct list_head *list_pop(struct list_head *head)
{
	struct list_head *e = head->next;

	list_remove(e);
	return e;
}

/* What an element is part of; what the first one of a list is, and the last one. */
#define list_entry(__ptr, __type, __member)	container_of(__ptr, __type, __member)

#define list_first_entry(__head, __type, __member)	\
	list_entry((__head)->next, __type, __member)

#define list_last_entry(__head, __type, __member)	\
	list_entry((__head)->prev, __type, __member)

/* What the element before, or behind, is part of: NULL at the end of the list. */
#define list_prev_entry(__pos, __head, __member)				\
	((__pos)->__member.prev == (__head) ? NULL :				\
	 list_entry((__pos)->__member.prev, __typeof__(*(__pos)), __member))

#define list_next_entry(__pos, __head, __member)				\
	((__pos)->__member.next == (__head) ? NULL :				\
	 list_entry((__pos)->__member.next, __typeof__(*(__pos)), __member))

/* Unlinks the first element of a list which has one, and gives what it is part of. */
#define list_pop_entry(__head, __type, __member)	\
	list_entry(list_pop(__head), __type, __member)

/* Loop over elements. */
#define list_for_each(__pos, __head)	\
	for (__pos = (__head)->next; __pos != (__head); __pos = (__pos)->next)

#define list_for_each_reverse(__pos, __head)	\
	for (__pos = (__head)->prev; __pos != (__head); __pos = (__pos)->prev)

/* Same, and the current element may be removed. */
#define list_for_each_safe(__pos, __tmp, __head)				\
	for (__pos = (__head)->next, __tmp = (__pos)->next;			\
	     __pos != (__head); __pos = __tmp, __tmp = (__pos)->next)

/* Loop over what elements are part of; the safe forms let the current one be removed. */
#define list_for_each_entry(__pos, __head, __member)				\
	for (__pos = list_entry((__head)->next, __typeof__(*__pos), __member);	\
	     &(__pos)->__member != (__head);					\
	     __pos = list_entry((__pos)->__member.next,				\
				__typeof__(*__pos), __member))

#define list_for_each_entry_safe(__pos, __tmp, __head, __member)		\
	for (__pos = list_entry((__head)->next, __typeof__(*__pos), __member),	\
	     __tmp = list_entry((__pos)->__member.next,				\
				__typeof__(*__pos), __member);			\
	     &(__pos)->__member != (__head);					\
	     __pos = __tmp, __tmp = list_entry((__pos)->__member.next,		\
				__typeof__(*__pos), __member))

#define list_for_each_entry_reverse(__pos, __head, __member)			\
	for (__pos = list_entry((__head)->prev, __typeof__(*__pos), __member);	\
	     &(__pos)->__member != (__head);					\
	     __pos = list_entry((__pos)->__member.prev,				\
				__typeof__(*__pos), __member))

#define list_for_each_entry_reverse_safe(__pos, __tmp, __head, __member)	\
	for (__pos = list_entry((__head)->prev, __typeof__(*__pos), __member),	\
	     __tmp = list_entry((__pos)->__member.prev,				\
				__typeof__(*__pos), __member);			\
	     &(__pos)->__member != (__head);					\
	     __pos = __tmp, __tmp = list_entry((__pos)->__member.prev,		\
				__typeof__(*__pos), __member))

__EVL_END_DECLS

#endif /* _EVL_LIST_H */
