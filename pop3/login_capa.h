/*
 * What the processes before and after log-in have in common: capabilities, LANG, and how the first tells the second of what it
 * announced and what the client asked for.
 *
 * IPC_CONN_TAKE's tag is made of words separated by ';': "utf8" when the client has said UTF8; everything else are lines of CAPA
 * that depend on the connection (SASL, USER, STLS, LOGIN-DELAY). They are the same in both states (RFC 2449 6: "both / no").
 */
#ifndef CULVER_POP3_LOGIN_CAPA_H
#define CULVER_POP3_LOGIN_CAPA_H

#include "common/base/buf.h"
#include "common/conf/settings.h"

#define POP3_TAG_UTF8 "utf8"

/* RESP-CODES, EXPIRE and IMPLEMENTATION: RFC 2449 6; AUTH-RESP-CODE: RFC 3206 4; UTF8 and LANG: RFC 6856. Without the argument
 * USER: user names are ASCII here, and passwords are octets. */
static inline void pop3_put_capabilities(struct buf *out, const struct set_worker *set)
{
    buf_put_str(out, "CAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nUTF8\r\nLANG\r\nEXPIRE ");
    if (set->pop3_expire > 0)
        buf_put_dec(out, set->pop3_expire);
    else
        buf_put_str(out, "NEVER");
    buf_put_str(out, "\r\nIMPLEMENTATION Culver\r\n");
}

/* RFC 6856 3: there is English only. Puts the whole answer; false: it is -ERR. A range matches by its first subtag (RFC
 * 4647 3.4).
 */
static inline bool pop3_put_language(struct buf *out, struct view range)
{
    struct view primary = view_sub(range, 0, view_find(range, '-'));

    if (range.len == 0) {
        buf_put_str(out, "+OK Language listing follows:\r\nen English\r\n.\r\n");
        return true;
    }
    if (view_eq_nocase(primary, VIEW("en")) || view_eq(range, VIEW("*"))) {
        buf_put_str(out, "+OK en The language is English.\r\n");
        return true;
    }
    buf_put_str(out, "-ERR There is English only.\r\n");
    return false;
}

#endif
