/* PostgreSQL, for culver-auth-pgsql. */
#ifndef CULVER_AUTH_PGSQL_PGSQL_H
#define CULVER_AUTH_PGSQL_PGSQL_H

#include "auth/db/db.h"

extern const struct db_driver pgsql_driver;

#endif
