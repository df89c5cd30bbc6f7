/* Text codecs that several components share. All bounded, none allocates more than its output buf allows. */
#ifndef CULVER_COMMON_TEXT_TEXT_H
#define CULVER_COMMON_TEXT_TEXT_H

#include "common/base/buf.h"

/* RFC 3629: true when v is valid UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF). NUL is valid here. */
bool utf8_valid(struct view v);
/* Decodes one code point at the front of v: returns its length 1..4 and sets *cp_out, or 0 when invalid or empty. */
unsigned utf8_decode(struct view v, uint32_t *cp_out);
/* A sequence of two octets at p: most of what is not ASCII, for those who want it fast. */
static inline bool utf8_is_two(const uint8_t *p)
{
    return p[0] >= 0xc2 && p[0] <= 0xdf && (p[1] & 0xc0) == 0x80;
}
void utf8_encode(struct buf *out, uint32_t cp);
/* v with every invalid sequence replaced by U+FFFD. */
void utf8_sanitize(struct buf *out, struct view v);

/* RFC 3501 5.1.3 modified UTF-7. Decode: ERR_SYNTAX for what is not canonical. Encode expects valid UTF-8. */
MUST_CHECK int mutf7_decode(struct buf *out, struct view v);
MUST_CHECK int mutf7_encode(struct buf *out, struct view v);

/* RFC 4648. Decode is strict: right padding, no blanks, zero trailing bits. ERR_SYNTAX. */
void base64_encode(struct buf *out, struct view v);
MUST_CHECK int base64_decode(struct buf *out, struct view v);

/* ASCII only. */
uint8_t ascii_lower(uint8_t c);
uint8_t ascii_upper(uint8_t c);
void hex_encode(struct buf *out, struct view v);

/* Seconds since 1970 of a civil UTC date; month 1..12. No range limits but int64. */
int64_t time_from_civil(int year, unsigned month, unsigned day, unsigned hour, unsigned minute, unsigned second);
struct civil_time {
    int year;
    unsigned month, day, hour, minute, second, weekday; /* weekday 0 = Sunday */
};
/* The civil date of t seconds in a zone zone_minutes east of UTC. No libc time zone code (sandboxes have no /etc/localtime). */
void time_to_civil(int64_t t, int zone_minutes, struct civil_time *out);
/* RFC 5322 3.3: "Mon, 23 Nov 2026 05:11:34 +0000". */
void time_put_rfc5322(struct buf *out, int64_t t, int zone_minutes);
/* RFC 9051 date-time: "23-Nov-2026 05:11:34 +0000" with a leading blank for days below 10; without quotes. Zone kept. */
void time_put_imap(struct buf *out, int64_t t, int zone_minutes);
MUST_CHECK int time_parse_imap(struct view v, int64_t *t_out, int *zone_out);

#endif
