/*
 * SEARCH programs: the keys of RFC 3501 6.4.4, RFC 9051 6.4.4, WITHIN (RFC 5032), MODSEQ (RFC 7162), EMAILID and THREADID (RFC
 * 8474), SAVEDATE (RFC 8514), parsed to a tree (search_parse.c) and evaluated on one message at a time (search_eval.c,
 * search_text.c).
 */
#ifndef CULVER_IMAP_SEARCH_H
#define CULVER_IMAP_SEARCH_H

#include "imap/find.h"
#include "imap/message.h"

enum imap_search_op {
    SEARCH_ALL,
    SEARCH_NONE, /* matches nothing */
    SEARCH_AND,  /* children */
    SEARCH_OR,
    SEARCH_NOT, /* one child */
    SEARCH_SEQ, /* set */
    SEARCH_UID,
    SEARCH_UIDAFTER, /* number (RFC 9738 3.2) */
    SEARCH_UIDBEFORE,
    SEARCH_FLAG,    /* number: enum msg_flag */
    SEARCH_KEYWORD, /* text */
    SEARCH_RECENT,
    SEARCH_LARGER, /* number */
    SEARCH_SMALLER,
    SEARCH_DATE, /* INTERNALDATE; number: days since 1970, compare */
    SEARCH_SENT, /* Date: */
    SEARCH_SAVED,
    SEARCH_AGE,      /* number: seconds, compare: BEFORE is OLDER, SINCE is YOUNGER */
    SEARCH_MODSEQ,   /* number */
    SEARCH_EMAILID,  /* text */
    SEARCH_THREADID, /* text */
    SEARCH_SUBJECT,  /* find */
    SEARCH_ADDRESS,  /* find, number: enum imap_search_address */
    SEARCH_HEADER,   /* text: field name, number: digest_name_hash(), find */
    SEARCH_BODY,     /* find */
    SEARCH_TEXT,
    SEARCH_FILTER /* while it is parsed */
};
enum imap_search_compare { SEARCH_BEFORE, SEARCH_ON, SEARCH_SINCE };
enum imap_search_address { SEARCH_FROM, SEARCH_TO, SEARCH_CC, SEARCH_BCC };
/* What a key has to look at. Cheap keys of a conjunction are tried first. */
enum imap_search_cost { SEARCH_COST_RECORD, SEARCH_COST_DIGEST, SEARCH_COST_HEADER, SEARCH_COST_BODY };

struct imap_search_node {
    enum imap_search_op op;
    enum imap_search_compare compare;
    enum imap_search_cost cost;
    struct imap_search_node *children, *next;
    struct imap_search_node *all; /* list of all nodes of the program, for freeing sets */
    struct imap_seq_set set;
    struct uidset resolved;
    uint64_t number;
    int64_t signed_number;
    struct view text;
    struct imap_find find;
};

/* A filter that a program uses (RFC 5466), as it was when the program was made. */
struct imap_search_filter {
    struct imap_search_filter *next;
    struct view name, value; /* name in lower case */
};

struct imap_search_program {
    struct imap_search_node *root, *all;
    struct imap_find_work *find_work; /* of all texts that are looked for */
    struct buf text;                  /* decoded header fields */
    unsigned keys;
    struct account *acc; /* whose filters may be used besides those in filters; NULL: no others */
    struct imap_search_filter *filters;
    enum collation collation; /* that texts are looked for under */
    bool uses_modseq, bad_charset, uses_filter;
    unsigned filter_depth;
    struct view undefined_filter; /* ptr NULL: all could be had */
    uint64_t budget_begin_us, used_us, allowed_us;
    bool uses_numbers; /* message numbers: they must not change meanwhile (RFC 9051 7.5.1) */
};

/* [CHARSET …] and the keys, from the space before them. utf8: CHARSET is not allowed (RFC 6855 3). */
void imap_search_parse(struct imap_parse *p, struct imap_search_program *prog, bool utf8);
/* SORT and THREAD (RFC 5256): the charset, which is not optional there, and the keys; from the space before it. */
void imap_search_parse_sorted(struct imap_parse *p, struct imap_search_program *prog);
/* Copies both; NULL when the pool is full. */
struct imap_search_filter *imap_search_filter_new(struct imap_pool *pool, struct view name, struct view value);
/* Resolves the sets of the program; saved is what "$" stands for. */
void imap_search_resolve(struct imap_search_program *prog, uint32_t count, uint32_t last_uid, const struct uidset *saved);
void imap_search_free(struct imap_search_program *prog);

/* Flags that a message must have, and those that it must not have, for the program to match it: messages that these rule out need
 * not be looked at. */
struct imap_search_flags {
    unsigned set, clear; /* enum msg_flag */
};
struct imap_search_flags imap_search_flags(const struct imap_search_program *prog);

/* Message numbers of the view that its message sets, UID, UIDAFTER and UIDBEFORE leave: no other can match the program, whose
 * sets are resolved. Added to out, which is empty. */
void imap_search_candidates(const struct imap_search_program *prog, const struct mailbox_view *view, struct uidset *out);

/* Around each slice of matching: false when the program has used more time of the processor than the messages that it looked at
 * are worth. */
void imap_search_budget_begin(struct imap_search_program *prog);
bool imap_search_budget_end(struct imap_search_program *prog);

struct imap_search_now {
    int64_t now; /* seconds since 1970 */
};
bool imap_search_match(struct imap_session *s, struct imap_search_program *prog, const struct imap_search_now *now,
                       struct imap_message *m);
/* search_text.c: SUBJECT, the addresses, HEADER, BODY and TEXT. */
bool imap_search_match_text(struct imap_session *s, struct imap_search_program *prog, struct imap_search_node *n,
                            struct imap_message *m);

#endif
