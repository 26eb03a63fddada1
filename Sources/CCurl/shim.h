#pragma once
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

// libcurl brings thirty libraries along, and most processes fetch nothing: it is loaded at the first transfer. See
// CGD/shim.h.

#define FL_CURL_FUNCTIONS(FUNCTION)                                                                \
  FUNCTION(curl_global_init) FUNCTION(curl_easy_init) FUNCTION(curl_easy_reset)                    \
  FUNCTION(curl_easy_perform) FUNCTION(curl_easy_cleanup) FUNCTION(curl_easy_setopt)               \
  FUNCTION(curl_easy_getinfo) FUNCTION(curl_easy_send) FUNCTION(curl_easy_recv)                    \
  FUNCTION(curl_easy_strerror) FUNCTION(curl_slist_append) FUNCTION(curl_slist_free_all)

/// The functions of libcurl that are used.
struct fl_curl {
#define FL_CURL_MEMBER(name) __typeof__(name) *_Nonnull name;
  FL_CURL_FUNCTIONS(FL_CURL_MEMBER)
#undef FL_CURL_MEMBER
};

/// Loads libcurl and makes it ready; false where it is not there.
static inline bool fl_curl_load(struct fl_curl *_Nonnull curl) {
  void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return false;
  void *found;
#define FL_CURL_FIND(name)                                   \
  if ((found = dlsym(library, #name)) == NULL) return false; \
  curl->name = (__typeof__(name) *)found;
  FL_CURL_FUNCTIONS(FL_CURL_FIND)
#undef FL_CURL_FIND
  return curl->curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

// curl_easy_setopt takes a variable number of arguments, which Swift cannot call.
static inline CURLcode fl_curl_set_long(
    const struct fl_curl *_Nonnull curl, CURL *_Nonnull handle, CURLoption option, long value) {
  return curl->curl_easy_setopt(handle, option, value);
}
static inline CURLcode fl_curl_set_text(
    const struct fl_curl *_Nonnull curl, CURL *_Nonnull handle, CURLoption option, const char *_Nonnull value) {
  return curl->curl_easy_setopt(handle, option, value);
}
static inline CURLcode fl_curl_set_pointer(
    const struct fl_curl *_Nonnull curl, CURL *_Nonnull handle, CURLoption option, const void *_Nullable value) {
  return curl->curl_easy_setopt(handle, option, value);
}

/// Takes bytes; what it returns is how many, and another number than all of them ends the transfer.
typedef size_t (*fl_curl_writer)(char *_Nullable bytes, size_t size, size_t count, void *_Nullable context);
static inline void fl_curl_set_writer(
    const struct fl_curl *_Nonnull curl, CURL *_Nonnull handle, fl_curl_writer _Nonnull writer,
    void *_Nonnull context) {
  curl->curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, writer);
  curl->curl_easy_setopt(handle, CURLOPT_WRITEDATA, context);
}
/// The same for the lines of headers, and of protocols without headers for the lines that the server says.
static inline void fl_curl_set_header_writer(
    const struct fl_curl *_Nonnull curl, CURL *_Nonnull handle, fl_curl_writer _Nonnull writer,
    void *_Nonnull context) {
  curl->curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, writer);
  curl->curl_easy_setopt(handle, CURLOPT_HEADERDATA, context);
}

/// A body of `length` bytes to send, which is not copied.
static inline void fl_curl_set_body(
    const struct fl_curl *_Nonnull curl, CURL *_Nonnull handle, const void *_Nullable body, size_t length) {
  curl->curl_easy_setopt(handle, CURLOPT_POST, 1L);
  curl->curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
  curl->curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body == NULL ? "" : body);
}

static inline long fl_curl_status(const struct fl_curl *_Nonnull curl, CURL *_Nonnull handle) {
  long status = 0;
  curl->curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}
/// How many bytes of requests were sent.
static inline long fl_curl_sent(const struct fl_curl *_Nonnull curl, CURL *_Nonnull handle) {
  long bytes = 0;
  curl->curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &bytes);
  return bytes;
}
/// The seconds of a Retry-After; 0 where there is none.
static inline int64_t fl_curl_retry_after(const struct fl_curl *_Nonnull curl, CURL *_Nonnull handle) {
  curl_off_t seconds = 0;
  curl->curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds);
  return seconds;
}
/// The socket of a handle that only connects; -1 where there is none.
static inline int fl_curl_socket(const struct fl_curl *_Nonnull curl, CURL *_Nonnull handle) {
  curl_socket_t socket = CURL_SOCKET_BAD;
  curl->curl_easy_getinfo(handle, CURLINFO_ACTIVESOCKET, &socket);
  return socket;
}

/// Whether the port of the IPv4 (`length` 4) or IPv6 (`length` 16) address may be connected to; `length` 0 is another kind.
typedef bool (*fl_curl_guard)(const uint8_t *_Nonnull address, int length, int port, void *_Nullable context);
struct fl_curl_guarded {
  fl_curl_guard _Nonnull guard;
  void *_Nullable context;
};

// The address is that which connect() gets: a name that leads elsewhere from one lookup to the next changes nothing.
static curl_socket_t fl_curl_open_guarded(void *clientp, curlsocktype purpose, struct curl_sockaddr *to) {
  (void)purpose;
  struct fl_curl_guarded *guarded = clientp;
  // The structure is longer than it says: libcurl keeps room for any address behind `addr`.
  const void *address = &to->addr;
  bool allowed;
  if (to->family == AF_INET && to->addrlen >= sizeof(struct sockaddr_in)) {
    struct sockaddr_in ipv4;
    memcpy(&ipv4, address, sizeof ipv4);
    allowed = guarded->guard((const uint8_t *)&ipv4.sin_addr, 4, ntohs(ipv4.sin_port), guarded->context);
  } else if (to->family == AF_INET6 && to->addrlen >= sizeof(struct sockaddr_in6)) {
    struct sockaddr_in6 ipv6;
    memcpy(&ipv6, address, sizeof ipv6);
    allowed = guarded->guard((const uint8_t *)&ipv6.sin6_addr, 16, ntohs(ipv6.sin6_port), guarded->context);
  } else {
    const uint8_t none = 0;
    allowed = guarded->guard(&none, 0, 0, guarded->context);
  }
  return allowed ? socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol) : CURL_SOCKET_BAD;
}
static inline void fl_curl_set_guard(
    const struct fl_curl *_Nonnull curl, CURL *_Nonnull handle, struct fl_curl_guarded *_Nonnull guarded) {
  curl->curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, fl_curl_open_guarded);
  curl->curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, guarded);
}

// libcurl's own limit of connecting holds until the server has greeted and let in, which may take far longer than a
// host that is not there should. This one is the kernel's, and holds until TCP has connected.
static int fl_curl_limit_connecting(void *clientp, curl_socket_t socket, curlsocktype purpose) {
  (void)purpose;
  unsigned int milliseconds = (unsigned int)(uintptr_t)clientp;
  setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
  return CURL_SOCKOPT_OK;
}
static inline void fl_curl_set_connecting_limit(
    const struct fl_curl *_Nonnull curl, CURL *_Nonnull handle, unsigned int milliseconds) {
  curl->curl_easy_setopt(handle, CURLOPT_SOCKOPTFUNCTION, fl_curl_limit_connecting);
  curl->curl_easy_setopt(handle, CURLOPT_SOCKOPTDATA, (void *)(uintptr_t)milliseconds);
}
/// Ends that limit, which the kernel would go on to hold against an established connection.
static inline void fl_curl_end_connecting_limit(int socket) {
  unsigned int none = 0;
  setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &none, sizeof none);
}
