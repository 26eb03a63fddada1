#pragma once
#include <fcgiapp.h>
#include <stdlib.h>

/// FCGI_RESPONDER of the FastCGI specification, section 8, which only fastcgi.h spells.
enum { FL_FCGI_RESPONDER = 1 };

/// Gives the kept connection `fd` to `request`, so that FCGX_Accept_r reads the next request from it.
///
/// `keepConnection` must be set, or libfcgi closes the connection first; no listening socket means that it
/// gives up instead of accepting another; `detached` makes its close() an immediate one, where it would
/// otherwise wait up to two seconds for the peer with the thread held.
static inline void fl_fcgi_adopt(FCGX_Request *request, int fd) {
  request->ipcFd = fd;
  request->listen_sock = -1;
  request->keepConnection = 1;
  request->detached = 1;
}

/// Takes the connection back from `request`; -1 where libfcgi has closed it.
static inline int fl_fcgi_release(FCGX_Request *request) {
  int fd = request->ipcFd;
  request->ipcFd = -1;
  return fd;
}
