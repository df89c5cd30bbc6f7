/*
 * The structure of a message in one pass, line by line, as its octets come: which lines are delimiters and which end a header is
 * found out here, what they do to the tree of parts is in mime_tree.c.
 *
 * Of a line only its beginning matters, and its end; so a line may come in any pieces. Where a piece ends before it is clear
 * whether a line is a delimiter, the beginning of the line is carried over: no more octets than the longest boundary that is
 * open, with the hyphens before and behind it. Everything else is looked through for line ends where it lies, and in a header
 * given on to mime_header.c. So a message costs one look at each octet, whole or in pieces.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "storage/message/mime_parser_int.h"

#define HYPHENS 2u /* before a boundary, and behind the last one of a multipart */
#define BEFORE 3u  /* octets before a line that a delimiter looks back at */

enum line {
    LINE_NEW,      /* nothing of it has been looked at */
    LINE_INSIDE,   /* it is no delimiter, or one that begins no part */
    LINE_DELIMITER /* a part begins behind it */
};

struct mime_parser {
    struct mime_tree tree;
    enum line line;
    uint8_t last[BEFORE]; /* of the pieces before this one, the latest first */
    size_t ncarry;        /* octets of a line that have come without deciding what it is; tree.at is where it begins */
    uint8_t carry[];
};

static bool may_delimit(const struct mime_parser *p, const uint8_t *line, size_t len)
{
    return line[0] == '-' && (len == 1 || line[1] == '-') && p->tree.boundaries.n > 0 && !p->tree.sink;
}

/* So many octets of a line decide whether it is a delimiter, and so do fewer with a line end, which no boundary has. */
static size_t decisive(const struct mime_parser *p)
{
    return HYPHENS + p->tree.boundaries.longest + HYPHENS;
}

static bool is_decided(const struct mime_parser *p, struct view rest)
{
    return rest.len >= decisive(p) || view_find(rest, '\n') < rest.len;
}

/* rest: from the beginning of a line on, which is decided. */
static bool find_delimiter(const struct mime_parser *p, struct view rest, uint32_t *frame_out, bool *is_last_out)
{
    size_t len;
    if (!view_starts(rest, VIEW("--")) ||
        !boundaries_find(&p->tree.boundaries, view_sub(rest, HYPHENS, rest.len), frame_out, &len))
        return false;
    *is_last_out = view_starts(view_sub(rest, HYPHENS + len, HYPHENS), VIEW("--"));
    return true;
}

/* The line at the front of this looks like a delimiter, and is clearly none. */
static bool is_body(const struct mime_parser *p, const uint8_t *line, size_t len)
{
    uint32_t frame;
    size_t found;
    return len >= decisive(p) && !boundaries_find(&p->tree.boundaries, view_make(line + HYPHENS, len - HYPHENS), &frame, &found);
}

static void take_delimiter(struct mime_parser *p, uint32_t frame, bool is_last)
{
    mime_tree_delimiter(&p->tree, frame, is_last);
    p->line = is_last ? LINE_INSIDE : LINE_DELIMITER;
}

/* What precedes the line that begins at `at` in piece. */
static void look_back(struct mime_parser *p, struct view piece, size_t at)
{
    uint8_t before[BEFORE];
    for (size_t i = 0; i < BEFORE; i++)
        before[i] = i < at ? piece.ptr[at - 1 - i] : p->last[i - at];
    p->tree.at.line_end = before[0] != '\n' ? 0 : before[1] != '\r' ? 1 : 2;
    p->tree.at.blank_before = before[p->tree.at.line_end] == '\n';
}

static void remember_last(struct mime_parser *p, struct view piece)
{
    for (size_t i = BEFORE; i-- > 0;)
        p->last[i] = i < piece.len ? piece.ptr[piece.len - 1 - i] : p->last[i - piece.len];
}

/* Takes from the front of v what there is of the line that is being read. */
static size_t take_line(struct mime_parser *p, struct view v)
{
    struct view line = view_sub(v, 0, view_find(v, '\n') + 1);
    enum line what = p->line;
    if (p->tree.in_header && what != LINE_DELIMITER)
        mime_header_feed(&p->tree.header, line);
    p->tree.at.off += line.len;
    if (line.ptr[line.len - 1] != '\n') {
        p->line = what == LINE_DELIMITER ? what : LINE_INSIDE;
        return line.len;
    }
    p->tree.at.lines++;
    p->line = LINE_NEW;
    if (what == LINE_DELIMITER)
        mime_tree_part(&p->tree);
    else if (p->tree.in_header && p->tree.header.blank_line)
        mime_tree_header_end(&p->tree);
    return line.len;
}

/* Takes lines of a body from the front of v, up to one that may be a delimiter. */
static size_t take_body(struct mime_parser *p, struct view v)
{
    const uint8_t *at = v.ptr, *end = v.ptr + v.len;
    uint64_t lines = 0;
    p->line = LINE_NEW;
    do {
        const uint8_t *lf = memchr(at, '\n', (size_t)(end - at));
        if (lf == NULL) {
            p->line = LINE_INSIDE;
            at = end;
            break;
        }
        at = lf + 1;
        lines++;
    } while (at < end && (!may_delimit(p, at, (size_t)(end - at)) || is_body(p, at, (size_t)(end - at))));
    p->tree.at.lines += lines;
    p->tree.at.off += (size_t)(at - v.ptr);
    return (size_t)(at - v.ptr);
}

static void take_carry(struct mime_parser *p)
{
    struct view start = view_make(p->carry, p->ncarry);
    uint32_t frame;
    bool is_last;
    p->ncarry = 0;
    p->line = LINE_INSIDE;
    if (find_delimiter(p, start, &frame, &is_last))
        take_delimiter(p, frame, is_last);
    (void)take_line(p, start);
}

/* Adds what is missing to the beginning of a line that was carried over; returns the octets of piece that it took. */
static size_t complete_carry(struct mime_parser *p, struct view piece)
{
    struct view more = view_sub(piece, 0, decisive(p) - p->ncarry);
    more = view_sub(more, 0, view_find(more, '\n') + 1);
    memcpy(p->carry + p->ncarry, more.ptr, more.len);
    p->ncarry += more.len;
    if (is_decided(p, view_make(p->carry, p->ncarry)))
        take_carry(p);
    return more.len;
}

/* The line that begins at `at` in piece may be a delimiter. False: it is carried over. */
static bool decide(struct mime_parser *p, struct view piece, size_t at)
{
    struct view rest = view_sub(piece, at, piece.len);
    bool decided = is_decided(p, rest), is_last;
    uint32_t frame;
    look_back(p, piece, at);
    if (!decided) {
        memcpy(p->carry, rest.ptr, rest.len);
        p->ncarry = rest.len;
    } else if (find_delimiter(p, rest, &frame, &is_last)) {
        take_delimiter(p, frame, is_last);
    }
    return decided;
}

void mime_parser_feed(struct mime_parser *p, struct view piece)
{
    size_t at = p->ncarry > 0 && piece.len > 0 ? complete_carry(p, piece) : 0;
    while (at < piece.len) {
        struct view rest = view_sub(piece, at, piece.len);
        if (p->line == LINE_NEW && may_delimit(p, rest.ptr, rest.len) && !decide(p, piece, at))
            break;
        at += p->tree.in_header || p->line == LINE_DELIMITER ? take_line(p, rest) : take_body(p, rest);
    }
    remember_last(p, piece);
}

struct mime_parser *mime_parser_new(const struct message_limits *limits)
{
    struct mime_parser *p = xcalloc(1, sizeof(*p) + HYPHENS + limits->boundary + HYPHENS);
    mime_tree_init(&p->tree, limits);
    return p;
}

size_t mime_parser_memory(const struct mime_parser *p)
{
    return sizeof(*p) + mime_tree_memory(&p->tree);
}

void mime_parser_finish(struct mime_parser **parser, struct mime_msg *out)
{
    struct mime_parser *p = *parser;
    if (p->ncarry > 0)
        take_carry(p);
    if (p->line == LINE_DELIMITER)
        mime_tree_part(&p->tree);
    mime_tree_finish(&p->tree, p->last[0] == '\n', out);
    mime_parser_free(parser);
}

void mime_parser_free(struct mime_parser **parser)
{
    if (*parser != NULL)
        mime_tree_free(&(*parser)->tree);
    free(*parser);
    *parser = NULL;
}

void mime_parse(struct view message, const struct message_limits *limits, struct mime_msg *out)
{
    struct mime_parser *p = mime_parser_new(limits);
    mime_parser_feed(p, message);
    mime_parser_finish(&p, out);
}

void mime_msg_free(struct mime_msg *m)
{
    struct arena *a = m->arena;
    arena_free(&a);
    free(m->parts);
    memset(m, 0, sizeof(*m));
}
