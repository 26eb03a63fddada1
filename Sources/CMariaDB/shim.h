#pragma once
#include <mysql.h>

// Whether the server said, with its last answer, that a transaction is open.
static inline int fl_is_in_transaction(const MYSQL *connection) {
  return (connection->server_status & SERVER_STATUS_IN_TRANS) != 0;
}
