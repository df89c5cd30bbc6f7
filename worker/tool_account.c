/*
 * An account as the sink of an import.
 *
 * A mailbox without messages takes over the source's UIDVALIDITY, and its messages their UIDs. When the import is run again it
 * finds that UIDVALIDITY, and leaves out every UID that is below the mailbox's next one, unless that is another message's: one
 * that came between the two runs. Where there are no UIDs to go by, or the mailbox has messages of its own, a message is left out
 * when one with the same content is there already, each of those once.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "storage/blob.h"
#include "storage/mailbox_view.h"
#include "storage/txn.h"
#include "worker/tool.h"

#define BATCH_MESSAGES 200
#define BATCH_BYTES ((uint64_t)16 << 20)

struct content {
    uint8_t id[BLOB_ID_SIZE];
    uint32_t uid;
    bool used;
};

struct account_sink {
    struct tool_sink base;
    struct account *acc;
    struct mailbox *m;
    struct tool_mailbox source; /* its name is not used */
    bool keep_uids;
    bool raised;             /* the next UID is at least the source's */
    uint32_t below;          /* UIDs below are there already */
    struct content *content; /* of what is there, by id */
    struct content **by_uid; /* the same */
    size_t ncontent;
    struct tool_message *later; /* whose UIDs others have: they come when no UID can be taken from another any more */
    size_t nlater, clater;
    struct txn *t;
    unsigned in_batch;
    uint64_t batch_bytes;
};

static void note_error(void *arg, int err, const struct txn_result *result)
{
    (void)result;
    *(int *)arg = err;
}

static int commit(struct account_sink *s)
{
    int err = 0;

    if (s->t == NULL)
        return 0;
    txn_commit(&s->t, note_error, &err);
    (void)!account_commit(s->acc); /* note_error() got it */
    s->in_batch = 0;
    s->batch_bytes = 0;
    return err;
}

static int run(struct account_sink *s, struct txn **t, int err)
{
    int result = 0;

    if (err != 0) {
        txn_abort(t);
        return err;
    }
    txn_commit(t, note_error, &result);
    (void)!account_commit(s->acc);
    return result;
}

/* --- what is there -----------------------------------------------------------------------------------------------------------
 */

static int content_order(const void *a, const void *b)
{
    return memcmp(((const struct content *)a)->id, ((const struct content *)b)->id, BLOB_ID_SIZE);
}

static int uid_order(const void *a, const void *b)
{
    const struct content *x = *(const struct content *const *)a, *y = *(const struct content *const *)b;

    return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static void read_content(struct account_sink *s)
{
    struct mailbox_view *v = mailbox_view_open(s->acc, s->m, false);

    s->ncontent = mailbox_view_count(v);
    s->content = xcalloc(s->ncontent + 1, sizeof(*s->content));
    for (uint32_t seq = 1; seq <= s->ncontent; seq++) {
        struct msg_info info;

        mailbox_view_info(v, seq, &info);
        memcpy(s->content[seq - 1].id, info.emailid, BLOB_ID_SIZE);
        s->content[seq - 1].uid = info.uid;
    }
    mailbox_view_close(&v);
    qsort(s->content, s->ncontent, sizeof(*s->content), content_order);
    s->by_uid = xcalloc(s->ncontent + 1, sizeof(struct content *));
    for (size_t i = 0; i < s->ncontent; i++)
        s->by_uid[i] = &s->content[i];
    qsort(s->by_uid, s->ncontent, sizeof(struct content *), uid_order);
}

/* The ids of what is there are of messages with CRLF throughout, where they are files of a Maildir. */
static bool is_content(const struct content *c, struct view bytes)
{
    uint8_t id[BLOB_ID_SIZE];
    struct buf crlf;
    bool same;

    content_id_of(bytes, id);
    if (memcmp(c->id, id, sizeof(id)) == 0)
        return true;
    buf_init(&crlf, bytes.len * 2);
    tool_to_crlf(&crlf, bytes);
    content_id_of(buf_view(&crlf), id);
    same = buf_ok(&crlf) && memcmp(c->id, id, sizeof(id)) == 0;
    buf_free(&crlf);
    return same;
}

/* Whether this UID is that of another message; its own is claimed. */
static bool is_others(struct account_sink *s, uint32_t uid, struct view bytes)
{
    struct content key = {.uid = uid}, *k = &key, **found = NULL;

    if (s->ncontent > 0)
        found = bsearch(&k, s->by_uid, s->ncontent, sizeof(struct content *), uid_order);
    if (found == NULL)
        return false;
    (*found)->used = (*found)->used || is_content(*found, bytes);
    return !(*found)->used;
}

/* Whether a message with these bytes is there that no other of the source has claimed. */
static bool claim(struct account_sink *s, struct view bytes)
{
    struct content key;
    size_t lo = 0, hi = s->ncontent;

    if (s->ncontent == 0)
        return false;
    content_id_of(bytes, key.id);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (content_order(&s->content[mid], &key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < s->ncontent && content_order(&s->content[lo], &key) == 0; lo++) {
        if (!s->content[lo].used) {
            s->content[lo].used = true;
            return true;
        }
    }
    return false;
}

/* --- the sink ----------------------------------------------------------------------------------------------------------------
 */

static int find_or_create(struct account_sink *s, struct view name)
{
    struct txn *t;
    int err;

    s->m = account_find(s->acc, name);
    if (s->m != NULL)
        return 0;
    t = txn_begin(s->acc);
    err = run(s, &t, txn_create(t, name, 0));
    s->m = account_find(s->acc, name);
    return err == 0 && s->m == NULL ? ERR_NOTFOUND : err;
}

static int take_identity(struct account_sink *s, const struct tool_mailbox *m)
{
    struct mailbox_status st;
    struct txn *t;
    int err;

    mailbox_status(s->m, &st);
    s->keep_uids = m->uidvalidity != 0 && m->uidvalidity == st.uidvalidity;
    s->below = s->keep_uids ? st.uidnext : 0;
    if (m->uidvalidity == 0 || s->keep_uids)
        return 0;
    t = txn_begin(s->acc);
    err = txn_identity(t, s->m, m->uidvalidity, 1);
    if (err == ERR_STATE) {
        char *name = tool_printable(m->name);

        txn_abort(&t);
        tool_complain(s->base.tool, "%s has messages already: the others get new UIDs", name);
        s->base.tool->notes++;
        free(name);
        return 0;
    }
    err = run(s, &t, err);
    s->keep_uids = err == 0;
    return err;
}

static int sink_mailbox(struct tool_sink *base, const struct tool_mailbox *m)
{
    struct account_sink *s = (struct account_sink *)base;
    struct mailbox_status st;
    int err = find_or_create(s, m->name);

    if (err == 0)
        err = take_identity(s, m);
    if (err != 0)
        return err;
    s->source = *m;
    s->raised = !s->keep_uids;
    mailbox_status(s->m, &st);
    if (st.messages > 0)
        read_content(s);
    return 0;
}

static int append(struct account_sink *s, const struct tool_message *m, uint32_t uid)
{
    const struct message_source src = {.parts = {m->bytes}, .fd = -1};
    const struct append_options opt = {.flags = m->flags,
                                       .keywords = m->keywords,
                                       .nkeywords = m->nkeywords,
                                       .has_date = m->has_date,
                                       .date = m->date,
                                       .zone_minutes = m->zone,
                                       .uidl = m->uidl,
                                       .uid = uid};

    if (s->t == NULL)
        s->t = txn_begin(s->acc);
    return txn_append(s->t, s->m, &src, &opt);
}

/* What cannot be kept of a message is no reason to leave it out. */
static int append_somehow(struct account_sink *s, const struct tool_message *m, uint32_t uid)
{
    struct tool_message plain = *m;
    int err = append(s, m, uid);

    if (err == ERR_RANGE && uid != 0) {
        s->base.tool->notes++;
        err = append(s, m, 0);
    }
    if (err == ERR_LIMIT && m->nkeywords > 0) {
        s->base.tool->notes++;
        plain.nkeywords = 0;
        err = append(s, &plain, 0);
    }
    return err;
}

/* The messages with UIDs are there: what follows comes behind whatever the source has ever had. */
static int raise_uidnext(struct account_sink *s)
{
    struct txn *t;
    int err = commit(s);

    if (err != 0 || s->raised || !s->keep_uids || s->source.uidnext <= 1)
        return err;
    s->raised = true;
    t = txn_begin(s->acc);
    return run(s, &t, txn_identity(t, s->m, s->source.uidvalidity, s->source.uidnext));
}

static struct view copy_view(struct view v)
{
    return view_make(v.len > 0 ? memcpy(xmalloc(v.len), v.ptr, v.len) : NULL, v.len);
}

static void keep_for_later(struct account_sink *s, const struct tool_message *m)
{
    struct view *keywords = xcalloc(m->nkeywords + 1, sizeof(*keywords));
    struct tool_message *later;

    if (s->nlater == s->clater) {
        s->clater = MAX_OF(s->clater * 2, (size_t)8);
        s->later = xreallocarray(s->later, s->clater, sizeof(*s->later));
    }
    later = &s->later[s->nlater++];
    *later = *m;
    for (size_t i = 0; i < m->nkeywords; i++)
        keywords[i] = copy_view(m->keywords[i]);
    later->keywords = keywords;
    later->uid = 0;
    later->uidl = copy_view(m->uidl);
    later->bytes = copy_view(m->bytes);
}

static void free_later(struct account_sink *s)
{
    for (size_t i = 0; i < s->nlater; i++) {
        struct tool_message *m = &s->later[i];

        for (size_t k = 0; k < m->nkeywords; k++)
            free((void *)(uintptr_t)m->keywords[k].ptr);
        free((void *)(uintptr_t)m->keywords);
        free((void *)(uintptr_t)m->uidl.ptr);
        free((void *)(uintptr_t)m->bytes.ptr);
    }
    free(s->later);
    s->later = NULL;
    s->nlater = s->clater = 0;
}

static int take_message(struct account_sink *s, const struct tool_message *m, uint32_t uid)
{
    struct tool *t = s->base.tool;
    int err;

    if (uid != 0 ? uid < s->below : claim(s, m->bytes)) {
        t->skipped++;
        return 0;
    }
    err = uid == 0 && !s->raised ? raise_uidnext(s) : 0;
    if (err == 0)
        err = append_somehow(s, m, uid);
    if (err == ERR_LIMIT) {
        tool_complain(t, "a message of %zu octets is too large", m->bytes.len);
        t->failed++;
        return 0;
    }
    if (err != 0)
        return err;
    t->messages++;
    t->bytes += m->bytes.len;
    s->batch_bytes += m->bytes.len;
    if (++s->in_batch >= BATCH_MESSAGES || s->batch_bytes >= BATCH_BYTES)
        err = commit(s);
    tool_progress(t, "messages", t->messages + t->skipped, 0);
    return err;
}

static int sink_message(struct tool_sink *base, const struct tool_message *m)
{
    struct account_sink *s = (struct account_sink *)base;
    uint32_t uid = s->keep_uids ? m->uid : 0;

    if (uid == 0 || uid >= s->below || !is_others(s, uid, m->bytes))
        return take_message(s, m, uid);
    keep_for_later(s, m);
    base->tool->notes++;
    return 0;
}

static int sink_mailbox_end(struct tool_sink *base)
{
    struct account_sink *s = (struct account_sink *)base;
    int err = raise_uidnext(s);

    for (size_t i = 0; i < s->nlater && err == 0; i++)
        err = take_message(s, &s->later[i], 0);
    if (err == 0)
        err = commit(s);
    free_later(s);
    free(s->content);
    free(s->by_uid);
    s->content = NULL;
    s->by_uid = NULL;
    s->ncontent = 0;
    return err;
}

static int sink_subscribe(struct tool_sink *base, struct view name)
{
    struct account_sink *s = (struct account_sink *)base;
    struct txn *t = txn_begin(s->acc);
    int err = txn_subscribe(t, name, true);

    err = run(s, &t, err);
    return err == ERR_LIMIT || err == ERR_SYNTAX ? 0 : err;
}

static int sink_finish(struct tool_sink *base)
{
    return commit((struct account_sink *)base);
}

static void sink_free(struct tool_sink *base)
{
    struct account_sink *s = (struct account_sink *)base;

    txn_abort(&s->t);
    free_later(s);
    free(s->content);
    free(s->by_uid);
    free(s);
}

int tool_sink_account(struct tool *t, struct account *acc, struct tool_sink **out)
{
    static const struct tool_sink_ops ops = {sink_mailbox,   sink_message, sink_mailbox_end,
                                             sink_subscribe, sink_finish,  sink_free};
    struct account_sink *s = xcalloc(1, sizeof(*s));

    s->base = (struct tool_sink){&ops, t};
    s->acc = acc;
    *out = &s->base;
    return 0;
}

void tool_sink_free(struct tool_sink **s)
{
    if (*s != NULL)
        (*s)->ops->free(*s);
    *s = NULL;
}
