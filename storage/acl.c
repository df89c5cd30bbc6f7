/*
 * An entry of a list is kept as an annotation "/acl/<identifier>" with the letters of the rights as its value: names that no
 * client can give to an annotation of its own. So it is in the log and in snapshots, follows its mailbox, and goes with it.
 */
#include "storage/acl.h"

#include "storage/txn_int.h"

static bool is_acl(struct view entry)
{
    return view_starts(entry, VIEW(ACL_PREFIX));
}

static unsigned rights_of(const struct annotation *n)
{
    unsigned rights = 0;

    for (size_t i = 0; i < n->len; i++) {
        const char *at = n->value[i] != 0 ? strchr(ACL_LETTERS, n->value[i]) : NULL;

        if (at != NULL)
            rights |= 1u << (at - ACL_LETTERS);
    }
    return rights;
}

void mailbox_acl_each(const struct mailbox *m, acl_fn *fn, void *arg)
{
    for (size_t i = 0; i < m->annotations.n; i++) {
        struct view entry = view_str(m->annotations.v[i].entry);

        if (is_acl(entry))
            fn(arg, view_sub(entry, strlen(ACL_PREFIX), entry.len), rights_of(&m->annotations.v[i]));
    }
}

struct wanted {
    struct view identifier;
    unsigned rights, count;
    bool found;
};

static void look_for(void *arg, struct view identifier, unsigned rights)
{
    struct wanted *w = arg;

    w->count++;
    if (!view_eq(identifier, w->identifier))
        return;
    w->found = true;
    w->rights = rights;
}

bool mailbox_acl(const struct mailbox *m, struct view identifier, unsigned *rights_out)
{
    struct wanted w = {.identifier = identifier};

    mailbox_acl_each(m, look_for, &w);
    if (w.found)
        *rights_out = w.rights;
    return w.found;
}

unsigned mailbox_own_rights(const struct mailbox *m)
{
    unsigned rights = ACL_ALL;

    /* "/acl/" is before all that clients can name. */
    if (m->annotations.n > 0 && is_acl(view_str(m->annotations.v[0].entry)))
        (void)mailbox_acl(m, VIEW(""), &rights);
    return rights | ACL_ADMIN;
}

int txn_acl(struct txn *t, struct mailbox *m, struct view identifier, const unsigned *rights)
{
    struct wanted w = {.identifier = identifier};
    struct buf entry, value;
    struct view v;
    int err;

    mailbox_acl_each(m, look_for, &w);
    if (identifier.len > ACL_IDENTIFIER_MAX || (identifier.len > 0 && memchr(identifier.ptr, '\0', identifier.len) != NULL))
        return ERR_SYNTAX;
    if (rights != NULL && !w.found && w.count >= ACL_IDENTIFIERS_MAX)
        return ERR_LIMIT;
    buf_init(&entry, ANNOTATION_ENTRY_MAX);
    buf_init(&value, sizeof(ACL_LETTERS));
    buf_put_str(&entry, ACL_PREFIX);
    buf_put_view(&entry, identifier);
    for (unsigned i = 0; rights != NULL && i < sizeof(ACL_LETTERS) - 1; i++)
        if ((*rights >> i & 1) != 0)
            buf_put_byte(&value, (uint8_t)ACL_LETTERS[i]);
    v = buf_view(&value);
    err = txn_annotate_raw(t, m, buf_view(&entry), rights != NULL ? &v : NULL);
    buf_free(&entry);
    buf_free(&value);
    return err;
}
