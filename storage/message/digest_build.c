/*
 * Making a digest: everything that is to be known of a message without opening it again.
 *
 * A digest is bounded. Where the full one is too large, a second and a third are made with tighter limits; truncated says so. The
 * tightest always fits: one part, four addresses, 4 KiB of header.
 */
#include "common/base/mem.h"
#include "storage/message/digest_int.h"
#include "storage/message/header_int.h"
#include "storage/message/preview.h"

#define DIGEST_MAX (1536u * 1024)
#define REFERENCES_MAX (32u * 1024)
#define NAMES_MAX 254u
#define SUBJECT_MAX (512u * 1024)
#define TOKEN(lit)                              \
    {                                           \
        (const uint8_t *)(lit), sizeof(lit) - 1 \
    }

/* The identifiers of a References value; a huge one by its end, where the parent is. */
static void put_references(struct buf *out, struct view header)
{
    struct view rest = header_find(header, VIEW("References"));
    if (rest.len > REFERENCES_MAX)
        rest = view_sub(rest, rest.len - REFERENCES_MAX, rest.len);
    while (message_id_next(&rest, out))
        buf_put_byte(out, ' ');
    if (buf_len(out) == 0) { /* RFC 5256 3, REFERENCES: then the first of In-Reply-To */
        rest = view_sub(header_find(header, VIEW("In-Reply-To")), 0, REFERENCES_MAX);
        if (message_id_next(&rest, out))
            buf_put_byte(out, ' ');
    }
    if (buf_len(out) > 0)
        buf_truncate(out, buf_len(out) - 1);
}

static unsigned count_addresses(const struct envelope *e)
{
    size_t n = e->from.n + e->to.n + e->cc.n + e->bcc.n;
    n += e->sender.items != e->from.items ? e->sender.n : 0;
    n += e->reply_to.items != e->from.items ? e->reply_to.n : 0;
    return (unsigned)n;
}

/* The names of all fields, and whether those that the envelope has as texts are all in it. */
static void note_header(struct view header, const struct message_limits *limits, struct digest *d, struct buf *names)
{
    static const struct view texts[] = {TOKEN("Date"), TOKEN("Subject"), TOKEN("In-Reply-To"), TOKEN("Message-ID")};
    struct header_field f;
    bool seen[ARRAY_LEN(texts)] = {false};
    d->header_once = header.len <= limits->header_kept / 4; /* below what the envelope cuts off */
    while (header_next(&header, &f)) {
        if (f.name.len == 0)
            continue;
        d->header_names = buf_view(names);
        d->names_known = true;
        if (!digest_has_name(d, digest_name_hash(f.name)))
            buf_put_u16(names, digest_name_hash(f.name));
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
            if (!view_eq_nocase(f.name, texts[i]))
                continue;
            d->header_once &= !seen[i];
            seen[i] = true;
        }
    }
    d->names_known = buf_ok(names);
    d->header_names = buf_view(names);
}

/* Of a part's header as much as can matter: of what is kept, and comments and white space around it. Several look through it, and
 * a message can be all header. */
static struct view header_of(struct view message, const struct mime_part *part, const struct message_limits *limits)
{
    return view_sub(message, part->header_off, MIN_OF(part->header_len, limits->header_kept * 4));
}

static void put_nested(struct view message, struct message_limits left, const struct mime_msg *m, struct buf *out)
{
    for (size_t i = 0; i < m->nparts; i++) {
        struct envelope e;
        if (m->parts[i].kind != MIME_MESSAGE)
            continue;
        envelope_parse(header_of(message, &m->parts[m->parts[i].first_child], &left), &left, &e);
        digest_put_envelope(out, &e);
        unsigned n = count_addresses(&e);
        left.addresses -= MIN_OF(n, left.addresses);
        envelope_free(&e);
    }
}

static bool build(struct view message, const struct mime_msg *structure, const struct message_limits *limits, bool reduced,
                  struct buf *out)
{
    struct digest d = {.sent_date = INT64_MIN};
    struct message_limits left = *limits;
    struct buf subject, references, preview, names;
    buf_init(&names, NAMES_MAX * 2);
    buf_init(&subject, SUBJECT_MAX);
    buf_init(&references, REFERENCES_MAX * 2);
    buf_init(&preview, PREVIEW_CHARS * 4);
    if (structure != NULL)
        d.mime = *structure; /* borrowed */
    else
        mime_parse(message, limits, &d.mime);
    struct view header = header_of(message, &d.mime.parts[0], limits);
    envelope_parse(header, limits, &d.envelope);
    note_header(header, limits, &d, &names);
    d.names_known = d.names_known && header.len == d.mime.parts[0].header_len;
    left.addresses -= MIN_OF(count_addresses(&d.envelope), left.addresses);
    if (d.envelope.date.ptr != NULL && date_parse_header(d.envelope.date, &d.sent_date, &d.sent_zone) != 0)
        d.sent_date = INT64_MIN;
    subject_base(&subject, d.envelope.subject, &d.subject_is_reply);
    put_references(&references, header);
    d.preview_ok = preview_make(message, &d.mime, &preview);
    d.base_subject = buf_view(&subject);
    d.references = buf_view(&references);
    d.preview = buf_view(&preview);
    d.mime.truncated |= reduced || header.len < d.mime.parts[0].header_len;
    digest_put_head(out, &d);
    put_nested(message, left, &d.mime, out);
    envelope_free(&d.envelope);
    if (structure == NULL)
        mime_msg_free(&d.mime);
    buf_free(&subject);
    buf_free(&names);
    buf_free(&references);
    buf_free(&preview);
    return buf_ok(out);
}

void digest_build(struct view message, const struct message_limits *limits, struct buf *out)
{
    digest_build_from(message, NULL, limits, out);
}

void digest_build_from(struct view message, const struct mime_msg *structure, const struct message_limits *limits,
                       struct buf *out)
{
    static const struct message_limits tighter[] = {
        {.depth = 20, .parts = 200, .params = 16, .addresses = 200, .header_kept = 32 * 1024, .boundary = 200},
        {.depth = 1, .parts = 1, .params = 4, .addresses = 4, .header_kept = 4096, .boundary = 70},
    };
    struct buf b;
    buf_init(&b, DIGEST_MAX);
    bool ok = build(message, structure, limits, false, &b);
    for (size_t i = 0; !ok && i < ARRAY_LEN(tighter); i++) {
        buf_reset(&b);
        ok = build(message, NULL, &tighter[i], true, &b);
    }
    buf_put_view(out, buf_view(&b));
    if (!ok)
        out->failed = true;
    buf_free(&b);
}
