// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes which Linux stops, for a debugger or by job control.
 *
 * Linux stops threads one by one, each on its way to user space, and only those
 * which are in-band. So when one thread of a process stops, its siblings which are
 * out-of-band are halted by us: they pass by in-band before they run any code of the
 * program again. Whatever they wait for goes on meanwhile, and ends as it would have.
 *
 * Whoever left the out-of-band stage for a stop, or was halted, goes back before it
 * is in user space. There it waits for the others: once all are back, they go on
 * together, the best first. Nobody waits there for longer than REJOIN_TIMEOUT, since
 * a debugger may let some go on, and others not; and a signal ends that wait as any
 * other, to be followed by another one if the thread is still to come back. Whoever
 * left for a signal, or since Linux moves it, goes back as well, and waits for nobody
 * but those of a stop which began meanwhile.
 *
 * Stops are numbered. One lasts while somebody is away for it, but not for a thread
 * which went on alone: that one remembers the number, and only the next stop concerns
 * it again. Each thread which comes out-of-band during a stop has to find out whether
 * that one concerns it.
 *
 * Locking: the channel of evl_process_stop.barrier guards the whole of it, and is
 * outside of the run queue locks, by which EVL_T_PT* bits are changed.
 */
#include <linux/sched/jobctl.h>
#include <linux/sched/signal.h>
#include <evl/process.h>
#include <evl/thread.h>
#include "core.h"
#include "ptsync.h"
#include "queue.h"

/* How long a thread which was stopped waits for its siblings. */
#define REJOIN_TIMEOUT	(NSEC_PER_SEC / 2)

/* How many threads are halted in one go, with interrupts off. */
#define HALT_STEP	32

void evl_init_stop(struct evl_process_stop *stop)
{
	evl_init_wait(&stop->barrier, &evl_mono_clock, EVL_WAIT_PRIO, "ptsync");
	INIT_LIST_HEAD(&stop->threads);
}

static struct evl_process_stop *stop_of(struct evl_thread *thread)
{
	return evl_process_stop(thread->process);
}

void evl_enter_process(struct evl_thread *curr)
{
	struct evl_process_stop *stop = stop_of(curr);
	unsigned long flags;

	evl_lock_irqsave(&stop->barrier.wchan.lock, flags);
	list_add_tail(&curr->next_sibling, &stop->threads);
	stop->nr_threads++;
	evl_unlock_irqrestore(&stop->barrier.wchan.lock, flags);
}

/* --- What Linux is about to do ----------------------------------------------- */

static bool has_default_action(int sig)
{
	return READ_ONCE(current->sighand->action[sig - 1].sa.sa_handler) == SIG_DFL;
}

/* What is blocked waits for later. */
static bool is_pending(int sig)
{
	return !sigismember(&current->blocked, sig) &&
		(sigismember(&current->pending.signal, sig) ||
		 sigismember(&current->signal->shared_pending.signal, sig));
}

/* What debuggers stop a program by, or for, as a rule: others they mostly pass on. */
static bool is_debuggers_signal_pending(void)
{
	static const u8 signals[] = {
		SIGTRAP, SIGINT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS,
	};
	int n;

	for (n = 0; n < ARRAY_SIZE(signals); n++)
		if (is_pending(signals[n]))
			return true;

	return false;
}

/* Is current to stop? It may find later that somebody had it go on before that. */
static bool stop_is_due(void)
{
	static const u8 stoppers[] = { SIGTSTP, SIGTTIN, SIGTTOU };
	int n;

	if (READ_ONCE(current->jobctl) & (JOBCTL_STOP_PENDING | JOBCTL_TRAP_MASK) ||
	    is_pending(SIGSTOP))
		return true;

	if (current->ptrace && is_debuggers_signal_pending())
		return true;

	for (n = 0; n < ARRAY_SIZE(stoppers); n++)
		if (is_pending(stoppers[n]) && has_default_action(stoppers[n]))
			return true;

	return false;
}

/* --- Halting the others -------------------------------------------------------- */

static void halt_thread(struct evl_thread *thread)
{
	struct evl_rq *rq = evl_lock_thread_rq(thread);

	if (!(thread->state & (EVL_T_INBAND | EVL_T_ZOMBIE | EVL_T_DORMANT))) {
		thread->info |= EVL_T_PTSIG;
		host_mayday(&thread->host);
	}
	raw_spin_unlock(&rq->lock);
}

/* The next few of the list, which go to its end. Lock held. */
static int halt_some(struct evl_process_stop *stop, int max)
{
	int count;

	for (count = 0; count < max && !list_empty(&stop->threads); count++) {
		struct evl_thread *thread =
			list_first_entry(&stop->threads, struct evl_thread, next_sibling);

		list_move_tail(&thread->next_sibling, &stop->threads);
		if (thread != evl_current())
			halt_thread(thread);
	}

	return count;
}

static bool is_halted(struct evl_thread *curr)
{
	return READ_ONCE(curr->info) & EVL_T_PTSIG;
}

/* There is a stop which current was not in yet, or is in the middle of. Lock held. */
static bool stop_concerns(struct evl_process_stop *stop, struct evl_thread *curr)
{
	return stop->nr_away && curr->passed_stop != stop->number;
}

/* --- Leaving -------------------------------------------------------------------- */

static void change_bits(struct evl_thread *curr, u32 set, u32 clear, u32 state)
{
	struct evl_rq *rq = evl_lock_thread_rq(curr);

	curr->info = (curr->info & ~clear) | set;
	curr->state = (curr->state & ~EVL_T_PTRACE) | state;
	raw_spin_unlock(&rq->lock);
}

/* Others, who come back, wait for current as well from now on. Lock held. */
static void count_away(struct evl_process_stop *stop, struct evl_thread *curr)
{
	if (!(curr->info & EVL_T_PTSTOP))
		WRITE_ONCE(stop->nr_away, stop->nr_away + 1);
	change_bits(curr, EVL_T_PTJOIN | EVL_T_PTSTOP, 0,
		    current->ptrace ? EVL_T_PTRACE : 0);
}

/* A step which a debugger has current make, which did not come back before, belongs to
 * the stop that it is in: whoever went on alone from that one is left alone. */
static bool is_stepped(struct evl_thread *curr)
{
	return curr->info & EVL_T_PTSTOP && test_thread_flag(TIF_SINGLESTEP);
}

/*
 * Current is to stop. It counts before its siblings are told: they may be back at once.
 * Those who stop by and by each come here: one is enough, until somebody goes on.
 */
static void begin_stop(struct evl_thread *curr)
{
	struct evl_process_stop *stop = stop_of(curr);
	bool stepped = is_stepped(curr);
	unsigned long flags;
	int left = 0, count;

	evl_lock_irqsave(&stop->barrier.wchan.lock, flags);
	count_away(stop, curr);
	curr->rejoined_stop = 0;
	if (!stop->all_told && !stepped) {
		stop->all_told = true;
		stop->number++;
		left = stop->nr_threads;
	}
	while (left > 0) {
		count = halt_some(stop, min(left, HALT_STEP));
		if (!count)
			break;
		left -= count;
		evl_unlock_irqrestore(&stop->barrier.wchan.lock, flags);
		evl_lock_irqsave(&stop->barrier.wchan.lock, flags);
	}
	evl_unlock_irqrestore(&stop->barrier.wchan.lock, flags);
}

/* Current is going to come back: from a stop if it stops, or is halted for one. */
static bool expect_return(struct evl_thread *curr, bool stops)
{
	struct evl_process_stop *stop = stop_of(curr);
	unsigned long flags;

	evl_lock_irqsave(&stop->barrier.wchan.lock, flags);
	stops = stops || (is_halted(curr) && stop_concerns(stop, curr));
	if (stops)
		count_away(stop, curr);
	else
		change_bits(curr, EVL_T_PTJOIN, 0, 0);
	evl_unlock_irqrestore(&stop->barrier.wchan.lock, flags);

	host_ask_return(&curr->host);

	return stops;
}

bool evl_leave_for_stop(struct evl_thread *curr, enum host_cause cause)
{
	bool signaled = cause == HOST_CAUSE_SIGNAL && signal_pending(current);
	bool trapped = cause == HOST_CAUSE_PTRACE;
	bool stops = (trapped && current->ptrace) || (signaled && stop_is_due());
	bool early = hard_irqs_disabled();

	/* Kernel threads are not stopped; and a call to Linux, or a fault, has whoever
	 * makes it stay in-band. */
	if (!curr->process || cause == HOST_CAUSE_SYSCALL || cause == HOST_CAUSE_TRAP)
		return false;

	/*
	 * On the stock host, it is too early in the middle of an exception, for which
	 * evl_expect_signals() is next. In the middle of the look at signals it is too
	 * late: such a stop does not count, and the siblings go on until they are stopped.
	 */
	if (stops && !early)
		begin_stop(curr);
	if (stops || signaled || trapped || curr->moved || is_halted(curr)) {
		curr->was_oob = true;
		stops |= expect_return(curr, stops && (trapped || !early));
	}

	return stops;
}

void evl_drop_stale_halt(struct evl_thread *curr)
{
	struct evl_process_stop *stop = stop_of(curr);
	unsigned long flags;

	evl_lock_irqsave(&stop->barrier.wchan.lock, flags);
	if (!stop_concerns(stop, curr))
		change_bits(curr, 0, EVL_T_PTSIG, curr->state & EVL_T_PTRACE);
	evl_unlock_irqrestore(&stop->barrier.wchan.lock, flags);
}

void evl_expect_signals(struct host_task *h)
{
	struct evl_thread *curr = evl_thread_of_host(h);

	if (!curr->process || !evl_is_inband(curr))
		return;

	if (stop_is_due()) {
		begin_stop(curr);
		expect_return(curr, true);
	} else if (READ_ONCE(curr->info) & EVL_T_PTJOIN) {
		host_ask_return(h);
	}
}

/* What follows is in-band, as the end of it is. */
void evl_expect_handler(struct host_task *h)
{
	evl_thread_of_host(h)->was_oob = false;
}

/* --- Coming back ------------------------------------------------------------------ */

/* Current is not away any more. True if it was the last one. Lock held. */
static bool arrive(struct evl_process_stop *stop, struct evl_thread *curr)
{
	bool stopped = curr->info & EVL_T_PTSTOP;

	if (!(curr->info & EVL_T_PTJOIN))
		return false;

	change_bits(curr, 0, EVL_T_PTJOIN | EVL_T_PTSTOP, 0);
	curr->was_oob = false;
	if (!stopped)
		return false;

	WRITE_ONCE(stop->nr_away, stop->nr_away - 1);
	if (stop->nr_away)
		return false;

	stop->all_told = false;

	return true;
}

/* Current goes on, whatever others do: who stops next has to tell it. Lock held. */
static void pass_stop(struct evl_process_stop *stop, struct evl_thread *curr, u32 number)
{
	curr->passed_stop = number;
	stop->all_told = false;
}

void evl_forget_stop(struct evl_thread *curr)
{
	struct evl_process_stop *stop = stop_of(curr);
	unsigned long flags;

	evl_lock_irqsave(&stop->barrier.wchan.lock, flags);
	if (curr->info & EVL_T_PTSTOP)
		pass_stop(stop, curr, stop->number);
	if (arrive(stop, curr))
		evl_flush_unlock(&stop->barrier.wchan, 0, flags);
	else
		evl_unlock_irqrestore(&stop->barrier.wchan.lock, flags);
}

/*
 * A stop which begins from now on finds current out-of-band. One which it came back from
 * by its own will, ahead of its siblings, is over for it.
 */
void evl_join_stop(struct evl_thread *curr)
{
	struct evl_process_stop *stop = stop_of(curr);
	unsigned long flags;

	if (curr->info & EVL_T_PTJOIN)
		evl_forget_stop(curr);

	evl_lock_irqsave(&stop->barrier.wchan.lock, flags);
	if (stop_concerns(stop, curr))
		halt_thread(curr);
	evl_unlock_irqrestore(&stop->barrier.wchan.lock, flags);
}

bool evl_stop_is_on(struct evl_thread *curr)
{
	return curr->process && (READ_ONCE(stop_of(curr)->nr_away) ||
				 READ_ONCE(curr->info) & EVL_T_PTJOIN);
}

void evl_leave_process(struct evl_thread *curr)
{
	struct evl_process_stop *stop = stop_of(curr);
	unsigned long flags;

	evl_lock_irqsave(&stop->barrier.wchan.lock, flags);
	list_del(&curr->next_sibling);
	stop->nr_threads--;
	evl_unlock_irqrestore(&stop->barrier.wchan.lock, flags);
	evl_forget_stop(curr);
}

/* Whoever sees it is told so. Channel locked: nobody has ended the wait yet but by a
 * kick, after which the thread does not sleep any more. */
static void show_wait(struct evl_thread *curr)
{
	struct evl_rq *rq = evl_lock_thread_rq(curr);

	if (curr->state & EVL_T_PEND)
		curr->state |= EVL_T_PTSYNC;
	raw_spin_unlock(&rq->lock);
}

/* Signals, after which current waits again, do not have it wait for longer. */
static ktime_t rejoin_date(struct evl_process_stop *stop, struct evl_thread *curr)
{
	if (curr->rejoined_stop != stop->number) {
		curr->rejoined_stop = stop->number;
		curr->rejoin_date = evl_ktime_monotonic() + REJOIN_TIMEOUT;
	}

	return curr->rejoin_date;
}

static void wait_for_siblings(struct evl_thread *curr)
{
	struct evl_process_stop *stop = stop_of(curr);
	struct evl_wait_channel *wchan = &stop->barrier.wchan;
	unsigned long flags;
	int ret = 0;
	u32 number = 0;

	evl_lock_irqsave(&wchan->lock, flags);
	if (arrive(stop, curr)) {
		evl_flush_unlock(wchan, 0, flags);
		return;
	}

	/* Those who were woken up may find that another stop has begun meanwhile. */
	while (!ret && stop_concerns(stop, curr)) {
		number = stop->number;
		ret = __evl_sleep_on(wchan, &evl_mono_clock, rejoin_date(stop, curr),
				     EVL_ABS, true);
		if (ret)
			break;
		show_wait(curr);
		evl_unlock_irqrestore(&wchan->lock, flags);
		ret = evl_wait_schedule(wchan);
		evl_lock_irqsave(&wchan->lock, flags);
	}
	if (ret == -ETIMEDOUT)
		pass_stop(stop, curr, number);
	evl_unlock_irqrestore(&wchan->lock, flags);

	if (is_halted(curr))
		evl_drop_stale_halt(curr);
}

bool evl_waits_for_siblings(struct evl_thread *thread)
{
	return thread->process && thread->wchan == &stop_of(thread)->barrier.wchan;
}

/* A weak thread is out-of-band in requests, or with a mutex. */
static bool may_stay_oob(struct evl_thread *curr)
{
	return !(READ_ONCE(curr->state) & EVL_T_WEAK) || atomic_read(&curr->held);
}

bool evl_comes_back(struct host_task *h)
{
	return READ_ONCE(evl_thread_of_host(h)->info) & EVL_T_PTJOIN;
}

/*
 * A single step is made in-band, and belongs to the stop. Signals come first: after
 * those, we are here again, by evl_expect_signals().
 */
void evl_come_back(struct host_task *h)
{
	struct evl_thread *curr = evl_thread_of_host(h);
	int ret;

	if (likely(!evl_comes_back(h)) || !evl_is_inband(curr))
		return;

	if (signal_pending(current) || test_thread_flag(TIF_SINGLESTEP))
		return;

	if (!curr->was_oob || !may_stay_oob(curr)) {
		evl_forget_stop(curr);
		return;
	}

	ret = evl_go_oob(curr);
	if (!ret) {
		wait_for_siblings(curr);
		/* Whoever demoted it meanwhile found it in-band, with nobody to kick. */
		if (unlikely(!may_stay_oob(curr)) && !evl_is_inband(curr))
			evl_switch_inband(0, 0);
		evl_sync_window(curr);
	} else if (ret != -ERESTARTSYS) {
		evl_forget_stop(curr);
	} else if (!signal_pending(current)) {
		host_ask_return(h);
	}
}
