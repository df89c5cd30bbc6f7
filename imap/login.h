/* IMAP before log-in, for culver-imap-login (RFC 3501 and 9051 sections 6.1, 6.2, 11; RFC 2971; RFC 4959; RFC 5530). */
#ifndef CULVER_IMAP_LOGIN_H
#define CULVER_IMAP_LOGIN_H

#include "common/login/login.h"

extern const struct login_protocol imap_login_protocol;

#endif
