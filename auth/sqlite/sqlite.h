/* SQLite, for culver-auth-sqlite. */
#ifndef CULVER_AUTH_SQLITE_SQLITE_H
#define CULVER_AUTH_SQLITE_SQLITE_H

#include "auth/db/db.h"

extern const struct db_driver sqlite_driver;

#endif
