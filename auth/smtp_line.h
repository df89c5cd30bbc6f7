/*
 * The lines of the client protocol of Dovecot's authentication, version 1.2, as mail servers speak it: a word, an id, parameters,
 * separated by TABs. What stands in a line was partly chosen by a stranger (the mechanism and the base64 of its messages).
 */
#ifndef CULVER_AUTH_SMTP_LINE_H
#define CULVER_AUTH_SMTP_LINE_H

#include "common/base/buf.h"
#include "common/ipc/proto.h"

/* A line without its end: the base64 of the largest message, and what stands before it. */
#define SMTP_LINE_MAX (PROTO_SASL_MAX / 3 * 4 + 1024)
#define SMTP_MECH_MAX 32

enum smtp_verb {
    SMTP_VERSION, /* VERSION <major> <minor> */
    SMTP_AUTH,    /* AUTH <id> <mechanism> <parameters> */
    SMTP_CONT,    /* CONT <id> <base64> */
    SMTP_CANCEL,  /* CANCEL <id> */
    SMTP_OTHER    /* CPID, and whatever we need not understand */
};

struct smtp_line {
    enum smtp_verb verb;
    uint32_t id;    /* AUTH, CONT, CANCEL */
    uint32_t major; /* VERSION */
    /* AUTH */
    char mech[SMTP_MECH_MAX + 1]; /* in upper case */
    bool secured;                 /* TLS between client and mail server */
    bool counted;                 /* no "no-penalty" */
    bool has_peer;                /* "rip=" was there; peer is no address when it was none */
    struct net_addr peer, local;
    /* AUTH, CONT: base64; AUTH: none without has_data */
    bool has_data;
    struct view data; /* into the line */
};

/* ERR_SYNTAX: nothing that a mail server says. Unknown parameters are passed over. */
MUST_CHECK int smtp_line_parse(struct view line, struct smtp_line *out);

/* Appends a value, with NUL, SOH, TAB, CR and LF written as the protocol wants them. */
void smtp_put_escaped(struct buf *out, struct view v);
/* The client's own part of what has been sent: base64 to bytes. ERR_SYNTAX: no base64, or too long. */
MUST_CHECK int smtp_data_decode(struct view data, struct buf *out);

#endif
