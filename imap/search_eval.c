/* Evaluation of a SEARCH program. A message whose digest or bytes cannot be read matches no key that needs them. Keys that look
 * for texts are in search_text.c. */
#include <time.h>

#include "common/text/text.h"
#include "imap/limit.h"
#include "imap/search.h"

/* What a search may use of the processor: some seconds, and for each message what it takes to look at it with a few keys. */
#define BUDGET_US (10 * 1000000)
#define BUDGET_MESSAGE_US 100
#define BUDGET_OCTETS_US 50 /* octets in a microsecond */
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

static bool match_keyword(const struct imap_search_node *n, const struct imap_message *m)
{
    const struct mailbox *box = mailbox_view_mailbox(m->view);
    int i = box == NULL ? -1 : mailbox_keyword_find(box, n->text);

    return i >= 0 && i < KEYWORDS_MAX && (m->info.keywords.bits[i / 64] >> (i % 64) & 1) != 0;
}

static bool match_sent(struct imap_session *s, const struct imap_search_node *n, struct imap_message *m)
{
    struct digest d;

    if (imap_message_summary(s, m, &d) != 0 || d.sent_date == INT64_MIN)
        return false;
    return compare_days(n, day_of(d.sent_date, d.sent_zone));
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

static bool match_threadid(const struct imap_search_node *n, const struct imap_message *m)
{
    uint8_t id[THREADID_SIZE];

    return mailbox_view_threadid(m->view, m->seq, id) == 0 && match_objectid(n, THREADID_PREFIX, id);
}

struct eval {
    struct imap_session *s;
    struct imap_search_program *prog;
    const struct imap_search_now *now;
    struct imap_message *m;
};

static bool match(const struct eval *e, struct imap_search_node *n);

static bool match_children(const struct eval *e, struct imap_search_node *n)
{
    bool any = n->op == SEARCH_OR;

    for (struct imap_search_node *c = n->children; c != NULL; c = c->next)
        if (match(e, c) == any)
            return any;
    return !any;
}

static bool match_age(const struct imap_search_node *n, const struct imap_search_now *now, const struct imap_message *m)
{
    int64_t edge = now->now - (int64_t)n->number;

    return n->compare == SEARCH_BEFORE ? m->info.date <= edge : m->info.date >= edge;
}

/* A switch whose every case is one call or one comparison. */
static bool match(const struct eval *e, struct imap_search_node *n)
{
    struct imap_message *m = e->m;

    switch (n->op) {
    case SEARCH_ALL:
        return true;
    case SEARCH_NONE:
    case SEARCH_FILTER:
        return false;
    case SEARCH_AND:
    case SEARCH_OR:
        return match_children(e, n);
    case SEARCH_NOT:
        return n->children == NULL || !match(e, n->children);
    case SEARCH_SEQ:
        return uidset_has(&n->resolved, m->seq);
    case SEARCH_UID:
        return uidset_has(&n->resolved, m->info.uid);
    case SEARCH_UIDAFTER:
        return m->info.uid > n->number;
    case SEARCH_UIDBEFORE:
        return m->info.uid < n->number;
    case SEARCH_FLAG:
        return (m->info.flags & n->number) != 0;
    case SEARCH_KEYWORD:
        return match_keyword(n, m);
    case SEARCH_RECENT:
        return m->info.recent;
    case SEARCH_LARGER:
        return m->info.size > n->number;
    case SEARCH_SMALLER:
        return m->info.size < n->number;
    case SEARCH_DATE:
        return compare_days(n, day_of(m->info.date, m->info.zone_minutes));
    case SEARCH_SENT:
        return match_sent(e->s, n, m);
    case SEARCH_SAVED:
        return compare_days(n, day_of(m->info.savedate, 0));
    case SEARCH_AGE:
        return match_age(n, e->now, m);
    case SEARCH_MODSEQ:
        return m->info.modseq >= n->number;
    case SEARCH_EMAILID:
        return match_objectid(n, EMAILID_PREFIX, m->info.emailid);
    case SEARCH_THREADID:
        return match_threadid(n, m);
    case SEARCH_SUBJECT:
    case SEARCH_ADDRESS:
    case SEARCH_HEADER:
    case SEARCH_BODY:
    case SEARCH_TEXT:
        return imap_search_match_text(e->s, e->prog, n, m);
    }
    return false;
}

struct imap_search_flags imap_search_flags(const struct imap_search_program *prog)
{
    struct imap_search_flags f = {0, 0};
    const struct imap_search_node *root = prog->root;

    /* A conjunction's keys are one level below it: parentheses in it are left to the evaluation. */
    for (const struct imap_search_node *n = root->op == SEARCH_AND ? root->children : root; n != NULL; n = n->next) {
        if (n->op == SEARCH_FLAG)
            f.set |= (unsigned)n->number;
        else if (n->op == SEARCH_NOT && n->children != NULL && n->children->op == SEARCH_FLAG)
            f.clear |= (unsigned)n->children->number;
        if (n == root)
            break;
    }
    return f;
}

/* UIDs from..to as numbers of the view. */
static void add_uids(const struct mailbox_view *v, uint64_t from, uint64_t to, struct uidset *out)
{
    uint32_t first, end = mailbox_view_count(v) + 1;

    if (from > to || from > UINT32_MAX)
        return;
    first = mailbox_view_seq_at_or_after(v, (uint32_t)from);
    if (to < UINT32_MAX)
        end = mailbox_view_seq_at_or_after(v, (uint32_t)to + 1);
    if (first < end)
        uidset_add_range(out, first, end - 1);
}

/* What one key leaves. False: it says nothing of numbers. */
static bool numbers_of(const struct imap_search_node *n, const struct mailbox_view *v, struct uidset *out)
{
    switch (n->op) {
    case SEARCH_SEQ:
        for (size_t i = 0; i < n->resolved.n; i++)
            uidset_add_range(out, n->resolved.ranges[i].first, n->resolved.ranges[i].last);
        return true;
    case SEARCH_UID:
        for (size_t i = 0; i < n->resolved.n; i++)
            add_uids(v, n->resolved.ranges[i].first, n->resolved.ranges[i].last, out);
        return true;
    case SEARCH_UIDAFTER:
        add_uids(v, n->number + 1, UINT32_MAX, out);
        return true;
    case SEARCH_UIDBEFORE:
        add_uids(v, 1, n->number - 1, out);
        return true;
    default:
        return false;
    }
}

/* Parentheses are as deep as the parser allows. */
static void narrow(const struct imap_search_node *n, const struct mailbox_view *v, struct uidset *left)
{
    struct uidset numbers, both;

    if (n->op == SEARCH_AND) {
        for (const struct imap_search_node *c = n->children; c != NULL; c = c->next)
            narrow(c, v, left);
        return;
    }
    uidset_init(&numbers);
    uidset_init(&both);
    if (numbers_of(n, v, &numbers)) {
        imap_limit_intersect(left, &numbers, &both);
        uidset_move(left, &both);
    }
    uidset_free(&numbers);
}

void imap_search_candidates(const struct imap_search_program *prog, const struct mailbox_view *view, struct uidset *out)
{
    uint32_t count = mailbox_view_count(view);

    if (count > 0)
        uidset_add_range(out, 1, count);
    narrow(prog->root, view, out);
}

static uint64_t cpu_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void imap_search_budget_begin(struct imap_search_program *prog)
{
    prog->budget_begin_us = cpu_us();
}

bool imap_search_budget_end(struct imap_search_program *prog)
{
    prog->used_us += cpu_us() - prog->budget_begin_us;
    return prog->used_us <= BUDGET_US + prog->allowed_us;
}

bool imap_search_match(struct imap_session *s, struct imap_search_program *prog, const struct imap_search_now *now,
                       struct imap_message *m)
{
    const struct eval e = {s, prog, now, m};

    prog->allowed_us += BUDGET_MESSAGE_US + m->info.size / BUDGET_OCTETS_US;
    return match(&e, prog->root);
}
