/*
 * JSON (RFC 8259), read only: a bounded index over text that stays where it is. Strict: one value, valid UTF-8, no member twice
 * in an object (of which parsers make different things, RFC 8259 section 4).
 */
#ifndef CULVER_COMMON_TEXT_JSON_H
#define CULVER_COMMON_TEXT_JSON_H

#include "common/base/buf.h"

#define JSON_TOKENS_MAX 512
#define JSON_DEPTH_MAX 16

enum json_type { JSON_NULL, JSON_TRUE, JSON_FALSE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_token {
    enum json_type type;
    struct view text; /* of numbers, and of strings without their quotes and as they are escaped */
    unsigned next;    /* the token behind this value and all in it */
};

/* A value's children follow it: of an object each member's name (a string), then its value. Token 0 is the whole. */
struct json_doc {
    struct json_token tokens[JSON_TOKENS_MAX];
    unsigned n;
};

/* The views point into text. ERR_SYNTAX; ERR_LIMIT: too many values or too deep. */
MUST_CHECK int json_parse(struct view text, struct json_doc *out);
/* The value of this member of the object at token `object`; NULL: no object, or it has none. */
const struct json_token *json_member(const struct json_doc *doc, unsigned object, struct view name);
/* The number of a token. */
unsigned json_index(const struct json_doc *doc, const struct json_token *token);
/* Appends a string's text without its escapes. ERR_SYNTAX: no string (NULL too), or it has a NUL. ERR_LIMIT: out is full. */
MUST_CHECK int json_text(const struct json_token *token, struct buf *out);
/* True when token is a string that says exactly this. */
bool json_says(const struct json_token *token, struct view text);
/* Seconds and the like: a number without sign or exponent; what is behind its point is left out. ERR_SYNTAX: none (NULL too). */
MUST_CHECK int json_uint(const struct json_token *token, uint64_t *out);

/* Appends v as a string with its quotes. */
void json_put_text(struct buf *out, struct view v);

#endif
