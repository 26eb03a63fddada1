/* The yardstick for plain CGI: the least that a CGI program can answer. */
#include <stdio.h>

int main(void) {
  fputs("Status: 302 Found\r\nLocation: https://example.com/landing\r\nContent-Length: 0\r\n\r\n", stdout);
  return 0;
}
