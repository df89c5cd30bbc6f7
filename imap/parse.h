/*
 * The grammar of IMAP commands (RFC 3501 section 9, RFC 9051 section 9): recursive descent over the bytes of one whole command,
 * which imap/input.h has collected (literals in place). No backtracking, no storage, no answers: a failure is one text for the
 * BAD response. Strings are views of the command's own bytes or of its pool.
 */
#ifndef CULVER_IMAP_PARSE_H
#define CULVER_IMAP_PARSE_H

#include "common/base/cursor.h"
#include "imap/pool.h"
#include "storage/account.h"

#define IMAP_PAREN_DEPTH_MAX 64
#define IMAP_SEARCH_KEYS_MAX 1024
#define IMAP_LIST_PATTERNS_MAX 32
#define IMAP_FETCH_ITEMS_MAX 256
#define IMAP_PATTERN_MAX 1024

struct imap_parse {
    struct cursor c;
    struct imap_pool *pool;
    const char *error; /* the first failure, NULL while all is well */
    const char *code;  /* response code of that failure, or NULL */
    unsigned depth;    /* open parentheses */
    bool uidonly;      /* message numbers are refused (RFC 9586 3.2) */
};

void imap_parse_init(struct imap_parse *p, struct view command, struct imap_pool *pool);
/* Notes the first failure; everything read afterwards is empty. Returns false. */
bool imap_parse_fail(struct imap_parse *p, const char *error);
/* The same with a response code for the BAD response. */
bool imap_parse_fail_code(struct imap_parse *p, const char *code, const char *error);
static inline bool imap_parse_ok(const struct imap_parse *p)
{
    return p->error == NULL && !p->c.failed;
}
/* The text for BAD. */
const char *imap_parse_error(const struct imap_parse *p);

int imap_parse_peek(const struct imap_parse *p);
bool imap_parse_try(struct imap_parse *p, uint8_t byte);
/* Takes the word when it is next, ASCII case folded. The caller checks what follows it. */
bool imap_parse_try_word(struct imap_parse *p, const char *word);
void imap_parse_expect(struct imap_parse *p, uint8_t byte, const char *error);
void imap_parse_space(struct imap_parse *p);
void imap_parse_end(struct imap_parse *p);
/* Parentheses, counted against IMAP_PAREN_DEPTH_MAX. */
void imap_parse_open(struct imap_parse *p);
void imap_parse_close(struct imap_parse *p);

struct view imap_parse_tag(struct imap_parse *p);
struct view imap_parse_atom(struct imap_parse *p);
struct view imap_parse_astring(struct imap_parse *p);
struct view imap_parse_string(struct imap_parse *p);
/* ptr NULL for NIL. */
struct view imap_parse_nstring(struct imap_parse *p);
/* nstring or literal8, which may have any octets. */
struct view imap_parse_octets(struct imap_parse *p);
/* A LIST pattern: list-mailbox. */
struct view imap_parse_pattern(struct imap_parse *p);
uint64_t imap_parse_number(struct imap_parse *p, uint64_t min, uint64_t max);

/* sequence-set as written. */
struct imap_seq_range {
    uint32_t first, last; /* 0 is "*" */
};
struct imap_seq_set {
    struct imap_seq_range *ranges;
    size_t n;
    bool saved; /* "$": the result of the last SEARCH RETURN (SAVE), RFC 5182 */
};
void imap_parse_set(struct imap_parse *p, struct imap_seq_set *out);
/* Is a sequence-set next (a digit, "*" or "$")? */
bool imap_parse_set_next(const struct imap_parse *p);
/* Resolves message numbers against count messages. ERR_RANGE: a number above count, or "*" in an empty mailbox (RFC 9051 section
 * 9, seq-number: an error of the client). */
MUST_CHECK int imap_set_resolve(const struct imap_seq_set *set, uint32_t count, struct uidset *out);
/* Resolves UIDs; "*" is last_uid (0 in an empty mailbox). */
void imap_set_resolve_uids(const struct imap_seq_set *set, uint32_t last_uid, struct uidset *out);

/* flag-list, or flags without parentheses (STORE). */
struct imap_flags {
    unsigned flags; /* enum msg_flag */
    struct view *keywords;
    size_t nkeywords;
};
void imap_parse_flags(struct imap_parse *p, bool bare_allowed, struct imap_flags *out);
/* One flag without its "\", ASCII case folded; 0 when it is not a system flag that can be stored. */
unsigned imap_flag_find(struct view name);

/* date: quoted or not, "1-Feb-1994"; days since 1970. */
int64_t imap_parse_date(struct imap_parse *p);
/* date-time: quoted. */
void imap_parse_date_time(struct imap_parse *p, int64_t *t_out, int *zone_out);

#endif
