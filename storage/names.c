/* Mailbox names: their form, their order, the sorted tables of mailboxes and subscriptions, and walking over all of them. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/account_int.h"
#include "storage/acl.h"

static struct view first_level(struct view name)
{
    return view_sub(name, 0, view_find(name, '/'));
}

bool name_is_inbox(struct view name)
{
    return view_eq_nocase(name, VIEW("INBOX"));
}

struct view name_canonical(struct view v, char out[NAME_LEN_LIMIT])
{
    if (v.len == 0 || v.len > NAME_LEN_LIMIT)
        return view_make(NULL, 0);
    memcpy(out, v.ptr, v.len);
    if (name_is_inbox(first_level(v)))
        memcpy(out, "INBOX", 5);
    return view_make(out, v.len);
}

bool name_below(struct view name, struct view parent)
{
    return name.len > parent.len && name.ptr[parent.len] == '/' && view_starts(name, parent);
}

int name_cmp(struct view a, struct view b)
{
    size_t n = MIN_OF(a.len, b.len);
    int inbox_a = view_eq(first_level(a), VIEW("INBOX")), inbox_b = view_eq(first_level(b), VIEW("INBOX"));

    if (inbox_a != inbox_b)
        return inbox_b - inbox_a;
    for (size_t i = 0; i < n; i++) {
        if (a.ptr[i] != b.ptr[i]) {
            int x = a.ptr[i] == '/' ? 0 : a.ptr[i], y = b.ptr[i] == '/' ? 0 : b.ptr[i];

            return x - y;
        }
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

int account_check_name(struct view name)
{
    size_t level = 0;
    unsigned levels = 1;

    if (name.len == 0 || !utf8_valid(name))
        return ERR_SYNTAX;
    if (name.len > NAME_LEN_LIMIT)
        return ERR_LIMIT;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];

        /* C0, DEL, and C1 (U+0080 to U+009F: C2 80 to C2 9F). */
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && i + 1 < name.len && name.ptr[i + 1] < 0xa0))
            return ERR_SYNTAX;
        if (c != '/') {
            level++;
            continue;
        }
        if (level == 0)
            return ERR_SYNTAX;
        level = 0;
        levels++;
    }
    if (level == 0)
        return ERR_SYNTAX;
    return levels <= NAME_LEVELS_LIMIT ? 0 : ERR_LIMIT;
}

struct view mailbox_name_view(const struct mailbox *m)
{
    return view_make(m->name, m->name_len);
}

size_t names_lower_bound(const struct account *acc, struct view name)
{
    size_t lo = 0, hi = acc->nmailboxes;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (name_cmp(mailbox_name_view(acc->by_name[mid]), name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static size_t ids_lower_bound(const struct account *acc, uint32_t id)
{
    size_t lo = 0, hi = acc->nmailboxes;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (acc->by_id[mid]->id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void table_insert(struct mailbox **table, size_t n, size_t at, struct mailbox *m)
{
    memmove(table + at + 1, table + at, (n - at) * sizeof(*table));
    table[at] = m;
}

static void table_remove(struct mailbox **table, size_t n, size_t at)
{
    memmove(table + at, table + at + 1, (n - at - 1) * sizeof(*table));
}

void names_insert(struct account *acc, struct mailbox *m)
{
    if (acc->nmailboxes == acc->cmailboxes) {
        acc->cmailboxes = MAX_OF(acc->cmailboxes * 2, (size_t)16);
        acc->by_name = xreallocarray(acc->by_name, acc->cmailboxes, sizeof(struct mailbox *));
        acc->by_id = xreallocarray(acc->by_id, acc->cmailboxes, sizeof(struct mailbox *));
    }
    table_insert(acc->by_name, acc->nmailboxes, names_lower_bound(acc, mailbox_name_view(m)), m);
    table_insert(acc->by_id, acc->nmailboxes, ids_lower_bound(acc, m->id), m);
    acc->nmailboxes++;
}

void names_remove(struct account *acc, struct mailbox *m)
{
    table_remove(acc->by_name, acc->nmailboxes, names_lower_bound(acc, mailbox_name_view(m)));
    table_remove(acc->by_id, acc->nmailboxes, ids_lower_bound(acc, m->id));
    acc->nmailboxes--;
}

struct mailbox *account_find(struct account *acc, struct view name)
{
    char canonical[NAME_LEN_LIMIT];
    struct view v = name_canonical(name, canonical);
    size_t i;

    if (v.len == 0)
        return NULL;
    i = names_lower_bound(acc, v);
    return i < acc->nmailboxes && view_eq(mailbox_name_view(acc->by_name[i]), v) ? acc->by_name[i] : NULL;
}

struct mailbox *account_find_id(struct account *acc, uint32_t mailbox_id)
{
    size_t i = ids_lower_bound(acc, mailbox_id);

    return i < acc->nmailboxes && acc->by_id[i]->id == mailbox_id ? acc->by_id[i] : NULL;
}

static struct view sub_view(const struct sub *s)
{
    return view_make(s->name, s->len);
}

static size_t subs_lower_bound(const struct account *acc, struct view name)
{
    size_t lo = 0, hi = acc->nsubs;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (name_cmp(sub_view(&acc->subs[mid]), name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool subs_has(const struct account *acc, struct view name)
{
    size_t i = subs_lower_bound(acc, name);

    return i < acc->nsubs && view_eq(sub_view(&acc->subs[i]), name);
}

void subs_set(struct account *acc, struct view name, bool on)
{
    size_t i = subs_lower_bound(acc, name);

    if (subs_has(acc, name) == on)
        return;
    if (!on) {
        free(acc->subs[i].name);
        memmove(acc->subs + i, acc->subs + i + 1, (acc->nsubs - i - 1) * sizeof(*acc->subs));
        acc->nsubs--;
        return;
    }
    if (acc->nsubs == acc->csubs) {
        acc->csubs = MAX_OF(acc->csubs * 2, (size_t)16);
        acc->subs = xreallocarray(acc->subs, acc->csubs, sizeof(*acc->subs));
    }
    memmove(acc->subs + i + 1, acc->subs + i, (acc->nsubs - i) * sizeof(*acc->subs));
    acc->subs[i] = (struct sub){name.len, view_dup(name)};
    acc->nsubs++;
}

static bool may_see(const struct mailbox *m)
{
    return (mailbox_own_rights(m) & ACL_LOOKUP) != 0;
}

/* after: the first mailbox behind that name. */
static bool has_children(const struct account *acc, struct view name, size_t after, bool visible)
{
    size_t i = after;

    while (visible && i < acc->nmailboxes && name_below(mailbox_name_view(acc->by_name[i]), name) && !may_see(acc->by_name[i]))
        i++;
    return i < acc->nmailboxes && name_below(mailbox_name_view(acc->by_name[i]), name);
}

struct each {
    struct account *acc;
    bool visible; /* only what the owner may see */
    bool (*fn)(void *arg, const struct mailbox_entry *e);
    void *arg;
    struct view last; /* the last name given */
};

/* after: as of has_children(). Names may be long and alike: where they are is known here, and is not searched for. */
static bool each_emit(struct each *w, struct view name, struct mailbox *m, bool subscribed, size_t after)
{
    struct mailbox_entry e = {.name = name, .mailbox = m, .subscribed = subscribed, .use = m != NULL ? m->use : 0};

    e.has_children = has_children(w->acc, name, after, w->visible);
    w->last = name;
    return w->fn(w->arg, &e);
}

/* The names above name that were not given yet and have mailboxes below them, from number at on: parents that are no mailboxes
 * and not subscribed to. What is given below one of them may be a mere subscription, so they come with whatever is first there.
 */
static bool each_parents(struct each *w, struct view name, size_t at)
{
    for (size_t i = 0; i < name.len; i++) {
        struct view parent = view_sub(name, 0, i);

        if (name.ptr[i] != '/' || view_eq(w->last, parent) || name_below(w->last, parent))
            continue;
        if (!has_children(w->acc, parent, at, w->visible))
            break;
        if (!each_emit(w, parent, NULL, subs_has(w->acc, parent), at))
            return false;
    }
    return true;
}

static void each(struct each w)
{
    struct account *acc = w.acc;
    size_t i = 0, s = 0;

    while (i < acc->nmailboxes || s < acc->nsubs) {
        struct mailbox *m = i < acc->nmailboxes ? acc->by_name[i] : NULL;
        struct view name;
        int order = m == NULL ? 1 : s == acc->nsubs ? -1 : name_cmp(mailbox_name_view(m), sub_view(&acc->subs[s]));

        if (order <= 0) {
            name = mailbox_name_view(m);
            i++;
            if (w.visible && !may_see(m)) {
                if (order < 0)
                    continue;
                m = NULL; /* a subscription, as to something that is not there */
            }
        } else {
            name = sub_view(&acc->subs[s]);
            m = NULL;
        }
        if (!each_parents(&w, name, m != NULL ? i - 1 : i))
            return;
        if (order >= 0)
            s++;
        /* A subscribed parent may have been given already. */
        if (!view_eq(w.last, name) && !each_emit(&w, name, m, order >= 0, i))
            return;
    }
}

void account_each(struct account *acc, bool (*fn)(void *arg, const struct mailbox_entry *e), void *arg)
{
    each((struct each){.acc = acc, .fn = fn, .arg = arg});
}

void account_each_visible(struct account *acc, bool (*fn)(void *arg, const struct mailbox_entry *e), void *arg)
{
    each((struct each){.acc = acc, .visible = true, .fn = fn, .arg = arg});
}
