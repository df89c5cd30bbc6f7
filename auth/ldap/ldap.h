/* LDAP, for culver-auth-ldap. */
#ifndef CULVER_AUTH_LDAP_LDAP_H
#define CULVER_AUTH_LDAP_LDAP_H

#include "auth/db/db.h"

extern const struct db_driver ldap_driver;

#endif
