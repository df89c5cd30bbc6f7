/*
 * The header of one part as it comes, in pieces of its lines. What is kept of it is the value of the one Content- field that is
 * being read, as much as the budget lets be looked at, and that only until the field ends: a header may be as long as it likes.
 */
#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/message/mime_parser_int.h"

void mime_header_init(struct mime_header *h, struct arena *a, const struct message_limits *limits, bool *truncated)
{
    *h = (struct mime_header){.arena = a, .limits = limits, .truncated = truncated};
    h->budget = header_budget_make(limits->header_kept);
    h->budget.left = limits->header_kept * 4; /* of all parts together */
    buf_init(&h->value, h->budget.field_max + 1);
}

void mime_header_free(struct mime_header *h)
{
    buf_free(&h->value);
}

void mime_header_begin(struct mime_header *h, struct mime_part *part)
{
    h->fields = (struct mime_fields){.arena = h->arena, .limits = h->limits, .part = part, .truncated = h->truncated};
    h->state = MIME_HEADER_SKIP; /* a first line that begins with a blank continues nothing */
    h->inside_line = h->only_cr = h->blank_line = false;
    part->encoding = VIEW("7bit");
}

/* The field that is being read, if any, is complete. */
static void field_end(struct mime_header *h)
{
    if (h->state != MIME_HEADER_VALUE)
        return;
    struct view raw = view_sub(buf_view(&h->value), 0, h->value_len - h->line_end);
    mime_field_set(&h->fields, h->field, header_copy(h->arena, header_budget_take(&h->budget, raw, h->truncated)));
    h->state = MIME_HEADER_SKIP;
}

/* Its name is there, and its colon. One octet more is kept than may be looked at: it tells whether something was cut off. */
static void field_begin(struct mime_header *h)
{
    h->field = mime_field_find(view_make(h->name, h->name_len));
    if (h->field == MIME_FIELD_NONE || mime_field_is_set(&h->fields, h->field)) {
        h->state = MIME_HEADER_SKIP;
        return;
    }
    h->state = MIME_HEADER_VALUE;
    buf_reset(&h->value);
    h->value_len = 0;
    h->value_max = MIN_OF(h->budget.left, h->budget.field_max) + 1;
    h->line_end = 0;
    h->last = ':';
}

/* What precedes the value (RFC 5322 2.2, blanks before the colon as 4.5 allows), from the front of v; returns its length. */
static size_t read_name(struct mime_header *h, struct view v)
{
    size_t n = 0;
    while (n < v.len && (h->state == MIME_HEADER_NAME || h->state == MIME_HEADER_COLON)) {
        uint8_t c = v.ptr[n++];
        if (c == ':')
            field_begin(h);
        else if (c == ' ' || c == '\t')
            h->state = MIME_HEADER_COLON;
        else if (h->state == MIME_HEADER_COLON || c < ' ' || c >= 0x7f || h->name_len == sizeof(h->name))
            h->state = MIME_HEADER_SKIP;
        else
            h->name[h->name_len++] = c;
    }
    return n;
}

static void read_value(struct mime_header *h, struct view v)
{
    size_t room = h->value_max - buf_len(&h->value);
    buf_put_view(&h->value, view_sub(v, 0, room));
    h->value_len += v.len;
    h->line_end = 0;
    if (v.ptr[v.len - 1] == '\n')
        h->line_end = (v.len > 1 ? v.ptr[v.len - 2] : h->last) == '\r' ? 2 : 1;
    h->last = v.ptr[v.len - 1];
}

void mime_header_feed(struct mime_header *h, struct view piece)
{
    bool ends = piece.ptr[piece.len - 1] == '\n';
    uint8_t first = piece.ptr[0];
    h->blank_line = ends && (h->inside_line ? h->only_cr && piece.len == 1 : piece.len == 1 || (piece.len == 2 && first == '\r'));
    h->only_cr = !h->inside_line && piece.len == 1 && first == '\r';
    if (!h->inside_line && first != ' ' && first != '\t') {
        field_end(h);
        h->state = ascii_lower(first) == 'c' ? MIME_HEADER_NAME : MIME_HEADER_SKIP; /* of Content- */
        h->name_len = 0;
    }
    h->inside_line = !ends;
    if (h->state == MIME_HEADER_NAME || h->state == MIME_HEADER_COLON)
        piece = view_sub(piece, read_name(h, piece), piece.len);
    if (h->state == MIME_HEADER_VALUE && piece.len > 0)
        read_value(h, piece);
    if (ends && h->state != MIME_HEADER_VALUE)
        h->state = MIME_HEADER_SKIP; /* a name and its colon are in one line */
}

void mime_header_end(struct mime_header *h, bool digest_child)
{
    struct mime_part *part = h->fields.part;
    field_end(h);
    if (part->type.len == 0 && digest_child && !h->fields.has_type)
        mime_part_retype(h->arena, part, VIEW("message"), VIEW("rfc822"), false);
    else if (part->type.len == 0)
        mime_part_retype(h->arena, part, VIEW("text"), VIEW("plain"), false);
}
