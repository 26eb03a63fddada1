// Linux calls that Swift's Glibc module leaves out, or whose C forms it can't import (variadics, macros,
// packed structures).
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// GNU extensions. _GNU_SOURCE here would give system structures other members than Swift's Glibc module has.
extern char **environ;
extern int accept4(int, struct sockaddr *, socklen_t *, int);
extern const char *strerrordesc_np(int);

enum {
  FL_EPOLL_ADD = EPOLL_CTL_ADD,
  FL_EPOLL_CHANGE = EPOLL_CTL_MOD,
  FL_EPOLL_REMOVE = EPOLL_CTL_DEL,
};

/// Readable, told to one process of those that share the listening socket.
static inline int fl_epoll_add_shared(int epoll, int fd, uint64_t tag) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.u64 = tag};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/// Readable, told until it is read.
static inline int fl_epoll_add(int epoll, int fd, uint64_t tag) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/// Readable, told once to one thread; `operation` is FL_EPOLL_ADD or FL_EPOLL_CHANGE.
static inline int fl_epoll_once(int epoll, int operation, int fd, uint64_t tag) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = tag};
  return epoll_ctl(epoll, operation, fd, &event);
}

static inline int fl_epoll_remove(int epoll, int fd) {
  struct epoll_event event = {0};
  return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event);
}

/// The tag of one descriptor that is ready: 1, 0 when none was in `milliseconds`, -1 with errno.
static inline int fl_epoll_next(int epoll, int milliseconds, uint64_t *tag) {
  struct epoll_event event;
  int count = epoll_wait(epoll, &event, 1, milliseconds);
  if (count == 1) *tag = event.data.u64;
  return count;
}

static inline int fl_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_CLOEXEC); }

static inline int fl_set_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static inline int fl_set_close_on_exec(int fd) { return fcntl(fd, F_SETFD, FD_CLOEXEC); }

/// Sends this process `signal` when the thread that started it ends.
static inline int fl_signal_on_parent_death(int signal) {
  return prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0UL, 0UL, 0UL);
}

static inline int fl_ignore_signal(int number) { return signal(number, SIG_IGN) == SIG_ERR ? -1 : 0; }

static inline char **fl_environment(void) { return environ; }

/// The system's sentence for an errno, in English; NULL where there is none.
static inline const char *fl_error_text(int code) { return strerrordesc_np(code); }

/// The path of this process's program, not terminated; its length, or -1.
static inline long fl_own_program(uint8_t *buffer, size_t size) {
  return readlink("/proc/self/exe", (char *)buffer, size);
}
