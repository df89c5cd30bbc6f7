/* Evaluation of a SEARCH program. A message whose digest or bytes cannot be read matches no key that needs them. */
#include "common/text/text.h"
#include "imap/search.h"
#include "storage/message/body.h"

#define DECODED_MAX (2 * 1024 * 1024) /* of one header field */
#define EMAILID_PREFIX 'M'
#define THREADID_PREFIX 'T'

static int64_t day_of(int64_t t, int zone_minutes)
{
    int64_t local = t + (int64_t)zone_minutes * 60;

    return local >= 0 ? local / 86400 : -((-local + 86399) / 86400);
}

static bool compare_days(const struct imap_search_node *n, int64_t day)
{
    switch (n->compare) {
    case SEARCH_BEFORE:
        return day < n->signed_number;
    case SEARCH_ON:
        return day == n->signed_number;
    case SEARCH_SINCE:
        return day >= n->signed_number;
    }
    return false;
}

static bool find_decoded(struct imap_find *f, struct view raw)
{
    struct buf text;
    bool found;

    buf_init(&text, DECODED_MAX);
    header_decode(&text, raw);
    imap_find_reset(f);
    found = imap_find_feed(f, buf_view(&text));
    buf_free(&text);
    return found;
}

/* "Name <mailbox@host>", each address by itself. */
static bool find_address(struct imap_find *f, const struct address *a)
{
    struct buf text;
    bool found;

    buf_init(&text, DECODED_MAX);
    if (a->name.ptr != NULL) {
        header_decode(&text, a->name);
        buf_put_byte(&text, ' ');
    }
    if (a->host.ptr != NULL)
        buf_put_byte(&text, '<');
    buf_put_view(&text, a->mailbox);
    if (a->host.ptr != NULL) {
        buf_put_byte(&text, '@');
        buf_put_view(&text, a->host);
        buf_put_byte(&text, '>');
    }
    imap_find_reset(f);
    found = imap_find_feed(f, buf_view(&text));
    buf_free(&text);
    return found;
}

static bool match_address(struct imap_session *s, struct imap_search_node *n, struct imap_message *m)
{
    const struct address_list *list;

    if (imap_message_digest(s, m) != 0)
        return false;
    switch ((enum imap_search_address)n->number) {
    case SEARCH_FROM:
        list = &m->digest.envelope.from;
        break;
    case SEARCH_TO:
        list = &m->digest.envelope.to;
        break;
    case SEARCH_CC:
        list = &m->digest.envelope.cc;
        break;
    default:
        list = &m->digest.envelope.bcc;
    }
    for (size_t i = 0; i < list->n; i++)
        if (find_address(&n->find, &list->items[i]))
            return true;
    return false;
}

static bool match_subject(struct imap_session *s, struct imap_search_node *n, struct imap_message *m)
{
    return imap_message_digest(s, m) == 0 && m->digest.envelope.subject.ptr != NULL &&
           find_decoded(&n->find, m->digest.envelope.subject);
}

static bool match_sent(struct imap_session *s, const struct imap_search_node *n, struct imap_message *m)
{
    if (imap_message_digest(s, m) != 0 || m->digest.sent_date == INT64_MIN)
        return false;
    return compare_days(n, day_of(m->digest.sent_date, m->digest.sent_zone));
}

struct header_search {
    struct imap_find *find;
    struct view name; /* ptr NULL: any field, and its name counts as text */
    bool found;
};

static bool on_field(void *arg, struct view name, struct view value, struct view whole)
{
    struct header_search *h = arg;

    if (h->name.ptr == NULL)
        h->found = find_decoded(h->find, whole);
    else if (view_eq_nocase(name, h->name))
        h->found = find_decoded(h->find, value);
    return !h->found;
}

static bool search_header(struct imap_find *f, struct view header, struct view name)
{
    struct header_search h = {f, name, false};

    header_each(header, on_field, &h);
    return h.found;
}

static bool match_header(struct imap_session *s, struct imap_search_node *n, struct imap_message *m)
{
    const struct mime_part *top;

    if (imap_message_digest(s, m) != 0 || imap_message_data(s, m) != 0 || m->digest.mime.nparts == 0)
        return false;
    top = &m->digest.mime.parts[0];
    return search_header(&n->find, imap_message_range(m, top->header_off, top->header_len), n->text);
}

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
    (void)body_text(m->data.bytes, part, on_piece, &b);
    return b.found;
}

/* Text parts, and the headers of messages within the message. TEXT: the message's own header too. */
static bool match_body(struct imap_session *s, struct imap_search_node *n, struct imap_message *m)
{
    const struct mime_msg *mime = &m->digest.mime;

    if (imap_message_digest(s, m) != 0 || imap_message_data(s, m) != 0)
        return false;
    for (size_t i = 0; i < mime->nparts; i++) {
        const struct mime_part *part = &mime->parts[i];
        bool header = i == 0 ? n->op == SEARCH_TEXT : mime->parts[part->parent].kind == MIME_MESSAGE;

        if (header && search_header(&n->find, imap_message_range(m, part->header_off, part->header_len), (struct view){NULL, 0}))
            return true;
        if (search_part(&n->find, m, part))
            return true;
    }
    return n->find.len == 0;
}

static bool match_keyword(struct imap_session *s, const struct imap_search_node *n, const struct imap_message *m)
{
    const struct mailbox *box = mailbox_view_mailbox(s->view);
    int i = box == NULL ? -1 : mailbox_keyword_find(box, n->text);

    return i >= 0 && i < KEYWORDS_MAX && (m->info.keywords.bits[i / 64] >> (i % 64) & 1) != 0;
}

/* RFC 8474 4 and 5: a letter and 16 octets in hexadecimal. */
static bool match_objectid(const struct imap_search_node *n, char prefix, const uint8_t id[16])
{
    struct buf text;
    bool same;

    buf_init(&text, 64);
    buf_put_byte(&text, (uint8_t)prefix);
    hex_encode(&text, view_make(id, 16));
    same = view_eq(buf_view(&text), n->text);
    buf_free(&text);
    return same;
}

static bool match_threadid(struct imap_session *s, const struct imap_search_node *n, const struct imap_message *m)
{
    uint8_t id[THREADID_SIZE];

    return mailbox_view_threadid(s->view, m->seq, id) == 0 && match_objectid(n, THREADID_PREFIX, id);
}

static bool match(struct imap_session *s, struct imap_search_node *n, const struct imap_search_now *now, struct imap_message *m);

static bool match_children(struct imap_session *s, struct imap_search_node *n, const struct imap_search_now *now,
                           struct imap_message *m)
{
    bool any = n->op == SEARCH_OR;

    for (struct imap_search_node *c = n->children; c != NULL; c = c->next)
        if (match(s, c, now, m) == any)
            return any;
    return !any;
}

static bool match_age(const struct imap_search_node *n, const struct imap_search_now *now, const struct imap_message *m)
{
    int64_t edge = now->now - (int64_t)n->number;

    return n->compare == SEARCH_BEFORE ? m->info.date <= edge : m->info.date >= edge;
}

/* A switch whose every case is one call or one comparison. */
static bool match(struct imap_session *s, struct imap_search_node *n, const struct imap_search_now *now, struct imap_message *m)
{
    switch (n->op) {
    case SEARCH_ALL:
        return true;
    case SEARCH_NONE:
        return false;
    case SEARCH_AND:
    case SEARCH_OR:
        return match_children(s, n, now, m);
    case SEARCH_NOT:
        return n->children == NULL || !match(s, n->children, now, m);
    case SEARCH_SEQ:
        return uidset_has(&n->resolved, m->seq);
    case SEARCH_UID:
        return uidset_has(&n->resolved, m->info.uid);
    case SEARCH_FLAG:
        return (m->info.flags & n->number) != 0;
    case SEARCH_KEYWORD:
        return match_keyword(s, n, m);
    case SEARCH_RECENT:
        return m->info.recent;
    case SEARCH_LARGER:
        return m->info.size > n->number;
    case SEARCH_SMALLER:
        return m->info.size < n->number;
    case SEARCH_DATE:
        return compare_days(n, day_of(m->info.date, m->info.zone_minutes));
    case SEARCH_SENT:
        return match_sent(s, n, m);
    case SEARCH_SAVED:
        return compare_days(n, day_of(m->info.savedate, 0));
    case SEARCH_AGE:
        return match_age(n, now, m);
    case SEARCH_MODSEQ:
        return m->info.modseq >= n->number;
    case SEARCH_EMAILID:
        return match_objectid(n, EMAILID_PREFIX, m->info.emailid);
    case SEARCH_THREADID:
        return match_threadid(s, n, m);
    case SEARCH_SUBJECT:
        return match_subject(s, n, m);
    case SEARCH_ADDRESS:
        return match_address(s, n, m);
    case SEARCH_HEADER:
        return match_header(s, n, m);
    case SEARCH_BODY:
    case SEARCH_TEXT:
        return match_body(s, n, m);
    }
    return false;
}

bool imap_search_match(struct imap_session *s, const struct imap_search_program *prog, const struct imap_search_now *now,
                       struct imap_message *m)
{
    return match(s, prog->root, now, m);
}
