#pragma once
#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// The C library makes the question, knows the host's servers, and reads the answer. The question is sent here: its own
// way has no limit of time for TCP, and none below a second for anything.

enum { FL_DNS_BAD_NAME = -1, FL_DNS_NO_ANSWER = -2 };

/// A server to ask; `family` 0 are those of the host (resolv.conf).
struct fl_dns_server {
  int family;
  uint8_t address[16];
  uint16_t port;
};

static inline int64_t fl_dns_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static inline bool fl_dns_wait(int fd, short events, int64_t deadline) {
  for (;;) {
    int64_t left = deadline - fl_dns_now();
    if (left <= 0) return false;
    struct pollfd entry = {.fd = fd, .events = events};
    int count = poll(&entry, 1, (int)left);
    if (count > 0) return true;
    if (count < 0 && errno != EINTR) return false;
  }
}

/// Whether `answer` is one to this question: its number, its name and its type.
static inline bool fl_dns_belongs(
    const uint8_t *_Nonnull answer, int length, const uint8_t *_Nonnull question, int question_length) {
  ns_msg theirs, ours;
  ns_rr asked, answered;
  if (ns_initparse(answer, length, &theirs) != 0 || ns_initparse(question, question_length, &ours) != 0) return false;
  return ns_msg_id(theirs) == ns_msg_id(ours) && ns_msg_getflag(theirs, ns_f_qr) &&
      ns_msg_count(theirs, ns_s_qd) == 1 && ns_parserr(&theirs, ns_s_qd, 0, &answered) == 0 &&
      ns_parserr(&ours, ns_s_qd, 0, &asked) == 0 && ns_rr_type(asked) == ns_rr_type(answered) &&
      ns_samename(ns_rr_name(asked), ns_rr_name(answered)) == 1;
}

static inline int fl_dns_open(const struct sockaddr *_Nonnull to, socklen_t size, int kind, int64_t deadline) {
  int fd = socket(to->sa_family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (connect(fd, to, size) == 0) return fd;
  int code = 0;
  socklen_t length = sizeof code;
  if (errno == EINPROGRESS && fl_dns_wait(fd, POLLOUT, deadline) &&
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) == 0 && code == 0)
    return fd;
  close(fd);
  return -1;
}

/// By UDP (RFC 1035, section 4.2.1): the length of the answer, or -1. A connected socket takes datagrams from nobody
/// else, and what does not belong to the question is passed over.
static inline int fl_dns_ask_udp(
    const struct sockaddr *_Nonnull to, socklen_t size, const uint8_t *_Nonnull question, int question_length,
    uint8_t *_Nonnull answer, int room, int64_t deadline) {
  int fd = fl_dns_open(to, size, SOCK_DGRAM, deadline);
  if (fd < 0) return -1;
  int length = -1;
  if (send(fd, question, (size_t)question_length, MSG_NOSIGNAL) == question_length) {
    while (fl_dns_wait(fd, POLLIN, deadline)) {
      ssize_t got = recv(fd, answer, (size_t)room, 0);
      if (got < 0 && errno != EAGAIN && errno != EINTR) break;
      if (got > 0 && fl_dns_belongs(answer, (int)got, question, question_length)) {
        length = (int)got;
        break;
      }
    }
  }
  close(fd);
  return length;
}

/// By TCP (RFC 7766), for what is too long for a datagram.
static inline int fl_dns_ask_tcp(
    const struct sockaddr *_Nonnull to, socklen_t size, const uint8_t *_Nonnull question, int question_length,
    uint8_t *_Nonnull answer, int room, int64_t deadline) {
  int fd = fl_dns_open(to, size, SOCK_STREAM, deadline);
  if (fd < 0) return -1;
  uint8_t message[2 + NS_PACKETSZ];
  message[0] = (uint8_t)(question_length >> 8);
  message[1] = (uint8_t)question_length;
  memcpy(message + 2, question, (size_t)question_length);
  int length = -1, have = 0, want = 2;
  uint8_t head[2];
  // A question is shorter than any socket's room.
  if (send(fd, message, (size_t)question_length + 2, MSG_NOSIGNAL) == question_length + 2) {
    while (fl_dns_wait(fd, POLLIN, deadline)) {
      uint8_t *place = have < 2 ? head + have : answer + have - 2;
      ssize_t got = recv(fd, place, (size_t)((have < 2 ? 2 : want) - have), 0);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got <= 0) break;
      have += (int)got;
      if (have == 2) {
        want = 2 + (head[0] << 8 | head[1]);
        if (want == 2 || want - 2 > room) break;
      }
      if (have > 2 && have == want) {
        if (fl_dns_belongs(answer, want - 2, question, question_length)) length = want - 2;
        break;
      }
    }
  }
  close(fd);
  return length;
}

static inline bool fl_dns_is_final(const uint8_t *_Nonnull answer, int length) {
  ns_msg message;
  if (ns_initparse(answer, length, &message) != 0) return false;
  int code = ns_msg_getflag(message, ns_f_rcode);
  return code == ns_r_noerror || code == ns_r_nxdomain;
}

/// Asks for the records of `type` of `name`, as it is, and returns the length of the answer, which belongs to the
/// question, or one of the negative numbers above. Each server is asked twice; one that fails is passed over where
/// another one is left, and what the last one said is the answer then.
static inline int fl_dns_ask(
    const char *_Nonnull name, int type, const struct fl_dns_server *_Nonnull server, int milliseconds,
    uint8_t *_Nonnull answer, int room) {
  int64_t deadline = fl_dns_now() + milliseconds;
  struct __res_state state;
  memset(&state, 0, sizeof state);
  if (res_ninit(&state) != 0) return FL_DNS_NO_ANSWER;
  uint8_t question[NS_PACKETSZ];
  int question_length = res_nmkquery(&state, ns_o_query, name, ns_c_in, type, NULL, 0, NULL, question, sizeof question);
  struct sockaddr_storage servers[MAXNS];
  int count = 0;
  memset(servers, 0, sizeof servers);
  if (server->family == AF_INET) {
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)&servers[count++];
    ipv4->sin_family = AF_INET;
    ipv4->sin_port = htons(server->port);
    memcpy(&ipv4->sin_addr, server->address, 4);
  } else if (server->family == AF_INET6) {
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&servers[count++];
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(server->port);
    memcpy(&ipv6->sin6_addr, server->address, 16);
  } else {
    for (int index = 0; index < state.nscount && index < MAXNS; index++) {
      if (state.nsaddr_list[index].sin_family == AF_INET)
        memcpy(&servers[count++], &state.nsaddr_list[index], sizeof(struct sockaddr_in));
      else if (state._u._ext.nsaddrs[index] != NULL)
        memcpy(&servers[count++], state._u._ext.nsaddrs[index], sizeof(struct sockaddr_in6));
    }
  }
  res_nclose(&state);
  if (question_length < NS_HFIXEDSZ) return FL_DNS_BAD_NAME;
  // The C library's number comes from the clock.
  if (getrandom(question, 2, 0) != 2) return FL_DNS_NO_ANSWER;
  int length = FL_DNS_NO_ANSWER;
  for (int turn = 0; turn < 2 * count; turn++) {
    int64_t left = deadline - fl_dns_now();
    if (left <= 0) break;
    int64_t until = fl_dns_now() + left / (2 * count - turn);
    const struct sockaddr_storage *to = &servers[turn % count];
    socklen_t size = to->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int got = fl_dns_ask_udp((const struct sockaddr *)to, size, question, question_length, answer, room, until);
    if (got < 0) continue;
    ns_msg message;
    if (ns_initparse(answer, got, &message) == 0 && ns_msg_getflag(message, ns_f_tc))
      got = fl_dns_ask_tcp((const struct sockaddr *)to, size, question, question_length, answer, room, deadline);
    if (got < 0) continue;
    length = got;
    if (fl_dns_is_final(answer, got) || turn + 1 >= count) break;
  }
  return length;
}

/// The code of an answer (RFC 1035, section 4.1.1), or -1 for what is none.
static inline int fl_dns_code(const uint8_t *_Nonnull answer, int length) {
  ns_msg message;
  return ns_initparse(answer, length, &message) == 0 ? (int)ns_msg_getflag(message, ns_f_rcode) : -1;
}

/// How many records an answer says to have.
static inline int fl_dns_count(const uint8_t *_Nonnull answer, int length) {
  ns_msg message;
  return ns_initparse(answer, length, &message) == 0 ? ns_msg_count(message, ns_s_an) : -1;
}

/// One record of an answer.
struct fl_dns_record {
  char owner[NS_MAXDNAME];
  int type;
  /// Where its data is in the answer.
  int start, length;
  /// The name that it leads to: of CNAME, and of MX with a preference.
  char target[NS_MAXDNAME];
  int preference;
};

/// Reads a record; false where it is not one, or its data are not what its type has.
static inline bool fl_dns_read(
    const uint8_t *_Nonnull answer, int length, int index, struct fl_dns_record *_Nonnull record) {
  ns_msg message;
  ns_rr found;
  if (ns_initparse(answer, length, &message) != 0 || ns_parserr(&message, ns_s_an, index, &found) != 0) return false;
  memset(record, 0, sizeof *record);
  strncpy(record->owner, ns_rr_name(found), sizeof record->owner - 1);
  record->type = ns_rr_class(found) == ns_c_in ? ns_rr_type(found) : 0;
  record->start = (int)(ns_rr_rdata(found) - answer);
  record->length = ns_rr_rdlen(found);
  if (record->start < 0 || record->start + record->length > length) return false;
  int before = record->type == ns_t_mx ? 2 : 0;
  if (record->type != ns_t_mx && record->type != ns_t_cname) return true;
  if (record->length < before) return false;
  if (before) record->preference = ns_get16(ns_rr_rdata(found));
  return dn_expand(
             answer, answer + length, ns_rr_rdata(found) + before, record->target, sizeof record->target) ==
      record->length - before;
}

/// Whether two names are the same one.
static inline bool fl_dns_same(const char *_Nonnull one, const char *_Nonnull other) {
  return ns_samename(one, other) == 1;
}
