/* From section numbers to parts (RFC 9051 6.4.5.1). */
#include "common/base/mem.h"
#include "imap/fetch.h"

static bool child_number(const struct mime_msg *mime, uint32_t parent, uint32_t number, uint32_t *out)
{
    uint32_t at = mime->parts[parent].first_child;

    while (at != 0 && at < mime->nparts) {
        if (mime->parts[at].number == number) {
            *out = at;
            return true;
        }
        if (mime->parts[at].next_sibling <= at)
            return false; /* a damaged digest: siblings only go forward */
        at = mime->parts[at].next_sibling;
    }
    return false;
}

/* The message inside a message part. */
static bool enter_message(const struct mime_msg *mime, uint32_t *at)
{
    const struct mime_part *part = &mime->parts[*at];

    if (part->kind != MIME_MESSAGE || part->first_child <= *at || part->first_child >= mime->nparts)
        return false;
    *at = part->first_child;
    return true;
}

bool imap_section_find(const struct mime_msg *mime, const uint32_t *part, size_t npart, bool want_message, uint32_t *index_out)
{
    bool message = true; /* at is the top part of a message, not a part with a number */
    uint32_t at = 0;

    if (mime->nparts == 0)
        return false;
    for (size_t i = 0; i < npart; i++) {
        if (!message && mime->parts[at].kind == MIME_MESSAGE)
            message = enter_message(mime, &at);
        if (mime->parts[at].kind == MIME_MULTIPART) {
            if (!child_number(mime, at, part[i], &at))
                return false;
        } else if (!message || part[i] != 1)
            return false;
        message = false;
    }
    if (want_message && !message && !enter_message(mime, &at))
        return false;
    *index_out = at;
    return true;
}

struct fields_ctx {
    struct buf *out;
    const struct imap_fetch_item *item;
};

static bool on_field(void *arg, struct view name, struct view value, struct view whole)
{
    const struct fields_ctx *c = arg;
    bool listed = false;

    (void)value;
    if (name.len == 0)
        return true; /* no field */
    for (size_t i = 0; i < c->item->nfields && !listed; i++)
        listed = view_eq_nocase(name, c->item->fields[i]);
    if (listed == (c->item->section == SECTION_FIELDS))
        buf_put_view(c->out, whole);
    return true;
}

void imap_section_fields(struct buf *out, struct view header, const struct imap_fetch_item *item)
{
    struct fields_ctx c = {out, item};
    struct view v;

    header_each(header, on_field, &c);
    v = buf_view(out);
    if (v.len > 0 && v.ptr[v.len - 1] != '\n')
        buf_put_str(out, "\r\n"); /* a header that ends with the message */
    buf_put_str(out, "\r\n");
}

int imap_section_bytes(struct imap_session *s, struct imap_message *m, const struct imap_fetch_item *item, struct buf *made,
                       struct view *out)
{
    bool message = item->section != SECTION_ALL && item->section != SECTION_MIME;
    bool whole = item->section == SECTION_ALL && item->npart == 0;
    const struct mime_part *part;
    uint32_t index = 0;
    int err = imap_message_data(s, m);

    if (err == 0 && !whole)
        err = imap_message_digest(s, m);
    if (err != 0)
        return err;
    *out = m->data.bytes;
    if (!whole) {
        if (!imap_section_find(&m->digest.mime, item->part, item->npart, message, &index))
            return ERR_NOTFOUND;
        part = &m->digest.mime.parts[index];
        *out = item->section == SECTION_ALL || item->section == SECTION_TEXT
                   ? imap_message_range(m, part->body_off, part->body_len)
                   : imap_message_range(m, part->header_off, part->header_len);
    }
    if (item->section == SECTION_FIELDS || item->section == SECTION_FIELDS_NOT) {
        buf_free(made);
        buf_init(made, out->len + 16);
        imap_section_fields(made, *out, item);
        *out = buf_view(made);
    }
    if (item->partial)
        *out = view_sub(*out, (size_t)MIN_OF(item->from, (uint64_t)SIZE_MAX), (size_t)MIN_OF(item->count, (uint64_t)SIZE_MAX));
    return 0;
}

bool imap_section_decodable(const struct mime_part *part)
{
    static const char *const known[] = {"7bit", "8bit", "binary", "quoted-printable", "base64"};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (view_eq_nocase(part->encoding, view_str(known[i])))
            return true;
    return false;
}
