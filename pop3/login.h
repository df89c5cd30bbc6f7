/* POP3 before log-in, for culver-pop3-login (RFC 1939 4, 7; RFC 2449; RFC 2595 4; RFC 3206; RFC 5034). */
#ifndef CULVER_POP3_LOGIN_H
#define CULVER_POP3_LOGIN_H

#include "common/login/login.h"

extern const struct login_protocol pop3_login_protocol;

#endif
