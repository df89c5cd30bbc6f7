/*
 * Texts in messages. Subject and addresses are in the digest, which is enough for HEADER too where it has the field, or where it
 * knows that there is no such field. What else HEADER, BODY and TEXT look at is in the message.
 *
 * Header fields are decoded one behind the other, with a line end between them that no decoded field has, and looked through
 * together.
 */
#include "imap/search.h"
#include "storage/message/body.h"

#define DECODED_MAX ((size_t)8 << 20) /* of the header fields of one part */
#define FIELD_END '\n'

/* Looks for the node's text in what prog->text has. A text with a line end is in no header field. */
static bool find_fields(struct imap_search_program *prog, struct imap_search_node *n)
{
    struct imap_find *f = &n->find;

    if (f->len > 0 && memchr(f->needle, FIELD_END, f->len) != NULL)
        return false;
    imap_find_reset(f);
    return imap_find_feed(f, buf_view(&prog->text));
}

static void begin_fields(struct imap_search_program *prog)
{
    if (prog->text.max == 0)
        buf_init(&prog->text, DECODED_MAX);
    buf_reset(&prog->text);
}

static void end_field(struct imap_search_program *prog)
{
    buf_put_byte(&prog->text, FIELD_END);
}

/* --- the digest ---------------------------------------------------------------------------------------------------------------
 */

static bool find_value(struct imap_search_program *prog, struct imap_search_node *n, struct view value)
{
    if (value.ptr == NULL)
        return false;
    begin_fields(prog);
    header_decode(&prog->text, value);
    return find_fields(prog, n);
}

static bool match_subject(struct imap_session *s, struct imap_search_program *prog, struct imap_search_node *n,
                          struct imap_message *m)
{
    struct digest d;

    return imap_message_summary(s, m, &d) == 0 && find_value(prog, n, d.envelope.subject);
}

/* "Name <mailbox@host>", each address by itself. */
static bool on_address(void *arg, const struct address *a)
{
    struct imap_search_program *prog = arg;
    struct buf *text = &prog->text;

    if (a->name.ptr != NULL) {
        header_decode(text, a->name);
        buf_put_byte(text, ' ');
    }
    if (a->host.ptr != NULL)
        buf_put_byte(text, '<');
    buf_put_view(text, a->mailbox);
    if (a->host.ptr != NULL) {
        buf_put_byte(text, '@');
        buf_put_view(text, a->host);
        buf_put_byte(text, '>');
    }
    end_field(prog);
    return buf_ok(text);
}

static bool match_address(struct imap_session *s, struct imap_search_program *prog, struct imap_search_node *n,
                          struct imap_message *m)
{
    static const enum digest_addresses lists[] = {
        [SEARCH_FROM] = DIGEST_FROM, [SEARCH_TO] = DIGEST_TO, [SEARCH_CC] = DIGEST_CC, [SEARCH_BCC] = DIGEST_BCC};
    struct view bytes;

    begin_fields(prog);
    if (imap_message_digest_bytes(s, m, &bytes) != 0 || digest_each_address(bytes, lists[n->number], on_address, prog) != 0)
        return false;
    return buf_len(&prog->text) > 0 && find_fields(prog, n);
}

/* --- header fields -------------------------------------------------------------------------------------------------------------
 */

struct gather {
    struct imap_search_program *prog;
    struct view name; /* ptr NULL: all fields, and their names count as text */
};

static bool on_field(void *arg, struct view name, struct view value, struct view whole)
{
    struct gather *g = arg;

    if (g->name.ptr != NULL && !view_eq_nocase(name, g->name))
        return true;
    header_decode(&g->prog->text, g->name.ptr == NULL ? whole : value);
    end_field(g->prog);
    return buf_ok(&g->prog->text);
}

static bool search_header(struct imap_search_program *prog, struct imap_search_node *n, struct view header, struct view name)
{
    struct gather g = {prog, name};

    begin_fields(prog);
    header_each(header, on_field, &g);
    return buf_len(&prog->text) > 0 && find_fields(prog, n);
}

/* Answers HEADER from the digest alone; false when it cannot. */
static bool known_header(struct imap_search_program *prog, struct imap_search_node *n, const struct digest *d, bool *found_out)
{
    const struct {
        struct view name, value;
    } texts[] = {{VIEW("Subject"), d->envelope.subject},
                 {VIEW("Message-ID"), d->envelope.message_id},
                 {VIEW("In-Reply-To"), d->envelope.in_reply_to},
                 {VIEW("Date"), d->envelope.date}};

    *found_out = false;
    if (!digest_has_name(d, (uint16_t)n->number))
        return true;
    for (size_t i = 0; d->header_once && i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (view_eq_nocase(n->text, texts[i].name)) {
            *found_out = find_value(prog, n, texts[i].value);
            return true;
        }
    }
    return false;
}

static bool match_header(struct imap_session *s, struct imap_search_program *prog, struct imap_search_node *n,
                         struct imap_message *m)
{
    struct digest d;
    bool found;

    if (imap_message_summary(s, m, &d) == 0 && known_header(prog, n, &d, &found))
        return found;
    /* The fields end at the blank line, wherever that is. */
    return imap_message_data(s, m) == 0 && search_header(prog, n, m->data.bytes, n->text);
}

/* --- bodies --------------------------------------------------------------------------------------------------------------------
 */

struct body_search {
    struct imap_find *find;
    bool found;
};

static bool on_piece(void *arg, struct view piece)
{
    struct body_search *b = arg;

    b->found = imap_find_feed(b->find, piece);
    return !b->found;
}

static bool search_part(struct imap_find *f, struct imap_message *m, const struct mime_part *part)
{
    struct body_search b = {f, false};

    if (part->kind != MIME_LEAF || !view_eq_nocase(part->type, VIEW("text")))
        return false;
    imap_find_reset(f);
    if (f->collation == COLLATION_UNICODE_CASEMAP) /* it maps what is no character to U+FFFD */
        (void)body_text_unchecked(m->data.bytes, part, on_piece, &b);
    else
        (void)body_text(m->data.bytes, part, on_piece, &b);
    return b.found;
}

/* Text parts, and the headers of messages within the message. TEXT: the message's own header too. */
static bool match_body(struct imap_session *s, struct imap_search_program *prog, struct imap_search_node *n,
                       struct imap_message *m)
{
    const struct mime_msg *mime = &m->digest.mime;

    if (imap_message_digest(s, m) != 0 || imap_message_data(s, m) != 0)
        return false;
    for (size_t i = 0; i < mime->nparts; i++) {
        const struct mime_part *part = &mime->parts[i];
        bool header = i == 0 ? n->op == SEARCH_TEXT : mime->parts[part->parent].kind == MIME_MESSAGE;

        if (header && search_header(prog, n, imap_message_range(m, part->header_off, part->header_len), (struct view){NULL, 0}))
            return true;
        if (search_part(&n->find, m, part))
            return true;
    }
    return n->find.len == 0;
}

bool imap_search_match_text(struct imap_session *s, struct imap_search_program *prog, struct imap_search_node *n,
                            struct imap_message *m)
{
    switch (n->op) {
    case SEARCH_SUBJECT:
        return match_subject(s, prog, n, m);
    case SEARCH_ADDRESS:
        return match_address(s, prog, n, m);
    case SEARCH_HEADER:
        return match_header(s, prog, n, m);
    default:
        return match_body(s, prog, n, m);
    }
}
