#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "agent/confine/parts.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VMIRROR_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define VMIRROR_SANITIZED 1
#endif
#endif

namespace vmirror {
namespace {

#ifdef VMIRROR_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

/// By what they are for. A call that this kernel's libseccomp does not know is left out.
constexpr const char* kFileCalls[] = {"access",
                                      "chmod",
                                      "close",
                                      "close_range",
                                      "copy_file_range",
                                      "creat",
                                      "dup",
                                      "dup2",
                                      "dup3",
                                      "faccessat",
                                      "faccessat2",
                                      "fadvise64",
                                      "fallocate",
                                      "fchmod",
                                      "fchmodat",
                                      "fcntl",
                                      "fdatasync",
                                      "flock",
                                      "fstat",
                                      "fstatfs",
                                      "fsync",
                                      "ftruncate",
                                      "getcwd",
                                      "getdents",
                                      "getdents64",
                                      "getxattr",
                                      "lgetxattr",
                                      "link",
                                      "linkat",
                                      "lseek",
                                      "lstat",
                                      "mkdir",
                                      "mkdirat",
                                      "newfstatat",
                                      "open",
                                      "openat",
                                      "openat2",
                                      "pipe",
                                      "pipe2",
                                      "pread64",
                                      "preadv",
                                      "preadv2",
                                      "pwrite64",
                                      "pwritev",
                                      "pwritev2",
                                      "read",
                                      "readahead",
                                      "readlink",
                                      "readlinkat",
                                      "readv",
                                      "rename",
                                      "renameat",
                                      "renameat2",
                                      "rmdir",
                                      "sendfile",
                                      "stat",
                                      "statfs",
                                      "statx",
                                      "sync_file_range",
                                      "truncate",
                                      "umask",
                                      "unlink",
                                      "unlinkat",
                                      "utimensat",
                                      "write",
                                      "writev",
                                      "inotify_add_watch",
                                      "inotify_init",
                                      "inotify_init1",
                                      "inotify_rm_watch"};
constexpr const char* kMemoryCalls[] = {"brk",   "madvise", "membarrier", "mincore",
                                        "mlock", "mmap",    "mprotect",   "mremap",
                                        "msync", "munlock", "munmap",     "get_mempolicy"};
constexpr const char* kThreadCalls[] = {"arch_prctl",
                                        "exit",
                                        "exit_group",
                                        "futex",
                                        "futex_waitv",
                                        "get_robust_list",
                                        "getcpu",
                                        "gettid",
                                        "prctl",
                                        "restart_syscall",
                                        "rseq",
                                        "rt_sigaction",
                                        "rt_sigpending",
                                        "rt_sigprocmask",
                                        "rt_sigreturn",
                                        "rt_sigsuspend",
                                        "rt_sigtimedwait",
                                        "sched_get_priority_max",
                                        "sched_get_priority_min",
                                        "sched_getaffinity",
                                        "sched_getparam",
                                        "sched_getscheduler",
                                        "sched_setaffinity",
                                        "sched_yield",
                                        "set_robust_list",
                                        "set_tid_address",
                                        "sigaltstack",
                                        "tgkill"};
constexpr const char* kProcessCalls[] = {
    "capget", "getegid", "geteuid",     "getgid",    "getgroups", "getpgid",   "getpgrp",
    "getpid", "getppid", "getpriority", "getresgid", "getresuid", "getrlimit", "getrusage",
    "getsid", "getuid",  "prlimit64",   "sysinfo",   "times",     "uname"};
constexpr const char* kTimeCalls[] = {"alarm",           "clock_getres",    "clock_gettime",
                                      "clock_nanosleep", "getitimer",       "gettimeofday",
                                      "nanosleep",       "setitimer",       "time",
                                      "timer_create",    "timer_delete",    "timer_getoverrun",
                                      "timer_gettime",   "timer_settime",   "timerfd_create",
                                      "timerfd_gettime", "timerfd_settime", "getrandom"};
constexpr const char* kPollCalls[] = {"epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait",
                                      "epoll_pwait2", "epoll_wait",    "eventfd",   "eventfd2",
                                      "poll",         "ppoll",         "pselect6",  "select",
                                      "signalfd",     "signalfd4"};
constexpr const char* kSocketCalls[] = {
    "accept",     "accept4", "bind",       "connect",  "getpeername", "getsockname",
    "getsockopt", "listen",  "recvfrom",   "recvmmsg", "recvmsg",     "sendmmsg",
    "sendmsg",    "sendto",  "setsockopt", "shutdown", "socketpair"};
constexpr int kFamilies[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};
constexpr unsigned long kNamespaces = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS |
                                      CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS;

struct FreeFilter {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using CallFilter = std::unique_ptr<void, FreeFilter>;

/// libseccomp's number of a call; none: this machine has no such call.
bool allow_call(const CallFilter& filter, const char* name) {
  const int call = seccomp_syscall_resolve_name(name);
  return call == __NR_SCMP_ERROR || seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0) == 0;
}

bool allow_with(const CallFilter& filter, int call, const scmp_arg_cmp& argument) {
  return seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, call, 1, &argument) == 0;
}

bool allow_all(const CallFilter& filter) {
  const auto group = [&](const auto& names) {
    for (const char* name : names)
      if (!allow_call(filter, name)) return false;
    return true;
  };
  if (!group(kFileCalls) || !group(kMemoryCalls) || !group(kThreadCalls) || !group(kProcessCalls) ||
      !group(kTimeCalls) || !group(kPollCalls) || !group(kSocketCalls))
    return false;
  for (const int family : kFamilies)
    if (!allow_with(filter, SCMP_SYS(socket),
                    SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family))))
      return false;
  // Threads, and no namespaces. The flags of clone3 are in memory, where a filter can't look: glibc
  // takes clone where there is no clone3.
  return allow_with(filter, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, kNamespaces, 0)) &&
         seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
         // Not what a terminal would take as typed.
         allow_with(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_NE, TIOCSTI));
}

}  // namespace

std::string limit_system_calls() {
  if (kSanitized) return "not available: a sanitizer needs other system calls";
  const CallFilter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!filter) return "not available: libseccomp has no filter for this machine";
  // What is refused is in the kernel's audit log; an older kernel can't.
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_LOG, 1);
  if (!allow_all(filter)) return "not available: libseccomp refuses a rule";
  if (const int error = seccomp_load(filter.get()); error != 0)
    return std::string("not available: seccomp: ") + std::strerror(-error);
  return kInForce;
}

}  // namespace vmirror
