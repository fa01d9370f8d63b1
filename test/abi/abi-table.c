// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ABI as a table: each size, offset, request number and constant which
 * a program compiled elsewhere relies on, against what our headers give.
 *
 * The figures are those of x86-64 and of every other architecture where
 * 64-bit integers are 8-byte aligned.
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

#include <evl/types-abi.h>
#include <evl/signal-abi.h>
#include <evl/fcntl-abi.h>
#include <evl/syscall-abi.h>
#include <evl/control-abi.h>
#include <evl/factory-abi.h>
#include <evl/clock-abi.h>
#include <evl/sched-abi.h>
#include <evl/thread-abi.h>
#include <evl/monitor-abi.h>
#include <evl/poll-abi.h>
#include <evl/proxy-abi.h>
#include <evl/xbuf-abi.h>
#include <evl/observable-abi.h>
#include <evl/trace-abi.h>
#include <evl/random-abi.h>
#include <evl/devices/latmus-abi.h>
#include <evl/devices/hectic-abi.h>
#include <evl/devices/gpio-abi.h>
#include <evl/devices/spidev-abi.h>
#include <evl/net/socket-abi.h>
#include <evl/net/device-abi.h>
#include <asm/evl/fptest.h>

struct row {
	const char *name;
	long long expected;
	long long actual;
};

/* Values compare as 32-bit words: headers are free to sign them or not. */
#define SIZE(__type, __n)	\
	{ "sizeof(" #__type ")", __n, (long long)sizeof(__type) }
#define FIELD(__type, __member, __n)	\
	{ #__type "." #__member, __n, (long long)offsetof(__type, __member) }
#define VALUE(__expr, __n)	\
	{ #__expr, (unsigned int)(__n), (unsigned int)(__expr) }
#define STRING(__expr, __text)	\
	{ #__expr, 0, strcmp(__expr, __text) }

static const struct row layouts[] = {
	SIZE(struct __evl_timespec, 16),
	FIELD(struct __evl_timespec, tv_sec, 0),
	FIELD(struct __evl_timespec, tv_nsec, 8),
	SIZE(struct __evl_itimerspec, 32),
	FIELD(struct __evl_itimerspec, it_interval, 0),
	FIELD(struct __evl_itimerspec, it_value, 16),
	SIZE(union evl_value, 8),
	FIELD(union evl_value, val, 0),
	FIELD(union evl_value, lval, 0),
	FIELD(union evl_value, ptr, 0),
	SIZE(struct evl_core_info, 24),
	FIELD(struct evl_core_info, abi_base, 0),
	FIELD(struct evl_core_info, abi_current, 4),
	FIELD(struct evl_core_info, fpu_features, 8),
	FIELD(struct evl_core_info, shm_size, 16),
	SIZE(struct evl_cpu_state, 16),
	FIELD(struct evl_cpu_state, cpu, 0),
	FIELD(struct evl_cpu_state, state_ptr, 8),
	SIZE(struct evl_element_ids, 12),
	FIELD(struct evl_element_ids, minor, 0),
	FIELD(struct evl_element_ids, fundle, 4),
	FIELD(struct evl_element_ids, state_offset, 8),
	SIZE(struct evl_clone_req, 40),
	FIELD(struct evl_clone_req, name_ptr, 0),
	FIELD(struct evl_clone_req, attrs_ptr, 8),
	FIELD(struct evl_clone_req, clone_flags, 16),
	FIELD(struct evl_clone_req, eids, 20),
	FIELD(struct evl_clone_req, efd, 32),
	SIZE(struct evl_timerfd_setreq, 16),
	FIELD(struct evl_timerfd_setreq, value_ptr, 0),
	FIELD(struct evl_timerfd_setreq, ovalue_ptr, 8),
	SIZE(struct evl_monitor_attrs, 12),
	FIELD(struct evl_monitor_attrs, clockfd, 0),
	FIELD(struct evl_monitor_attrs, initval, 8),
	SIZE(struct evl_monitor_state, 16),
	FIELD(struct evl_monitor_state, flags, 0),
	FIELD(struct evl_monitor_state, u.gate.owner, 4),
	FIELD(struct evl_monitor_state, u.gate.ceiling, 8),
	FIELD(struct evl_monitor_state, u.event.value, 4),
	FIELD(struct evl_monitor_state, u.event.pollrefs, 8),
	FIELD(struct evl_monitor_state, u.event.gate_offset, 12),
	SIZE(struct evl_monitor_waitreq, 24),
	FIELD(struct evl_monitor_waitreq, timeout_ptr, 0),
	FIELD(struct evl_monitor_waitreq, gatefd, 8),
	FIELD(struct evl_monitor_waitreq, status, 12),
	FIELD(struct evl_monitor_waitreq, value, 16),
	SIZE(struct evl_monitor_unwaitreq, 4),
	FIELD(struct evl_monitor_unwaitreq, gatefd, 0),
	SIZE(struct evl_monitor_trywaitreq, 4),
	FIELD(struct evl_monitor_trywaitreq, value, 0),
	SIZE(struct evl_monitor_binding, 16),
	FIELD(struct evl_monitor_binding, eids, 4),
	SIZE(struct evl_notice, 16),
	FIELD(struct evl_notice, tag, 0),
	FIELD(struct evl_notice, event, 8),
	SIZE(struct evl_subscription, 8),
	FIELD(struct evl_subscription, backlog_count, 0),
	FIELD(struct evl_subscription, flags, 4),
	SIZE(struct __evl_notification, 40),
	FIELD(struct __evl_notification, tag, 0),
	FIELD(struct __evl_notification, serial, 4),
	FIELD(struct __evl_notification, issuer, 8),
	FIELD(struct __evl_notification, event, 16),
	FIELD(struct __evl_notification, date, 24),
	SIZE(struct evl_poll_ctlreq, 24),
	FIELD(struct evl_poll_ctlreq, action, 0),
	FIELD(struct evl_poll_ctlreq, fd, 4),
	FIELD(struct evl_poll_ctlreq, events, 8),
	FIELD(struct evl_poll_ctlreq, pollval, 16),
	SIZE(struct evl_poll_event, 16),
	FIELD(struct evl_poll_event, fd, 0),
	FIELD(struct evl_poll_event, events, 4),
	FIELD(struct evl_poll_event, pollval, 8),
	SIZE(struct evl_poll_waitreq, 24),
	FIELD(struct evl_poll_waitreq, timeout_ptr, 0),
	FIELD(struct evl_poll_waitreq, pollset_ptr, 8),
	FIELD(struct evl_poll_waitreq, nrset, 16),
	SIZE(struct evl_proxy_attrs, 12),
	FIELD(struct evl_proxy_attrs, fd, 0),
	FIELD(struct evl_proxy_attrs, bufsz, 4),
	FIELD(struct evl_proxy_attrs, granularity, 8),
	SIZE(struct evl_xbuf_attrs, 8),
	FIELD(struct evl_xbuf_attrs, i_bufsz, 0),
	FIELD(struct evl_xbuf_attrs, o_bufsz, 4),
	SIZE(struct evl_sched_attrs, 24),
	FIELD(struct evl_sched_attrs, sched_policy, 0),
	FIELD(struct evl_sched_attrs, sched_priority, 4),
	FIELD(struct evl_sched_attrs, sched_rr_quantum, 8),
	FIELD(struct evl_sched_attrs, sched_quota_group, 8),
	FIELD(struct evl_sched_attrs, sched_tp_partition, 8),
	SIZE(struct evl_quota_ctlparam, 16),
	FIELD(struct evl_quota_ctlparam, op, 0),
	FIELD(struct evl_quota_ctlparam, u.remove.tgid, 4),
	FIELD(struct evl_quota_ctlparam, u.set.tgid, 4),
	FIELD(struct evl_quota_ctlparam, u.set.quota, 8),
	FIELD(struct evl_quota_ctlparam, u.set.quota_peak, 12),
	FIELD(struct evl_quota_ctlparam, u.get.tgid, 4),
	SIZE(struct evl_quota_ctlinfo, 16),
	FIELD(struct evl_quota_ctlinfo, tgid, 0),
	FIELD(struct evl_quota_ctlinfo, quota, 4),
	FIELD(struct evl_quota_ctlinfo, quota_peak, 8),
	FIELD(struct evl_quota_ctlinfo, quota_sum, 12),
	SIZE(struct __evl_tp_window, 40),
	FIELD(struct __evl_tp_window, offset, 0),
	FIELD(struct __evl_tp_window, duration, 16),
	FIELD(struct __evl_tp_window, ptid, 32),
	SIZE(struct evl_tp_ctlparam, 8),
	FIELD(struct evl_tp_ctlparam, op, 0),
	FIELD(struct evl_tp_ctlparam, nr_windows, 4),
	FIELD(struct evl_tp_ctlparam, windows, 8),
	SIZE(struct evl_tp_ctlinfo, 8),
	FIELD(struct evl_tp_ctlinfo, nr_windows, 0),
	FIELD(struct evl_tp_ctlinfo, windows, 8),
	SIZE(struct evl_sched_ctlreq, 24),
	FIELD(struct evl_sched_ctlreq, policy, 0),
	FIELD(struct evl_sched_ctlreq, cpu, 4),
	FIELD(struct evl_sched_ctlreq, param_ptr, 8),
	FIELD(struct evl_sched_ctlreq, info_ptr, 16),
	SIZE(struct evl_user_window, 12),
	FIELD(struct evl_user_window, state, 0),
	FIELD(struct evl_user_window, info, 4),
	FIELD(struct evl_user_window, pp_pending, 8),
	SIZE(struct evl_thread_state, 56),
	FIELD(struct evl_thread_state, eattrs, 0),
	FIELD(struct evl_thread_state, cpu, 24),
	FIELD(struct evl_thread_state, state, 28),
	FIELD(struct evl_thread_state, isw, 32),
	FIELD(struct evl_thread_state, csw, 36),
	FIELD(struct evl_thread_state, sc, 40),
	FIELD(struct evl_thread_state, rwa, 44),
	FIELD(struct evl_thread_state, xtime, 48),
	SIZE(struct latmus_setup, 32),
	FIELD(struct latmus_setup, type, 0),
	FIELD(struct latmus_setup, period, 8),
	FIELD(struct latmus_setup, priority, 16),
	FIELD(struct latmus_setup, cpu, 20),
	FIELD(struct latmus_setup, u.tune.verbosity, 24),
	FIELD(struct latmus_setup, u.measure.xfd, 24),
	FIELD(struct latmus_setup, u.measure.hcells, 28),
	SIZE(struct latmus_measurement, 24),
	FIELD(struct latmus_measurement, sum_lat, 0),
	FIELD(struct latmus_measurement, min_lat, 8),
	FIELD(struct latmus_measurement, max_lat, 12),
	FIELD(struct latmus_measurement, overruns, 16),
	FIELD(struct latmus_measurement, samples, 20),
	SIZE(struct latmus_measurement_result, 24),
	FIELD(struct latmus_measurement_result, last_ptr, 0),
	FIELD(struct latmus_measurement_result, histogram_ptr, 8),
	FIELD(struct latmus_measurement_result, len, 16),
	SIZE(struct latmus_result, 16),
	FIELD(struct latmus_result, data_ptr, 0),
	FIELD(struct latmus_result, len, 8),
	SIZE(struct hectic_task_index, 8),
	FIELD(struct hectic_task_index, index, 0),
	FIELD(struct hectic_task_index, flags, 4),
	SIZE(struct hectic_switch_req, 8),
	FIELD(struct hectic_switch_req, from, 0),
	FIELD(struct hectic_switch_req, to, 4),
	SIZE(struct hectic_error, 12),
	FIELD(struct hectic_error, last_switch, 0),
	FIELD(struct hectic_error, fp_val, 8),
	SIZE(struct user_oob_msghdr, 80),
	FIELD(struct user_oob_msghdr, name_ptr, 0),
	FIELD(struct user_oob_msghdr, iov_ptr, 8),
	FIELD(struct user_oob_msghdr, ctl_ptr, 16),
	FIELD(struct user_oob_msghdr, namelen, 24),
	FIELD(struct user_oob_msghdr, iovlen, 28),
	FIELD(struct user_oob_msghdr, ctllen, 32),
	FIELD(struct user_oob_msghdr, count, 36),
	FIELD(struct user_oob_msghdr, flags, 40),
	FIELD(struct user_oob_msghdr, timeout, 48),
	FIELD(struct user_oob_msghdr, timestamp, 64),
	SIZE(struct evl_netdev_activation, 16),
	FIELD(struct evl_netdev_activation, poolsz, 0),
	FIELD(struct evl_netdev_activation, bufsz, 8),
	SIZE(struct spi_ioc_oob_setup, 24),
	FIELD(struct spi_ioc_oob_setup, frame_len, 0),
	FIELD(struct spi_ioc_oob_setup, speed_hz, 4),
	FIELD(struct spi_ioc_oob_setup, bits_per_word, 8),
	FIELD(struct spi_ioc_oob_setup, iobuf_len, 12),
	FIELD(struct spi_ioc_oob_setup, tx_offset, 16),
	FIELD(struct spi_ioc_oob_setup, rx_offset, 20),
	SIZE(struct evl_net_devfd, 16),
	FIELD(struct evl_net_devfd, name_ptr, 0),
	FIELD(struct evl_net_devfd, fd, 8),
	VALUE(evl_tp_paramlen(3), 8 + 3 * 40),
	VALUE(evl_tp_infolen(3), 8 + 3 * 40),
};

static const struct row requests[] = {
	VALUE(EVL_CTLIOC_GET_COREINFO, 0x80184300),
	VALUE(EVL_CTLIOC_SCHEDCTL, 0xc0184301),
	VALUE(EVL_CTLIOC_GET_CPUSTATE, 0x80104302),
	VALUE(EVL_IOC_CLONE, 0xc0286600),
	VALUE(EVL_CLKIOC_SLEEP, 0x40106300),
	VALUE(EVL_CLKIOC_GET_RES, 0x80106301),
	VALUE(EVL_CLKIOC_GET_TIME, 0x80106302),
	VALUE(EVL_CLKIOC_SET_TIME, 0x40106303),
	VALUE(EVL_CLKIOC_NEW_TIMER, 0x00006305),
	VALUE(EVL_TFDIOC_SET, 0xc0107400),
	VALUE(EVL_TFDIOC_GET, 0x80207401),
	VALUE(EVL_MONIOC_ENTER, 0x40106d00),
	VALUE(EVL_MONIOC_TRYENTER, 0x00006d01),
	VALUE(EVL_MONIOC_EXIT, 0x00006d02),
	VALUE(EVL_MONIOC_WAIT, 0xc0186d03),
	VALUE(EVL_MONIOC_UNWAIT, 0xc0046d04),
	VALUE(EVL_MONIOC_BIND, 0x80106d05),
	VALUE(EVL_MONIOC_SIGNAL, 0x40046d06),
	VALUE(EVL_MONIOC_BROADCAST, 0x40046d07),
	VALUE(EVL_MONIOC_WAIT_EXACT, 0xc0186d08),
	VALUE(EVL_MONIOC_TRYWAIT, 0xc0046d09),
	VALUE(EVL_MONIOC_TRYWAIT_EXACT, 0xc0046d0a),
	VALUE(EVL_OBSIOC_SUBSCRIBE, 0x40086f00),
	VALUE(EVL_OBSIOC_UNSUBSCRIBE, 0x00006f01),
	VALUE(EVL_POLIOC_CTL, 0x40187000),
	VALUE(EVL_POLIOC_WAIT, 0xc0187001),
	VALUE(EVL_THRIOC_SIGNAL, 0x40045400),
	VALUE(EVL_THRIOC_SET_SCHEDPARAM, 0x40185401),
	VALUE(EVL_THRIOC_GET_SCHEDPARAM, 0x80185402),
	VALUE(EVL_THRIOC_JOIN, 0x00005403),
	VALUE(EVL_THRIOC_GET_STATE, 0x80385404),
	VALUE(EVL_THRIOC_SWITCH_OOB, 0x00005405),
	VALUE(EVL_THRIOC_SWITCH_INBAND, 0x00005406),
	VALUE(EVL_THRIOC_DETACH_SELF, 0x00005407),
	VALUE(EVL_THRIOC_SET_MODE, 0xc0045408),
	VALUE(EVL_THRIOC_CLEAR_MODE, 0xc0045409),
	VALUE(EVL_THRIOC_UNBLOCK, 0x0000540a),
	VALUE(EVL_THRIOC_DEMOTE, 0x0000540b),
	VALUE(EVL_THRIOC_YIELD, 0x0000540c),
	VALUE(EVL_TRCIOC_SNAPSHOT, 0x00004f00),
	VALUE(EVL_LATIOC_TUNE, 0xc0204c00),
	VALUE(EVL_LATIOC_MEASURE, 0xc0204c01),
	VALUE(EVL_LATIOC_RUN, 0x80104c02),
	VALUE(EVL_LATIOC_PULSE, 0x40084c03),
	VALUE(EVL_LATIOC_RESET, 0x00004c04),
	VALUE(EVL_HECIOC_SET_TASKS_COUNT, 0x40044800),
	VALUE(EVL_HECIOC_SET_CPU, 0x40044801),
	VALUE(EVL_HECIOC_REGISTER_UTASK, 0x40084802),
	VALUE(EVL_HECIOC_CREATE_KTASK, 0xc0084803),
	VALUE(EVL_HECIOC_PEND, 0x80084804),
	VALUE(EVL_HECIOC_SWITCH_TO, 0x80084805),
	VALUE(EVL_HECIOC_GET_SWITCHES_COUNT, 0x80044806),
	VALUE(EVL_HECIOC_GET_LAST_ERROR, 0x800c4807),
	VALUE(EVL_HECIOC_SET_PAUSE, 0x40044808),
	VALUE(EVL_HECIOC_LOCK_STAX, 0x00004809),
	VALUE(EVL_HECIOC_UNLOCK_STAX, 0x0000480a),
	VALUE(EVL_SOCKIOC_ACTIVATE, 0x4010ee02),
	VALUE(EVL_SOCKIOC_DEACTIVATE, 0x0000ee03),
	VALUE(EVL_SOCKIOC_SENDMSG, 0x4050ee04),
	VALUE(EVL_SOCKIOC_RECVMSG, 0xc050ee05),
	VALUE(EVL_SOCKIOC_SETRECVSZ, 0x4004ee06),
	VALUE(EVL_SOCKIOC_SETSENDSZ, 0x4004ee07),
	VALUE(SPI_IOC_ENABLE_OOB_MODE, 0xc0186b32),
	VALUE(SPI_IOC_DISABLE_OOB_MODE, 0x00006b33),
	VALUE(SPI_IOC_RUN_OOB_XFER, 0x00006b34),
	VALUE(EVL_RNGIOC_U8, 0x80017200),
	VALUE(EVL_RNGIOC_U16, 0x80027201),
	VALUE(EVL_RNGIOC_U32, 0x80047202),
	VALUE(EVL_NDEVIOC_SETRXEBPF, 0x4004ef00),
	VALUE(EVL_NET_GETDEVFD, 0xc010ef00),
};

static const struct row constants[] = {
	VALUE(EVL_ABI_BASE, 32),
	VALUE(EVL_ABI_LEVEL, 37),
	VALUE(NR_EVL_SYSCALLS, 3),
	VALUE(PR_OOB_SYSCALL, 0x4f4f4243),
	VALUE(EVL_OOB_SYSCALL_BIT, 0x10000000),
	VALUE(EVL_NO_HANDLE, 0),
	VALUE(EVL_MUTEX_FLCLAIM, 0x80000000),
	VALUE(EVL_MUTEX_FLCEIL, 0x40000000),
	VALUE(~EVL_HANDLE_INDEX_MASK, 0x3fffffff),
	VALUE(EVL_CLONE_PRIVATE, 0),
	VALUE(EVL_CLONE_PUBLIC, 0x10000),
	VALUE(EVL_CLONE_OBSERVABLE, 0x20000),
	VALUE(EVL_CLONE_NONBLOCK, 0x40000),
	VALUE(EVL_CLONE_UNICAST, 0x80000),
	VALUE(EVL_CLONE_MASTER, 0x80000),
	VALUE(EVL_CLONE_INPUT, 0x100000),
	VALUE(EVL_CLONE_OUTPUT, 0x200000),
	VALUE(EVL_CLONE_COREDEV, 0x80000000),
	VALUE(EVL_CLONE_MASK, 0x7fff0000),
	VALUE(EVL_CLOCK_MONOTONIC, -1),
	VALUE(EVL_CLOCK_REALTIME, 0),
	VALUE(O_OOB, 0x40000000),
	VALUE(SOCK_OOB, 0x40000000),
	VALUE(AF_OOB, 46),
	VALUE(EVL_MONITOR_EVENT, 0),
	VALUE(EVL_MONITOR_GATE, 1),
	VALUE(EVL_EVENT_GATED, 0),
	VALUE(EVL_EVENT_COUNT, 1),
	VALUE(EVL_EVENT_MASK, 2),
	VALUE(EVL_GATE_PI, 0),
	VALUE(EVL_GATE_PP, 1),
	VALUE(EVL_MONITOR_SIGNALED, 1),
	VALUE(EVL_MONITOR_BROADCAST, 2),
	VALUE(EVL_MONITOR_TARGETED, 4),
	VALUE(EVL_MONITOR_NOGATE, 0xffffffff),
	VALUE(EVL_NOTIFY_ALWAYS, 0),
	VALUE(EVL_NOTIFY_ONCHANGE, 1),
	VALUE(EVL_NOTIFY_MASK, 1),
	VALUE(EVL_NOTICE_USER, 64),
	VALUE(EVL_POLL_CTLADD, 0),
	VALUE(EVL_POLL_CTLDEL, 1),
	VALUE(EVL_POLL_CTLMOD, 2),
	VALUE(SCHED_WEAK, 43),
	VALUE(SCHED_QUOTA, 44),
	VALUE(SCHED_TP, 45),
	VALUE(EVL_TP_IDLE, -1),
	VALUE(evl_quota_add, 0),
	VALUE(evl_quota_remove, 1),
	VALUE(evl_quota_force_remove, 2),
	VALUE(evl_quota_set, 3),
	VALUE(evl_quota_get, 4),
	VALUE(evl_tp_install, 0),
	VALUE(evl_tp_uninstall, 1),
	VALUE(evl_tp_start, 2),
	VALUE(evl_tp_stop, 3),
	VALUE(evl_tp_get, 4),
	VALUE(EVL_CPU_OOB, 1),
	VALUE(EVL_CPU_ISOL, 2),
	VALUE(EVL_CPU_OFFLINE, 4),
	VALUE(SIGDEBUG, 24),
	VALUE(sigdebug_marker, 0xfccf0000),
	VALUE(sigdebug_marker_mask, 0xffff0000),
	VALUE(sigdebug_cause_mask, 0xff),
	VALUE(EVL_HMDIAG_SIGDEMOTE, 1),
	VALUE(EVL_HMDIAG_SYSDEMOTE, 2),
	VALUE(EVL_HMDIAG_EXDEMOTE, 3),
	VALUE(EVL_HMDIAG_WATCHDOG, 4),
	VALUE(EVL_HMDIAG_LKDEPEND, 5),
	VALUE(EVL_HMDIAG_LKIMBALANCE, 6),
	VALUE(EVL_HMDIAG_LKSLEEP, 7),
	VALUE(EVL_HMDIAG_STAGEX, 8),
	VALUE(EVL_HMDIAG_OVERRUN, 9),
	VALUE(GPIOHANDLE_REQUEST_OOB, 0x20),
	VALUE(EVL_LAT_IRQ, 0),
	VALUE(EVL_LAT_KERN, 1),
	VALUE(EVL_LAT_USER, 2),
	VALUE(EVL_LAT_SIRQ, 3),
	VALUE(EVL_LAT_LAST, 3),
	VALUE(HECTIC_OOB_WAIT, 0x10000),
	VALUE(HECTIC_INBAND_WAIT, 0),
#ifdef __x86_64__
	VALUE(evl_x86_xmm2, 1),
	VALUE(evl_x86_avx, 2),
#endif
	VALUE(EVL_RX_DROP, 0),
	VALUE(EVL_RX_ACCEPT, 1),
	VALUE(EVL_RX_SKIP, 2),
	VALUE(EVL_RX_VLAN, 3),
	VALUE(EVL_THREAD_MODE_BITS, 0x738000),
	VALUE(EVL_T_SUSP, 0x1),
	VALUE(EVL_T_PEND, 0x2),
	VALUE(EVL_T_DELAY, 0x4),
	VALUE(EVL_T_WAIT, 0x8),
	VALUE(EVL_T_READY, 0x10),
	VALUE(EVL_T_DORMANT, 0x20),
	VALUE(EVL_T_ZOMBIE, 0x40),
	VALUE(EVL_T_INBAND, 0x80),
	VALUE(EVL_T_HALT, 0x100),
	VALUE(EVL_T_BOOST, 0x200),
	VALUE(EVL_T_PTSYNC, 0x400),
	VALUE(EVL_T_RRB, 0x800),
	VALUE(EVL_T_ROOT, 0x1000),
	VALUE(EVL_T_WEAK, 0x2000),
	VALUE(EVL_T_USER, 0x4000),
	VALUE(EVL_T_WOSS, 0x8000),
	VALUE(EVL_T_WOLI, 0x10000),
	VALUE(EVL_T_WOSX, 0x20000),
	VALUE(EVL_T_PTRACE, 0x40000),
	VALUE(EVL_T_OBSERV, 0x80000),
	VALUE(EVL_T_HMSIG, 0x100000),
	VALUE(EVL_T_HMOBS, 0x200000),
	VALUE(EVL_T_WOSO, 0x400000),
	VALUE(EVL_T_TIMEO, 0x1),
	VALUE(EVL_T_RMID, 0x2),
	VALUE(EVL_T_BREAK, 0x4),
	VALUE(EVL_T_KICKED, 0x8),
	VALUE(EVL_T_WCHAN, 0x10),
	VALUE(EVL_T_CANCELD, 0x40),
	VALUE(EVL_T_PIALERT, 0x80),
	VALUE(EVL_T_SCHEDP, 0x100),
	VALUE(EVL_T_BCAST, 0x200),
	VALUE(EVL_T_SIGNAL, 0x400),
	VALUE(EVL_T_SXALERT, 0x800),
	VALUE(EVL_T_PTSIG, 0x1000),
	VALUE(EVL_T_PTSTOP, 0x2000),
	VALUE(EVL_T_PTJOIN, 0x4000),
	VALUE(EVL_T_NOMEM, 0x8000),
	VALUE(EVL_T_SYSRST, 1),
	VALUE(EVL_T_IGNOVR, 2),
	VALUE(EVL_T_INFAULT, 4),
	VALUE(EVL_T_NORST, 8),
	VALUE(sys_evl_read, 0),
	VALUE(sys_evl_write, 1),
	VALUE(sys_evl_ioctl, 2),
	VALUE(evl_is_oob_prctl_b(0x10000000), 1),
	VALUE(evl_is_oob_prctl_b(0x10000002), 1),
	VALUE(evl_is_oob_prctl_b(0x10000003), 0),
	VALUE(evl_is_oob_prctl_b(0x53564d41), 0),	/* PR_SET_VMA */
	VALUE(evl_is_oob_prctl_b(0x59616d61), 0),	/* PR_SET_PTRACER */
	VALUE(evl_is_oob_prctl_b(0x4f4f4243), 0),
};

/* The compiler orders bit-fields: look at the words they produce. */
static unsigned int word_of(const void *base, size_t offset)
{
	unsigned int word;

	memcpy(&word, (const char *)base + offset, sizeof(word));
	return word;
}

static unsigned int attrs_word(unsigned int type, unsigned int protocol)
{
	struct evl_monitor_attrs attrs;

	memset(&attrs, 0, sizeof(attrs));
	attrs.type = type & 3;
	attrs.protocol = protocol & 15;
	return word_of(&attrs, 4);
}

static unsigned int binding_word(unsigned int type, unsigned int protocol)
{
	struct evl_monitor_binding bind;

	memset(&bind, 0, sizeof(bind));
	bind.type = type & 3;
	bind.protocol = protocol & 15;
	return word_of(&bind, 0);
}

static unsigned int nesting_word(unsigned int recursive, unsigned int nesting)
{
	struct evl_monitor_state state;

	memset(&state, 0, sizeof(state));
	state.u.gate.recursive = recursive & 1;
	state.u.gate.nesting = nesting & 0x7fffffff;
	return word_of(&state, 12);
}

static int check(const struct row *rows, size_t count)
{
	int mismatches = 0;
	size_t n;

	for (n = 0; n < count; n++) {
		if (rows[n].expected == rows[n].actual)
			continue;
		printf("MISMATCH %s: expected %#llx, actual %#llx\n", rows[n].name,
		       rows[n].expected, rows[n].actual);
		mismatches++;
	}

	return mismatches;
}

#define COUNT(__table)	(sizeof(__table) / sizeof((__table)[0]))
#define CHECK(__table)	check(__table, COUNT(__table))

int main(void)
{
	const struct row words[] = {
		VALUE(attrs_word(EVL_MONITOR_GATE, EVL_GATE_PP), 0x5),
		VALUE(attrs_word(3, 15), 0x3f),
		VALUE(binding_word(EVL_MONITOR_EVENT, EVL_EVENT_MASK), 0x8),
		VALUE(binding_word(3, 15), 0x3f),
		VALUE(nesting_word(1, 0), 0x1),
		VALUE(nesting_word(0, 1), 0x2),
		VALUE(nesting_word(1, 0x7fffffff), 0xffffffff),
	};
	const struct row strings[] = {
		STRING(EVL_THREAD_DEV, "thread"),
		STRING(EVL_MONITOR_DEV, "monitor"),
		STRING(EVL_POLL_DEV, "poll"),
		STRING(EVL_XBUF_DEV, "xbuf"),
		STRING(EVL_PROXY_DEV, "proxy"),
		STRING(EVL_OBSERVABLE_DEV, "observable"),
		STRING(EVL_CLOCK_DEV, "clock"),
		STRING(EVL_CLOCK_MONOTONIC_DEV, "monotonic"),
		STRING(EVL_CLOCK_REALTIME_DEV, "realtime"),
		STRING(EVL_CONTROL_DEV, "/dev/evl/control"),
		STRING(EVL_THREAD_STATE_LABELS, "SWDpRUZXHb#r...t..To.."),
	};
	int mismatches;
	size_t rows;

	mismatches = CHECK(layouts) + CHECK(requests) + CHECK(constants)
		+ CHECK(words) + CHECK(strings);
	rows = COUNT(layouts) + COUNT(requests) + COUNT(constants)
		+ COUNT(words) + COUNT(strings);
	printf("abi-table: %zu rows, %d mismatches\n", rows, mismatches);

	return mismatches != 0;
}
