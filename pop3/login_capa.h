/* The capabilities that are the same before and after log-in (RFC 2449 6): one list for both processes. */
#ifndef CULVER_POP3_LOGIN_CAPA_H
#define CULVER_POP3_LOGIN_CAPA_H

#include "common/base/buf.h"

/* RESP-CODES and AUTH-RESP-CODE: RFC 2449 6.4, RFC 3206 4. */
static inline void pop3_put_capabilities(struct buf *out)
{
    buf_put_str(out, "CAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n");
    buf_put_str(out, "EXPIRE NEVER\r\nIMPLEMENTATION Culver\r\n");
}

#endif
