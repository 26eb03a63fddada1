#pragma once
#include <curl/curl.h>

// curl_easy_setopt takes a variable number of arguments, which Swift cannot call.
static inline CURLcode fl_curl_set_long(CURL *handle, CURLoption option, long value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode fl_curl_set_text(CURL *handle, CURLoption option, const char *value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode fl_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
  return curl_easy_setopt(handle, option, value);
}
typedef size_t (*fl_curl_writer)(char *bytes, size_t size, size_t count, void *context);
static inline CURLcode fl_curl_set_writer(CURL *handle, fl_curl_writer writer) {
  return curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, writer);
}
static inline long fl_curl_status(CURL *handle) {
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}
