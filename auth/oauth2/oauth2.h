/* Bearer tokens, asked about where they were issued (RFC 7662): a driver for auth/db. */
#ifndef CULVER_AUTH_OAUTH2_OAUTH2_H
#define CULVER_AUTH_OAUTH2_OAUTH2_H

#include "auth/db/db.h"

extern const struct db_driver oauth2_driver;

#endif
