/* The yardstick of scripts/bench: a constant 302 by libfcgi's own threaded accept loop.
   It reads nothing, looks nothing up and records nothing: what is left is the transport.
   usage: constant302 SOCKET THREADS */
#include <fcgiapp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int listener;

static void *answer(void *unused) {
  FCGX_Request request;
  (void)unused;
  if (FCGX_InitRequest(&request, listener, 0) != 0) return NULL;
  while (FCGX_Accept_r(&request) == 0) {
    FCGX_PutS("Status: 302 Found\r\n"
              "Location: https://example.com/landing?utm_source=bench\r\n"
              "Cache-Control: private, no-store\r\n"
              "Content-Length: 0\r\n\r\n",
              request.out);
    FCGX_Finish_r(&request);
  }
  return NULL;
}

int main(int count, char **arguments) {
  pthread_t thread;
  int threads;
  if (count != 3 || (threads = atoi(arguments[2])) < 1 || threads > 4096) {
    fprintf(stderr, "usage: constant302 SOCKET THREADS\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  if (FCGX_Init() != 0) return 1;
  listener = FCGX_OpenSocket(arguments[1], 4096);
  if (listener < 0 || chmod(arguments[1], 0600) != 0) {
    perror(arguments[1]);
    return 1;
  }
  for (int i = 1; i < threads; i++) {
    if (pthread_create(&thread, NULL, answer, NULL) != 0) return 1;
  }
  answer(NULL);
  return 0;
}
