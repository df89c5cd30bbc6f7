/* What must hold for every message, however broken: for the unit tests and the fuzz targets. Each check returns NULL or what is
 * wrong. */
#ifndef CULVER_TESTS_UNIT_STORAGE_MESSAGE_CHECK_H
#define CULVER_TESTS_UNIT_STORAGE_MESSAGE_CHECK_H

#include <stdint.h>
#include <stdlib.h>

#include "storage/message/digest.h"

/* Lines of every part of larger messages are not counted again: that costs the depth times the size. */
#define CHECK_LINES_MAX (256u * 1024)

static inline uint64_t check_lines(struct view v)
{
    uint64_t n = 0;
    for (size_t i = 0; i < v.len; i++)
        n += v.ptr[i] == '\n';
    return n + (v.len > 0 && v.ptr[v.len - 1] != '\n');
}

static inline bool check_clean(struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == 0 || v.ptr[i] == '\r' || v.ptr[i] == '\n')
            return false;
    }
    return true;
}

static inline const char *check_part_text(const struct mime_part *p)
{
    if (p->type.len == 0 || p->subtype.len == 0 || p->encoding.len == 0)
        return "no type or encoding";
    bool message = view_eq_nocase(p->type, VIEW("message")) &&
                   (view_eq_nocase(p->subtype, VIEW("rfc822")) || view_eq_nocase(p->subtype, VIEW("global")));
    if ((p->kind == MIME_MULTIPART) != view_eq_nocase(p->type, VIEW("multipart")) || (p->kind == MIME_MESSAGE) != message)
        return "kind and type differ";
    if (!check_clean(p->type) || !check_clean(p->subtype) || !check_clean(p->encoding) || !check_clean(p->id) ||
        !check_clean(p->description) || !check_clean(p->md5) || !check_clean(p->location) || !check_clean(p->disposition))
        return "line ends in a field";
    for (size_t i = 0; i < p->nparams; i++) {
        if (p->params[i].name.len == 0 || !check_clean(p->params[i].name) || !check_clean(p->params[i].value))
            return "bad parameter";
    }
    for (size_t i = 0; i < p->ndisposition_params; i++) {
        if (p->disposition_params[i].name.len == 0 || !check_clean(p->disposition_params[i].value))
            return "bad disposition parameter";
    }
    for (size_t i = 0; i < p->nlanguages; i++) {
        if (p->languages[i].len == 0 || !check_clean(p->languages[i]))
            return "bad language";
    }
    return NULL;
}

/* Links, numbers, and that the children lie in order within their parent. */
static inline const char *check_children(const struct mime_msg *m, size_t i)
{
    const struct mime_part *p = &m->parts[i];
    uint64_t at = p->body_off;
    uint32_t number = 0;
    if ((p->kind == MIME_LEAF) != (p->first_child == 0))
        return "leaf with children or container without";
    for (uint32_t c = p->first_child; c != 0; c = m->parts[c].next_sibling) {
        if (c <= i || c >= m->nparts || (m->parts[c].next_sibling != 0 && m->parts[c].next_sibling <= c))
            return "child out of order";
        const struct mime_part *child = &m->parts[c];
        if (child->parent != i || child->number != ++number || child->depth != p->depth + 1)
            return "child with a wrong parent, number or depth";
        if (child->header_off < at)
            return "child overlaps";
        at = child->body_off + child->body_len;
    }
    if (p->kind == MIME_MESSAGE &&
        (number != 1 || m->parts[p->first_child].header_off != p->body_off || at != p->body_off + p->body_len))
        return "the message in a message part is not its body";
    return at > p->body_off + p->body_len ? "children beyond the body" : NULL;
}

static inline const char *check_mime(struct view message, const struct mime_msg *m)
{
    if (m->nparts == 0 || m->parts[0].header_off != 0 || m->parts[0].number != 0 || m->parts[0].depth != 0)
        return "no root";
    if (m->parts[0].header_len + m->parts[0].body_len != message.len)
        return "the root is not the message";
    for (size_t i = 0; i < m->nparts; i++) {
        const struct mime_part *p = &m->parts[i];
        if (i > 0 && p->parent >= i)
            return "parent behind child";
        if (p->header_off > message.len || p->header_len > message.len - p->header_off ||
            p->body_off != p->header_off + p->header_len || p->body_len > message.len - p->body_off)
            return "part out of bounds";
        if (message.len < CHECK_LINES_MAX && p->body_lines != check_lines(view_sub(message, p->body_off, p->body_len)))
            return "wrong number of lines";
        const char *why = check_part_text(p);
        why = why != NULL ? why : check_children(m, i);
        if (why != NULL)
            return why;
    }
    return NULL;
}

static inline bool check_same(struct view a, struct view b)
{
    return (a.ptr == NULL) == (b.ptr == NULL) && view_eq(a, b);
}

static inline bool check_same_params(const struct mime_param *a, size_t na, const struct mime_param *b, size_t nb)
{
    bool same = na == nb;
    for (size_t i = 0; same && i < na; i++)
        same = view_eq(a[i].name, b[i].name) && view_eq(a[i].value, b[i].value);
    return same;
}

static inline bool check_same_part(const struct mime_part *a, const struct mime_part *b)
{
    bool same = a->kind == b->kind && a->parent == b->parent && a->first_child == b->first_child &&
                a->next_sibling == b->next_sibling && a->number == b->number && a->depth == b->depth &&
                a->header_off == b->header_off && a->header_len == b->header_len && a->body_off == b->body_off &&
                a->body_len == b->body_len && a->body_lines == b->body_lines;
    same = same && view_eq(a->type, b->type) && view_eq(a->subtype, b->subtype) && view_eq(a->encoding, b->encoding) &&
           check_same(a->id, b->id) && check_same(a->description, b->description) && check_same(a->md5, b->md5) &&
           check_same(a->location, b->location) && check_same(a->disposition, b->disposition) && a->nlanguages == b->nlanguages;
    for (size_t i = 0; same && i < a->nlanguages; i++)
        same = view_eq(a->languages[i], b->languages[i]);
    return same && check_same_params(a->params, a->nparams, b->params, b->nparams) &&
           check_same_params(a->disposition_params, a->ndisposition_params, b->disposition_params, b->ndisposition_params);
}

static inline bool check_same_addresses(struct address_list a, struct address_list b)
{
    bool same = a.n == b.n;
    for (size_t i = 0; same && i < a.n; i++)
        same = check_same(a.items[i].name, b.items[i].name) && check_same(a.items[i].route, b.items[i].route) &&
               check_same(a.items[i].mailbox, b.items[i].mailbox) && check_same(a.items[i].host, b.items[i].host);
    return same;
}

static inline bool check_same_envelope(const struct envelope *a, const struct envelope *b)
{
    return check_same(a->date, b->date) && check_same(a->subject, b->subject) && check_same(a->in_reply_to, b->in_reply_to) &&
           check_same(a->message_id, b->message_id) && check_same_addresses(a->from, b->from) &&
           check_same_addresses(a->sender, b->sender) && check_same_addresses(a->reply_to, b->reply_to) &&
           check_same_addresses(a->to, b->to) && check_same_addresses(a->cc, b->cc) && check_same_addresses(a->bcc, b->bcc);
}

static inline const char *check_addresses(struct address_list list)
{
    bool group = false;
    for (size_t i = 0; i < list.n; i++) {
        const struct address *a = &list.items[i];
        if (!check_clean(a->name) || !check_clean(a->route) || !check_clean(a->mailbox) || !check_clean(a->host))
            return "line ends in an address";
        if (a->host.ptr != NULL) {
            if (a->mailbox.ptr == NULL)
                return "an address without mailbox";
        } else {
            if (group == (a->mailbox.ptr != NULL))
                return "groups do not pair";
            group = !group;
        }
    }
    return group ? "a group stays open" : NULL;
}

static inline const char *check_envelope(const struct envelope *e)
{
    const struct address_list *lists[] = {&e->from, &e->sender, &e->reply_to, &e->to, &e->cc, &e->bcc};
    if (!check_clean(e->date) || !check_clean(e->subject) || !check_clean(e->in_reply_to) || !check_clean(e->message_id))
        return "line ends in an envelope field";
    for (size_t i = 0; i < 6; i++) {
        const char *why = check_addresses(*lists[i]);
        if (why != NULL)
            return why;
    }
    return NULL;
}

static inline const char *check_nested(struct view message, const struct mime_msg *m, const struct digest *d,
                                       const struct message_limits *limits)
{
    size_t n = 0;
    for (size_t i = 0; i < m->nparts; i++) {
        struct envelope e;
        if (m->parts[i].kind != MIME_MESSAGE)
            continue;
        const struct mime_part *child = &m->parts[m->parts[i].first_child];
        envelope_parse(view_sub(message, child->header_off, child->header_len), limits, &e);
        bool same = n < d->nnested && check_same_envelope(&e, &d->nested[n]);
        envelope_free(&e);
        if (!same)
            return "a nested envelope differs";
        n++;
    }
    return n == d->nnested ? NULL : "more nested envelopes than messages";
}

static inline const char *check_decoded(struct view message, const struct digest *d, const struct message_limits *limits)
{
    struct mime_msg m;
    struct envelope e;
    const char *why = NULL;
    mime_parse(message, limits, &m);
    envelope_parse(view_sub(message, 0, m.parts[0].header_len), limits, &e);
    why = check_mime(message, &m);
    if (why == NULL)
        why = check_envelope(&e);
    if (why == NULL && (m.nparts != d->mime.nparts || m.truncated != d->mime.truncated))
        why = "the digest has other parts";
    for (size_t i = 0; why == NULL && i < m.nparts; i++) {
        if (!check_same_part(&m.parts[i], &d->mime.parts[i]))
            why = "a part differs in the digest";
    }
    if (why == NULL && !check_same_envelope(&e, &d->envelope))
        why = "the envelope differs in the digest";
    if (why == NULL)
        why = check_nested(message, &m, d, limits);
    envelope_free(&e);
    mime_msg_free(&m);
    return why;
}

/* The parts of message when it comes in pieces of at most `most` octets. Each is gone before the next comes. */
static inline void check_feed(struct view message, const struct message_limits *limits, size_t most, uint32_t seed,
                              struct mime_msg *out)
{
    struct mime_parser *parser = mime_parser_new(limits);
    for (size_t at = 0, n; at < message.len; at += n) {
        seed = seed * 1664525u + 1013904223u;
        n = view_sub(message, at, 1 + (seed >> 8) % most).len;
        uint8_t *piece = malloc(n);
        if (piece == NULL)
            abort();
        memcpy(piece, message.ptr + at, n);
        mime_parser_feed(parser, view_make(piece, n));
        free(piece);
    }
    mime_parser_finish(&parser, out);
}

/* However a message is cut, its parts are those of the whole. */
static inline const char *check_pieces(struct view message, const struct message_limits *limits, uint32_t seed)
{
    static const size_t sizes[] = {1, 3, 100, 5000, 100000};
    struct mime_msg whole, m;
    const char *why = NULL;
    mime_parse(message, limits, &whole);
    for (size_t i = 0; why == NULL && i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        check_feed(message, limits, sizes[i], seed, &m);
        if (m.nparts != whole.nparts || m.truncated != whole.truncated)
            why = "there are other parts in pieces";
        for (size_t k = 0; why == NULL && k < m.nparts; k++) {
            if (!check_same_part(&m.parts[k], &whole.parts[k]))
                why = "a part differs in pieces";
        }
        mime_msg_free(&m);
    }
    mime_msg_free(&whole);
    return why;
}

/* The digest is the same with the structure that was found in pieces. */
static inline const char *check_digest_from(struct view message, const struct message_limits *limits, struct view digest)
{
    struct mime_msg m;
    struct buf b;
    check_feed(message, limits, 1000, 1, &m);
    buf_init(&b, 2 * 1024 * 1024);
    digest_build_from(message, &m, limits, &b);
    bool same = view_eq(buf_view(&b), digest);
    buf_free(&b);
    mime_msg_free(&m);
    return same ? NULL : "the digest differs with a structure from pieces";
}

/* Parse, build, decode, compare. The message must be small enough that its digest is a full one. */
static inline const char *check_message(struct view message, const struct message_limits *limits, size_t *digest_len_out)
{
    struct buf b;
    struct digest d, summary;
    const char *why = NULL;
    buf_init(&b, 2 * 1024 * 1024);
    digest_build(message, limits, &b);
    if (!buf_ok(&b)) {
        why = "the digest was not built";
    } else if (digest_decode(buf_view(&b), &d) != 0) {
        why = "the digest is not read back";
    } else {
        why = check_decoded(message, &d, limits);
        if (digest_decode_summary(buf_view(&b), &summary) != 0 || summary.sent_date != d.sent_date ||
            !view_eq(summary.preview, d.preview) || !view_eq(summary.base_subject, d.base_subject))
            why = "the summary differs";
        digest_free(&d);
    }
    if (why == NULL)
        why = check_pieces(message, limits, (uint32_t)message.len);
    if (why == NULL)
        why = check_digest_from(message, limits, buf_view(&b));
    if (digest_len_out != NULL)
        *digest_len_out = buf_len(&b);
    buf_free(&b);
    return why;
}

#endif
