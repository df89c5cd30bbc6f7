/*
 * The server's shared annotations are those that its settings give; everything else is the user's own. An entry that was asked
 * for by its name and does not exist is answered with NIL; with DEPTH only what exists is answered. An annotation that several of
 * the names include is answered once.
 */
#include "imap/metadata.h"

#include "common/base/mem.h"
#include "common/text/text.h"
#include "imap/notify.h"
#include "imap/respond.h"

static const char *const scopes[] = {"/private", "/shared"};

/* Is this entry the other one, or below it by its name? */
static bool below(struct view entry, struct view top)
{
    return view_starts(entry, top) && (entry.len == top.len || entry.ptr[top.len] == '/');
}

/* RFC 5464 3.2. NULL, or what is wrong with it. */
static const char *check_entry(struct view v, bool scope)
{
    bool known = false;

    if (v.len > ANNOTATION_ENTRY_MAX)
        return "Entry name too long";
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i];

        if (c < 0x20 || c >= 0x7f || c == '*' || c == '%' || (c == '/' && (i + 1 == v.len || v.ptr[i + 1] == '/')))
            return "Invalid entry name";
    }
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
        known = known || (below(v, view_str(scopes[i])) && (scope || v.len > strlen(scopes[i])));
    return known ? NULL : "Entry names begin with /private/ or /shared/";
}

struct view imap_parse_entry(struct imap_parse *p, bool scope)
{
    struct view v = imap_parse_astring(p), lower = imap_pool_copy(p->pool, v);
    uint8_t *bytes = (uint8_t *)(uintptr_t)lower.ptr; /* our own copy */
    const char *error;

    if (!imap_parse_ok(p) || bytes == NULL) {
        imap_parse_fail(p, "Command too large");
        return (struct view){NULL, 0};
    }
    for (size_t i = 0; i < lower.len; i++)
        bytes[i] = ascii_lower(bytes[i]);
    error = check_entry(lower, scope);
    if (error != NULL)
        imap_parse_fail(p, error);
    return lower;
}

void imap_metadata_parse(struct imap_parse *p, struct imap_metadata_query *q)
{
    bool list = imap_parse_peek(p) == '(';

    q->entries = imap_pool_alloc(p->pool, IMAP_METADATA_ENTRIES_MAX * sizeof(*q->entries));
    if (q->entries == NULL)
        imap_parse_fail(p, "Command too large");
    if (list)
        imap_parse_open(p);
    while (imap_parse_ok(p)) {
        struct view entry = imap_parse_entry(p, true);

        if (q->n == IMAP_METADATA_ENTRIES_MAX)
            imap_parse_fail(p, "Too many entries");
        if (imap_parse_ok(p))
            q->entries[q->n++] = entry;
        if (!list || !imap_parse_try(p, ' '))
            break;
    }
    if (list)
        imap_parse_close(p);
}

/* --- answers -------------------------------------------------------------------------------------------------------------- */

static bool includes(const struct imap_metadata_query *q, size_t i, struct view entry)
{
    struct view top = q->entries[i];

    if (q->depth == IMAP_DEPTH_0 || !below(entry, top))
        return view_eq(entry, top);
    return q->depth == IMAP_DEPTH_INFINITY || entry.len == top.len ||
           memchr(entry.ptr + top.len + 1, '/', entry.len - top.len - 1) == NULL;
}

/* The first annotation behind `after` that entry i of the query includes, and none before it. */
struct lookup {
    const struct imap_metadata_query *q;
    size_t i;
    struct view after, entry, value;
    bool found;
};

static int entry_cmp(struct view a, struct view b)
{
    int order = memcmp(a.ptr, b.ptr, MIN_OF(a.len, b.len));

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool look_at(void *arg, struct view entry, struct view value)
{
    struct lookup *f = arg;

    if (f->after.len > 0 && entry_cmp(entry, f->after) <= 0)
        return true;
    if (!includes(f->q, f->i, entry))
        return true;
    for (size_t i = 0; i < f->i; i++)
        if (includes(f->q, i, entry))
            return true;
    f->entry = entry;
    f->value = value;
    f->found = true;
    return false;
}

/* RFC 6154 4: an entry that is not kept, but made of the special uses that the mailbox has. */
struct uses_lookup {
    struct lookup *f;
    struct view uses;
    bool passed;
};

/* True while there is still something to look for. */
static bool look_at_uses(struct uses_lookup *u)
{
    u->passed = true;
    return u->uses.len == 0 || look_at(u->f, VIEW(IMAP_METADATA_USES), u->uses);
}

static bool look_at_own(void *arg, struct view entry, struct view value)
{
    struct uses_lookup *u = arg;
    int order = entry_cmp(entry, VIEW(IMAP_METADATA_USES));

    if (order >= 0 && !u->passed && !look_at_uses(u))
        return false;
    return order == 0 || look_at(u->f, entry, value);
}

/* uses: takes their text. */
static void each_of_mailbox(const struct mailbox *m, struct lookup *f, struct buf *uses)
{
    struct uses_lookup u = {.f = f};
    bool first = true;

    imap_put_uses(uses, mailbox_use(m), &first);
    u.uses = buf_view(uses);
    mailbox_annotation_each(m, look_at_own, &u);
    if (!f->found && !u.passed)
        (void)look_at_uses(&u);
}

/* The server's: what the settings say stands where it belongs in the order of the user's own. */
static void each_of_server(const struct imap_session *s, struct lookup *f)
{
    const struct {
        struct view entry, value;
    } set[] = {{VIEW("/shared/admin"), view_str(s->host->set->imap_server_admin)},
               {VIEW("/shared/comment"), view_str(s->host->set->imap_server_comment)}};

    account_annotation_each(s->acc, look_at, f); /* all of them are "/private/…" */
    for (size_t i = 0; i < ARRAY_LEN(set) && !f->found; i++)
        if (set[i].value.len > 0)
            (void)look_at(f, set[i].entry, set[i].value);
}

static void put_entry(struct imap_session *s, struct buf *out, struct view entry)
{
    for (size_t i = 0; i < entry.len; i++) {
        if (strchr("(){ \"\\", entry.ptr[i]) != NULL) {
            imap_put_string(s, out, entry);
            return;
        }
    }
    buf_put_view(out, entry);
}

static void put_name(struct imap_session *s, struct view name)
{
    struct buf *out = imap_out(s);

    buf_put_str(out, "* METADATA ");
    imap_put_mailbox(s, out, name);
}

static void put_pair(struct imap_session *s, struct view name, struct imap_metadata_put *at, struct view entry,
                     const struct view *value)
{
    struct buf *out = imap_out(s);

    if (!at->open) {
        put_name(s, name);
        buf_put_str(out, " (");
    } else
        buf_put_byte(out, ' ');
    at->open = true;
    put_entry(s, out, entry);
    buf_put_byte(out, ' ');
    if (value == NULL)
        buf_put_str(out, "NIL");
    else
        imap_put_octets(s, out, *value);
}

static void close_response(struct imap_session *s, struct imap_metadata_put *at)
{
    if (at->open)
        buf_put_str(imap_out(s), ")\r\n");
    at->open = false;
}

/* One step for the entry of the query whose turn it is. */
static void put_next(struct imap_job *job, struct view name, const struct mailbox *m, const struct imap_metadata_query *q,
                     struct imap_metadata_put *at)
{
    struct lookup f = {.q = q, .i = at->entry, .after = at->after};
    struct buf uses;

    buf_init(&uses, 256);
    if (m != NULL)
        each_of_mailbox(m, &f, &uses);
    else
        each_of_server(job->s, &f);
    if (f.found && q->has_maxsize && f.value.len > q->maxsize)
        at->longest = MAX_OF(at->longest, (uint64_t)f.value.len);
    else if (f.found)
        put_pair(job->s, name, at, f.entry, &f.value);
    buf_free(&uses);
    if (!f.found) {
        if (at->after.len == 0 && q->depth == IMAP_DEPTH_0)
            put_pair(job->s, name, at, q->entries[at->entry], NULL);
        at->entry++;
        at->after.len = 0;
        return;
    }
    at->after = imap_pool_copy(&job->pool, f.entry);
    if (at->after.ptr == NULL)
        at->entry = q->n; /* the pool is full, which is far more than there can be */
}

bool imap_metadata_put(struct imap_job *job, struct view name, const struct mailbox *m, const struct imap_metadata_query *q,
                       struct imap_metadata_put *at)
{
    while (at->entry < q->n) {
        put_next(job, name, m, q, at);
        if (imap_slice_spent(job->s)) { /* RFC 5464 4.4: as several responses, so that nobody waits in the middle of one */
            close_response(job->s, at);
            return at->entry == q->n;
        }
    }
    close_response(job->s, at);
    return true;
}

/* --- what others have changed --------------------------------------------------------------------------------------------- */

static bool is_own(const struct imap_session *s, uint64_t number)
{
    return number >= s->metadata.own_first && number <= s->metadata.own_last;
}

/* A client that has let more changes pass than are remembered is told of the last ones. */
bool imap_metadata_tell(struct imap_session *s)
{
    uint64_t last = account_annotation_changes(s->acc);
    struct annotation_change c;
    uint32_t mailbox = UINT32_MAX; /* of the response that was begun */

    if ((s->enabled & IMAP_ENABLED_METADATA) == 0 && s->notify == NULL)
        s->metadata.told = last;
    if (last - s->metadata.told > ANNOTATION_CHANGES_MAX)
        s->metadata.told = last - ANNOTATION_CHANGES_MAX;
    while (s->metadata.told < last && !imap_slice_over(s)) {
        const struct mailbox *m;

        if (is_own(s, ++s->metadata.told) || !account_annotation_change(s->acc, s->metadata.told, &c))
            continue;
        m = account_find_id(s->acc, c.mailbox);
        if (m == NULL && c.mailbox != 0)
            continue;
        if ((s->enabled & IMAP_ENABLED_METADATA) == 0 && !imap_notify_metadata(s, m))
            continue;
        if (c.mailbox != mailbox) {
            if (mailbox != UINT32_MAX)
                buf_put_str(imap_out(s), "\r\n");
            put_name(s, m != NULL ? mailbox_name(m) : VIEW(""));
        }
        mailbox = c.mailbox;
        buf_put_byte(imap_out(s), ' ');
        put_entry(s, imap_out(s), c.entry);
    }
    if (mailbox != UINT32_MAX)
        buf_put_str(imap_out(s), "\r\n");
    return s->metadata.told == last;
}
