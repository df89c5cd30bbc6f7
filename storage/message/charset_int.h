/* Charsets inside storage/message: names, tables, and conversion to UTF-8 piece by piece. */
#ifndef CULVER_STORAGE_MESSAGE_CHARSET_INT_H
#define CULVER_STORAGE_MESSAGE_CHARSET_INT_H

#include "common/base/buf.h"

/* In the order of charset_tables. */
enum charset_table {
    CHARSET_WINDOWS1250,
    CHARSET_WINDOWS1251,
    CHARSET_WINDOWS1252,
    CHARSET_WINDOWS1253,
    CHARSET_WINDOWS1254,
    CHARSET_WINDOWS1255,
    CHARSET_WINDOWS1256,
    CHARSET_WINDOWS1257,
    CHARSET_WINDOWS1258,
    CHARSET_WINDOWS874,
    CHARSET_ISO88592,
    CHARSET_ISO88593,
    CHARSET_ISO88594,
    CHARSET_ISO88595,
    CHARSET_ISO88596,
    CHARSET_ISO88597,
    CHARSET_ISO88598,
    CHARSET_ISO885910,
    CHARSET_ISO885913,
    CHARSET_ISO885914,
    CHARSET_ISO885915,
    CHARSET_ISO885916,
    CHARSET_KOI8R,
    CHARSET_KOI8U,
    CHARSET_IBM866,
    CHARSET_IBM437,
    CHARSET_IBM850,
    CHARSET_IBM852,
    CHARSET_MACINTOSH,
    CHARSET_TABLES
};
extern const uint16_t charset_tables[CHARSET_TABLES][128];

enum charset_kind {
    CHARSET_UTF8 /* and what is a part of it */,
    CHARSET_SINGLE,
    CHARSET_ICONV,
    CHARSET_UNKNOWN /* ASCII, the rest U+FFFD */
};

#define CHARSET_CARRY 16
struct charset_conv {
    enum charset_kind kind;
    const uint16_t *table;
    void *iconv;                  /* CHARSET_ICONV: open */
    uint8_t carry[CHARSET_CARRY]; /* an unfinished sequence at the end of the last piece */
    size_t ncarry;
};
/* Always gives a usable converter; ERR_UNSUPPORTED says that the name is unknown and c is of CHARSET_UNKNOWN. */
MUST_CHECK int charset_open(struct charset_conv *c, struct view name);
/* Appends the piece in UTF-8: at most 4 times its length and 64 octets. */
void charset_feed(struct charset_conv *c, struct view piece, struct buf *out);
/* Length of the run of ASCII, or of valid UTF-8, at the front. */
size_t charset_ascii_run(struct view v);
size_t charset_utf8_run(struct view v);
/* v, which is not empty, could become a character of UTF-8 if more came; the length of what could at the end of v. */
bool charset_utf8_unfinished(struct view v);
size_t charset_utf8_tail(struct view v);
/* Appends what an unfinished sequence stands for (U+FFFD) and releases everything. */
void charset_close(struct charset_conv *c, struct buf *out);

#endif
