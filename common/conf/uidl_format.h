/*
 * The form of POP3 unique ids (pop3_uidl_format), so that clients which come from another server know their messages again. It is
 * here because the configuration's check must know it, and master includes nothing but common.
 *
 * A format is a word (dovecot, cyrus, courier, uid, file) or a text with variables: %u or %{uid}, %v or %{uidvalidity}, %f or
 * %{filename}, %g or %{guid} (the content id), %% for '%'. %u and %v may have a width, a leading 0 and an X (hexadecimal) in
 * front of the letter ("%08Xu%08Xv"); the long form may end in " | hex" or " | hex(8)".
 */
#ifndef CULVER_COMMON_CONF_UIDL_FORMAT_H
#define CULVER_COMMON_CONF_UIDL_FORMAT_H

#include "common/base/buf.h"

#define UIDL_MAX 70 /* RFC 1939 7 */
#define UIDL_PARTS_MAX 16
#define UIDL_GUID_SIZE 16

enum uidl_variable { UIDL_LITERAL, UIDL_UID, UIDL_UIDVALIDITY, UIDL_FILE_NAME, UIDL_GUID };

struct uidl_part {
    enum uidl_variable what;
    struct view literal; /* of the format's text */
    bool hex;
    unsigned width; /* filled up with zeros; at most 16 */
};

struct uidl_format {
    struct uidl_part parts[UIDL_PARTS_MAX];
    size_t n;
};

struct uidl_values {
    uint32_t uid, uidvalidity;
    struct view file_name; /* empty: none */
    const uint8_t *guid;   /* UIDL_GUID_SIZE octets */
};

/* text must outlive *out. ERR_SYNTAX: no format; ERR_RANGE: its ids would not be unique (there is neither the UID nor the file's
 * name), or could be longer than UIDL_MAX. */
MUST_CHECK int uidl_format_parse(const char *text, struct uidl_format *out);
bool uidl_format_has(const struct uidl_format *f, enum uidl_variable what);
/* Appends 1 to UIDL_MAX characters from 0x21 to 0x7e. A file name that cannot be an id is replaced by UID and UIDVALIDITY. */
void uidl_format_put(struct buf *out, const struct uidl_format *f, const struct uidl_values *v);

#endif
