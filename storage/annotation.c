/*
 * Annotations (RFC 5464). All of them are in memory and in every snapshot, so they are few and small: the limits of metadata.h
 * hold where they are staged. Applying knows no limits, as it must come to the same result each time.
 */
#include "storage/annotation.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/txn_int.h"

static size_t lower_bound(const struct annotations *a, struct view entry)
{
    size_t lo = 0, hi = a->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        struct view v = view_str(a->v[mid].entry);
        int order = memcmp(v.ptr, entry.ptr, MIN_OF(v.len, entry.len));

        if (order < 0 || (order == 0 && v.len < entry.len))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct annotation *annotation_find(const struct annotations *a, struct view entry)
{
    size_t i = lower_bound(a, entry);

    return i < a->n && view_eq(view_str(a->v[i].entry), entry) ? &a->v[i] : NULL;
}

bool annotation_is_hidden(struct view entry)
{
    return view_starts(entry, VIEW(ACL_PREFIX)) || view_starts(entry, VIEW(QUOTA_PREFIX));
}

static uint64_t weight(const struct annotation *n)
{
    return strlen(n->entry) + n->len;
}

static void drop(struct account *acc, struct annotation *n)
{
    acc->annotation_bytes -= weight(n);
    free(n->entry);
    free(n->value);
}

void annotations_free(struct account *acc, struct annotations *a)
{
    for (size_t i = 0; i < a->n; i++)
        drop(acc, &a->v[i]);
    free(a->v);
    memset(a, 0, sizeof(*a));
}

void annotations_set(struct account *acc, struct annotations *a, struct view entry, const struct view *value)
{
    size_t i = lower_bound(a, entry);
    struct annotation n = {0};

    if (i < a->n && view_eq(view_str(a->v[i].entry), entry)) {
        drop(acc, &a->v[i]);
        a->n--;
        memmove(a->v + i, a->v + i + 1, (a->n - i) * sizeof(*a->v));
    }
    if (value == NULL)
        return;
    if (a->n == a->cap) {
        a->cap = MAX_OF(a->cap * 2, (size_t)4);
        a->v = xreallocarray(a->v, a->cap, sizeof(*a->v));
    }
    n.entry = view_dup(entry);
    n.len = value->len;
    n.value = xmalloc(n.len + 1);
    if (n.len > 0)
        memcpy(n.value, value->ptr, n.len);
    memmove(a->v + i + 1, a->v + i, (a->n - i) * sizeof(*a->v));
    a->v[i] = n;
    a->n++;
    acc->annotation_bytes += weight(&n);
}

/* --- who wants to know ---------------------------------------------------------------------------------------------------- */

struct annotation_note {
    uint32_t mailbox;
    size_t len;
    char entry[ANNOTATION_ENTRY_MAX];
};

struct account_watch {
    struct account *acc;
    void (*fn)(void *arg);
    void *arg;
    bool due, all;
    struct account_watch *prev, *next;
};

void annotation_note(struct account *acc, uint32_t mailbox, struct view entry)
{
    struct annotation_note *n;

    if (acc->notes == NULL)
        acc->notes = xreallocarray(NULL, ANNOTATION_CHANGES_MAX, sizeof(*acc->notes));
    n = &acc->notes[acc->nnotes++ % ANNOTATION_CHANGES_MAX];
    n->mailbox = mailbox;
    n->len = MIN_OF(entry.len, sizeof(n->entry));
    memcpy(n->entry, entry.ptr, n->len);
    acc->notes_new = true;
}

void annotation_notes_free(struct account *acc)
{
    free(acc->notes);
    acc->notes = NULL;
}

uint64_t account_annotation_changes(const struct account *acc)
{
    return acc->nnotes;
}

bool account_annotation_change(const struct account *acc, uint64_t number, struct annotation_change *out)
{
    const struct annotation_note *n;

    if (number == 0 || number > acc->nnotes || acc->nnotes - number >= ANNOTATION_CHANGES_MAX)
        return false;
    n = &acc->notes[(number - 1) % ANNOTATION_CHANGES_MAX];
    *out = (struct annotation_change){n->mailbox, view_make(n->entry, n->len)};
    return true;
}

struct account_watch *account_watch_new(struct account *acc, void (*fn)(void *arg), void *arg)
{
    struct account_watch *w = xcalloc(1, sizeof(*w));

    *w = (struct account_watch){.acc = acc, .fn = fn, .arg = arg, .next = acc->watches};
    if (w->next != NULL)
        w->next->prev = w;
    acc->watches = w;
    return w;
}

void account_watch_free(struct account_watch **watch)
{
    struct account_watch *w = *watch;

    if (w == NULL)
        return;
    *watch = NULL;
    if (w->next != NULL)
        w->next->prev = w->prev;
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        w->acc->watches = w->next;
    free(w);
}

void account_watch_all(struct account_watch *watch, bool all)
{
    watch->all = all;
}

void watches_notify(struct account *acc)
{
    struct account_watch *w;

    for (w = acc->watches; w != NULL; w = w->next)
        w->due = acc->notes_new || (w->all && acc->applied != acc->applied_told);
    acc->notes_new = false;
    acc->applied_told = acc->applied;
    w = acc->watches;
    while (w != NULL) {
        if (!w->due) {
            w = w->next;
            continue;
        }
        w->due = false;
        w->fn(w->arg);
        w = acc->watches; /* others may have come or gone */
    }
}

/* --- snapshots ------------------------------------------------------------------------------------------------------------ */

static void put_each(struct buf *out, uint32_t mailbox, const struct annotations *a)
{
    for (size_t i = 0; i < a->n; i++) {
        buf_put_u32(out, mailbox);
        buf_put_view16(out, view_str(a->v[i].entry));
        buf_put_view32(out, view_make(a->v[i].value, a->v[i].len));
    }
}

void annotations_put(struct buf *out, const struct account *acc)
{
    size_t n = acc->annotations.n;

    for (size_t i = 0; i < acc->nmailboxes; i++)
        n += acc->by_id[i]->annotations.n;
    buf_put_u32(out, (uint32_t)n);
    put_each(out, 0, &acc->annotations);
    for (size_t i = 0; i < acc->nmailboxes; i++)
        put_each(out, acc->by_id[i]->id, &acc->by_id[i]->annotations);
}

void annotations_get(struct cursor *c, struct account *acc)
{
    uint32_t n = cursor_u32(c);

    for (uint32_t i = 0; i < n && !c->failed; i++) {
        uint32_t id = cursor_u32(c);
        struct view entry = cursor_view16(c, UINT16_MAX), value = cursor_view32(c, UINT32_MAX);
        struct mailbox *m = account_find_id(acc, id);

        if (!c->failed && (m != NULL || id == 0))
            annotations_set(acc, m != NULL ? &m->annotations : &acc->annotations, entry, &value);
    }
}

/* --- reading -------------------------------------------------------------------------------------------------------------- */

/* The entry as it is kept, and whether it is one (RFC 5464 3.2). */
static bool canonical(struct view entry, char out[ANNOTATION_ENTRY_MAX])
{
    if (entry.len == 0 || entry.len > ANNOTATION_ENTRY_MAX)
        return false;
    for (size_t i = 0; i < entry.len; i++) {
        uint8_t c = entry.ptr[i];

        if (c < 0x20 || c >= 0x7f || c == '*' || c == '%' || (c == '/' && (i + 1 == entry.len || entry.ptr[i + 1] == '/')))
            return false;
        out[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    return view_starts(view_make(out, entry.len), VIEW("/private/")) || view_starts(view_make(out, entry.len), VIEW("/shared/"));
}

static bool get(const struct annotations *a, struct view entry, struct view *value_out)
{
    char name[ANNOTATION_ENTRY_MAX];
    const struct annotation *n = canonical(entry, name) ? annotation_find(a, view_make(name, entry.len)) : NULL;

    if (n == NULL)
        return false;
    *value_out = view_make(n->value, n->len);
    return true;
}

static void each(const struct annotations *a, annotation_fn *fn, void *arg)
{
    for (size_t i = 0; i < a->n; i++) {
        struct view entry = view_str(a->v[i].entry);

        if (!annotation_is_hidden(entry) && !fn(arg, entry, view_make(a->v[i].value, a->v[i].len)))
            return;
    }
}

bool account_annotation(const struct account *acc, struct view entry, struct view *value_out)
{
    return get(&acc->annotations, entry, value_out);
}

void account_annotation_each(const struct account *acc, annotation_fn *fn, void *arg)
{
    each(&acc->annotations, fn, arg);
}

bool mailbox_annotation(const struct mailbox *m, struct view entry, struct view *value_out)
{
    return get(&m->annotations, entry, value_out);
}

void mailbox_annotation_each(const struct mailbox *m, annotation_fn *fn, void *arg)
{
    each(&m->annotations, fn, arg);
}

/* --- changing ------------------------------------------------------------------------------------------------------------- */

static int reserve(struct account *acc, struct annotations *a, struct stage *s, size_t bytes, bool fresh, size_t max)
{
    if (fresh && a->n + a->staged >= max)
        return ERR_LIMIT;
    if (acc->annotation_bytes + acc->annotation_staged + bytes > ANNOTATION_BYTES_MAX)
        return ERR_QUOTA;
    s->annotation_new = fresh;
    s->annotation_bytes = bytes;
    a->staged += fresh;
    acc->annotation_staged += bytes;
    return 0;
}

void annotation_stage_end(struct account *acc, const struct stage *s)
{
    struct mailbox *m = account_find_id(acc, s->op.mailbox);

    acc->annotation_staged -= s->annotation_bytes;
    if (s->op.mailbox == 0)
        acc->annotations.staged -= s->annotation_new;
    else if (m != NULL)
        m->annotations.staged -= s->annotation_new;
}

/* How many there may be, as far as hidden ones take no part in it. */
static size_t annotations_max(const struct annotations *a)
{
    size_t hidden = 0;

    for (size_t i = 0; i < a->n; i++)
        hidden += annotation_is_hidden(view_str(a->v[i].entry));
    return ANNOTATIONS_MAX + hidden;
}

int txn_annotate_raw(struct txn *t, struct mailbox *m, struct view entry, const struct view *value)
{
    struct annotations *a = m != NULL ? &m->annotations : &t->acc->annotations;
    bool hidden = annotation_is_hidden(entry);
    struct stage *s;
    int err = 0;

    if (account_read_only(t->acc))
        return ERR_IO;
    s = stage_new(OP_ANNOTATE);
    s->op.mailbox = m != NULL ? m->id : 0;
    s->op.on = value != NULL;
    /* What a user has filled up is no obstacle to limits. */
    if (value != NULL && !view_starts(entry, VIEW(QUOTA_PREFIX)))
        err = reserve(t->acc, a, s, entry.len + value->len, annotation_find(a, entry) == NULL,
                      hidden ? SIZE_MAX : annotations_max(a));
    if (value != NULL)
        buf_put_view(&s->names, *value);
    if (err == 0 && !buf_ok(&s->names))
        err = ERR_NOMEM;
    if (err != 0) {
        stage_free(t->acc, s);
        return err;
    }
    s->name = view_dup(entry);
    stage_add(t, s);
    return 0;
}

int txn_annotate(struct txn *t, struct mailbox *m, struct view entry, const struct view *value)
{
    char name[ANNOTATION_ENTRY_MAX];

    if (!canonical(entry, name))
        return ERR_SYNTAX;
    if (value != NULL && value->len > ANNOTATION_VALUE_MAX)
        return ERR_RANGE;
    return txn_annotate_raw(t, m, view_make(name, entry.len), value);
}
