/*
 * The only writer of what clients read. Quotes, literals, mailbox names and flags are made safe here, whatever was promised
 * elsewhere: no byte of a message, a name or a command can end a line or a string early.
 */
#ifndef CULVER_IMAP_RESPOND_H
#define CULVER_IMAP_RESPOND_H

#include "common/base/buf.h"
#include "imap/session_int.h"

/* The end of the output. */
struct buf *imap_out(struct imap_session *s);

/* "tag OK [code] text"; an empty tag gives "*". Texts are constants of ours. */
void imap_put_tagged(struct imap_session *s, struct view tag, enum imap_answer answer, struct view code, const char *text);
/* "* OK [code] text" */
void imap_put_untagged(struct imap_session *s, enum imap_answer answer, const char *code, const char *text);
/* "* OK [code n] text" */
void imap_put_code_number(struct imap_session *s, const char *code, uint64_t n, const char *text);
/* "+ text" */
void imap_put_continue(struct imap_session *s, const char *text);

/* string: quoted where that is possible, else a literal. 8-bit text is quoted for clients with UTF8=ACCEPT (invalid UTF-8
 * replaced) and a literal for others. NUL, which no string may hold, becomes a blank. */
void imap_put_string(struct imap_session *s, struct buf *out, struct view v);
/* nstring: NIL for ptr NULL. */
void imap_put_nstring(struct imap_session *s, struct buf *out, struct view v);
/* Any octets as they are: a string, or a literal8 where there is a NUL (RFC 5464 5: value). */
void imap_put_octets(struct imap_session *s, struct buf *out, struct view v);
/* "{size}" CRLF; the bytes follow. literal8: "~{size}". */
void imap_put_literal_header(struct buf *out, uint64_t size, bool literal8);
/* A mailbox name (storage form) as the client has it: separator, modified UTF-7 or UTF-8. */
void imap_put_mailbox(struct imap_session *s, struct buf *out, struct view name);
/* "(\Seen $Forwarded)"; m may be NULL. */
void imap_put_flags(struct buf *out, const struct mailbox *m, const struct msg_info *info);
/* Special uses as "\Sent \Trash" with blanks between; *first: nothing was put before. */
void imap_put_uses(struct buf *out, unsigned use, bool *first);
/* An item of a parenthesized list: a blank before all but the first. */
void imap_put_item(struct buf *out, bool *first, const char *item);
/* '"23-Nov-2026 05:11:34 +0000"' */
void imap_put_date_time(struct buf *out, int64_t t, int zone_minutes);

/* "* NAMESPACE …" (cmd_namespace.c) */
void imap_put_namespace(struct imap_session *s);

#endif
