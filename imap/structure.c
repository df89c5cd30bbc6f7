/* ENVELOPE and BODYSTRUCTURE (RFC 9051 7.5.2) from the digest. Recursion is bounded by the depth that the MIME parser allows. */
#include "common/text/text.h"
#include "imap/fetch.h"
#include "imap/respond.h"

#define DEPTH_MAX 256 /* above what the parser keeps: only a damaged digest is deeper */

struct writer {
    struct imap_session *s;
    struct buf *out;
    const struct digest *d;
    bool extended;
    size_t messages; /* message parts written so far: their envelopes are in document order */
    size_t budget;   /* parts that may still be written: a damaged digest may refer in circles */
};

static void put_addresses(struct imap_session *s, struct buf *out, const struct address_list *list)
{
    if (list->n == 0) {
        buf_put_str(out, " NIL");
        return;
    }
    buf_put_str(out, " (");
    for (size_t i = 0; i < list->n; i++) {
        buf_put_byte(out, '(');
        imap_put_nstring(s, out, list->items[i].name);
        buf_put_byte(out, ' ');
        imap_put_nstring(s, out, list->items[i].route);
        buf_put_byte(out, ' ');
        imap_put_nstring(s, out, list->items[i].mailbox);
        buf_put_byte(out, ' ');
        imap_put_nstring(s, out, list->items[i].host);
        buf_put_byte(out, ')');
    }
    buf_put_byte(out, ')');
}

void imap_put_envelope(struct imap_session *s, struct buf *out, const struct envelope *e)
{
    if (e == NULL) {
        buf_put_str(out, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
        return;
    }
    buf_put_byte(out, '(');
    imap_put_nstring(s, out, e->date);
    buf_put_byte(out, ' ');
    imap_put_nstring(s, out, e->subject);
    put_addresses(s, out, &e->from);
    put_addresses(s, out, &e->sender);
    put_addresses(s, out, &e->reply_to);
    put_addresses(s, out, &e->to);
    put_addresses(s, out, &e->cc);
    put_addresses(s, out, &e->bcc);
    buf_put_byte(out, ' ');
    imap_put_nstring(s, out, e->in_reply_to);
    buf_put_byte(out, ' ');
    imap_put_nstring(s, out, e->message_id);
    buf_put_byte(out, ')');
}

/* attribute-char of RFC 2231 7 */
static bool is_attribute_char(uint8_t c)
{
    return c > ' ' && c < 0x7f && memchr("*'%()<>@,;:\\\"/[]?=", c, 17) == NULL;
}

/* Storage has parameters decoded to UTF-8. A client that does not take UTF-8 gets what is not ASCII in the encoding of
 * RFC 2231 again, which it can read; a value that never was valid UTF-8 stays as it came. */
static void put_param(struct writer *w, const struct mime_param *param)
{
    struct view v = param->value;
    struct buf name, value;
    bool ascii = true;

    for (size_t i = 0; i < v.len; i++)
        ascii = ascii && v.ptr[i] < 0x80;
    if (ascii || imap_session_utf8(w->s) || !utf8_valid(v)) {
        imap_put_string(w->s, w->out, param->name);
        buf_put_byte(w->out, ' ');
        imap_put_string(w->s, w->out, v);
        return;
    }
    buf_init(&name, param->name.len + 1);
    buf_put_view(&name, param->name);
    buf_put_byte(&name, '*');
    buf_init(&value, 3 * v.len + 16);
    buf_put_str(&value, "utf-8''");
    for (size_t i = 0; i < v.len; i++) {
        if (is_attribute_char(v.ptr[i]))
            buf_put_byte(&value, v.ptr[i]);
        else
            buf_put_fmt(&value, "%%%02X", v.ptr[i]);
    }
    imap_put_string(w->s, w->out, buf_view(&name));
    buf_put_byte(w->out, ' ');
    imap_put_string(w->s, w->out, buf_view(&value));
    buf_free(&name);
    buf_free(&value);
}

static void put_params(struct writer *w, const struct mime_param *params, size_t n)
{
    if (n == 0) {
        buf_put_str(w->out, " NIL");
        return;
    }
    buf_put_str(w->out, " (");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_put_byte(w->out, ' ');
        put_param(w, &params[i]);
    }
    buf_put_byte(w->out, ')');
}

static void put_blank_nstring(struct writer *w, struct view v)
{
    buf_put_byte(w->out, ' ');
    imap_put_nstring(w->s, w->out, v);
}

/* body-fld-dsp, body-fld-lang, body-fld-loc */
static void put_extension(struct writer *w, const struct mime_part *part)
{
    if (part->disposition.ptr == NULL)
        buf_put_str(w->out, " NIL");
    else {
        buf_put_str(w->out, " (");
        imap_put_string(w->s, w->out, part->disposition);
        put_params(w, part->disposition_params, part->ndisposition_params);
        buf_put_byte(w->out, ')');
    }
    if (part->nlanguages <= 1)
        put_blank_nstring(w, part->nlanguages == 1 ? part->languages[0] : (struct view){NULL, 0});
    else {
        buf_put_str(w->out, " (");
        for (size_t i = 0; i < part->nlanguages; i++) {
            if (i > 0)
                buf_put_byte(w->out, ' ');
            imap_put_string(w->s, w->out, part->languages[i]);
        }
        buf_put_byte(w->out, ')');
    }
    put_blank_nstring(w, part->location);
}

static void put_type(struct writer *w, const struct mime_part *part)
{
    bool opaque = part->kind == MIME_LEAF &&
                  (view_eq_nocase(part->type, VIEW("multipart")) ||
                   (view_eq_nocase(part->type, VIEW("message")) &&
                    (view_eq_nocase(part->subtype, VIEW("rfc822")) || view_eq_nocase(part->subtype, VIEW("global")))));

    if (opaque) { /* structure that was cut off: these types would promise more fields */
        buf_put_str(w->out, "\"application\" \"octet-stream\"");
        return;
    }
    imap_put_string(w->s, w->out, part->type);
    buf_put_byte(w->out, ' ');
    imap_put_string(w->s, w->out, part->subtype);
}

static void put_part(struct writer *w, uint32_t index, unsigned depth);

static void put_empty_part(struct writer *w)
{
    buf_put_str(w->out, "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0");
    if (w->extended)
        buf_put_str(w->out, " NIL NIL NIL NIL");
    buf_put_byte(w->out, ')');
}

static void put_multipart(struct writer *w, const struct mime_part *part, uint32_t index, unsigned depth)
{
    uint32_t child = part->first_child;

    if (child <= index || child >= w->d->mime.nparts)
        put_empty_part(w);
    else {
        while (child != 0 && child < w->d->mime.nparts && w->budget > 0) {
            uint32_t next = w->d->mime.parts[child].next_sibling;

            put_part(w, child, depth + 1);
            if (next <= child)
                break;
            child = next;
        }
    }
    buf_put_byte(w->out, ' ');
    imap_put_string(w->s, w->out, part->subtype);
    if (w->extended) {
        put_params(w, part->params, part->nparams);
        put_extension(w, part);
    }
}

static void put_single(struct writer *w, const struct mime_part *part, uint32_t index, unsigned depth)
{
    put_type(w, part);
    put_params(w, part->params, part->nparams);
    put_blank_nstring(w, part->id);
    put_blank_nstring(w, part->description);
    buf_put_byte(w->out, ' ');
    imap_put_string(w->s, w->out, part->encoding);
    buf_put_byte(w->out, ' ');
    buf_put_dec(w->out, part->body_len);
    if (part->kind == MIME_MESSAGE) {
        size_t nested = w->messages++;

        buf_put_byte(w->out, ' ');
        imap_put_envelope(w->s, w->out, nested < w->d->nnested ? &w->d->nested[nested] : NULL);
        buf_put_byte(w->out, ' ');
        if (part->first_child > index && part->first_child < w->d->mime.nparts)
            put_part(w, part->first_child, depth + 1);
        else
            put_empty_part(w);
    }
    if (part->kind == MIME_MESSAGE || view_eq_nocase(part->type, VIEW("text"))) {
        buf_put_byte(w->out, ' ');
        buf_put_dec(w->out, part->body_lines);
    }
    if (w->extended) {
        put_blank_nstring(w, part->md5);
        put_extension(w, part);
    }
}

static void put_part(struct writer *w, uint32_t index, unsigned depth)
{
    const struct mime_part *part = &w->d->mime.parts[index];

    if (depth > DEPTH_MAX || w->budget == 0) {
        put_empty_part(w);
        return;
    }
    w->budget--;
    buf_put_byte(w->out, '(');
    if (part->kind == MIME_MULTIPART)
        put_multipart(w, part, index, depth);
    else
        put_single(w, part, index, depth);
    buf_put_byte(w->out, ')');
}

void imap_put_body(struct imap_session *s, struct buf *out, const struct digest *d, bool extended)
{
    struct writer w = {.s = s, .out = out, .d = d, .extended = extended};

    if (d == NULL || d->mime.nparts == 0) {
        put_empty_part(&w);
        return;
    }
    w.budget = d->mime.nparts;
    put_part(&w, 0, 0);
}
