#pragma once
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdbool.h>

// libcurl brings thirty libraries along, and most processes fetch nothing: it is loaded at the first transfer. See
// CGD/shim.h.

#define FL_CURL_FUNCTIONS(FUNCTION)                                                                \
  FUNCTION(curl_global_init) FUNCTION(curl_easy_init) FUNCTION(curl_easy_reset)                    \
  FUNCTION(curl_easy_perform) FUNCTION(curl_easy_cleanup) FUNCTION(curl_easy_setopt)               \
  FUNCTION(curl_easy_getinfo)

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
    const struct fl_curl *_Nonnull curl, CURL *_Nonnull handle, CURLoption option, void *_Nullable value) {
  return curl->curl_easy_setopt(handle, option, value);
}
typedef size_t (*fl_curl_writer)(char *_Nullable bytes, size_t size, size_t count, void *_Nullable context);
static inline CURLcode fl_curl_set_writer(
    const struct fl_curl *_Nonnull curl, CURL *_Nonnull handle, fl_curl_writer _Nonnull writer) {
  return curl->curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, writer);
}
static inline long fl_curl_status(const struct fl_curl *_Nonnull curl, CURL *_Nonnull handle) {
  long status = 0;
  curl->curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}
