/*
 * The small files in a Maildir, as pure parsers: those that Dovecot leaves (dovecot-uidlist, dovecot-keywords,
 * dovecot-uidvalidity, subscriptions) and our own culver-mailbox. Called by the maildir_*.c files and their tests. What is
 * malformed is passed over: such a line says nothing about any message. Views point into the bytes given.
 */
#ifndef CULVER_STORAGE_MAILDIR_FILES_H
#define CULVER_STORAGE_MAILDIR_FILES_H

#include "common/base/cursor.h"
#include "storage/maildir_name.h"

/*
 * dovecot-uidlist. Version 1: "1 <uidvalidity> <next uid>", then "<uid> <file>". Version 3: "3 V<uidvalidity> N<next uid>
 * G<guid>", then
 * "<uid> [<letter><value> …] :<file>", letters W (octets with CRLF), S (octets), P (POP3 UIDL), others.
 */
struct md_uidlist {
    struct cursor c;
    unsigned version;
    uint32_t uidvalidity, next_uid;
    uint32_t last; /* UID */
};
struct md_uid {
    uint32_t uid;
    struct view base;
    struct view uidl; /* empty: the usual one */
};
/* ERR_SYNTAX, ERR_UNSUPPORTED (another version). */
MUST_CHECK int md_uidlist_begin(struct md_uidlist *l, struct view file);
/* The next message; UIDs rise. */
bool md_uidlist_next(struct md_uidlist *l, struct md_uid *out);

/* dovecot-keywords: "<number> <keyword>" lines; letter 'a' is number 0. Gives the next, false at the end. */
struct md_keyword {
    unsigned letter; /* 0..25 */
    struct view name;
};
bool md_keywords_next(struct cursor *c, struct md_keyword *out);

/* subscriptions: one mailbox a line; version 2 begins with "V\t2" and an empty line, and has tabs between levels. */
struct md_subs {
    struct cursor c;
    bool tabs;
};
void md_subs_begin(struct md_subs *s, struct view file);
/* Appends the next name, UTF-8 with '/' between levels, to out (which is reset). */
bool md_subs_next(struct md_subs *s, struct buf *out);

/* dovecot-uidvalidity: eight hexadecimal digits, the last UIDVALIDITY that was given out. 0: none. */
uint32_t md_uidvalidity_parse(struct view file);

/* culver-mailbox, in each folder: which mailbox of which account it is, whatever it is called now: "1 <account id, 16 hex digits>
 * <mailbox id> <uidvalidity>\n". */
struct md_ident {
    uint64_t account;
    uint32_t mailbox, uidvalidity;
};
void md_ident_put(struct buf *out, const struct md_ident *id);
bool md_ident_parse(struct view file, struct md_ident *out);

#endif
