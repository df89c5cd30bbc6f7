#include "imap/names.h"

#include <stdlib.h>
#include <utf8proc.h>

#include "common/text/text.h"

const struct imap_use_name imap_uses[] = {
    {USE_ALL, "\\All"},         {USE_ARCHIVE, "\\Archive"},     {USE_DRAFTS, "\\Drafts"},
    {USE_FLAGGED, "\\Flagged"}, {USE_JUNK, "\\Junk"},           {USE_SENT, "\\Sent"},
    {USE_TRASH, "\\Trash"},     {USE_IMPORTANT, "\\Important"}, {0, NULL},
};

char imap_separator(const struct imap_session *s)
{
    return s->host->set->hierarchy_separator == '.' ? '.' : '/';
}

static void put_swapped(struct buf *out, struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        buf_put_byte(out, v.ptr[i] == '/' ? '.' : v.ptr[i] == '.' ? '/' : v.ptr[i]);
}

int imap_name_decode(const struct imap_session *s, struct imap_pool *pool, struct view raw, struct view *out)
{
    struct buf utf8, name;
    struct view got;
    int err = 0;

    buf_init(&utf8, 4 * raw.len + 16);
    buf_init(&name, 4 * raw.len + 16);
    if (imap_session_utf8(s)) {
        err = utf8_valid(raw) ? 0 : ERR_SYNTAX;
        buf_put_view(&utf8, raw);
    } else
        err = mutf7_decode(&utf8, raw);
    if (err != 0)
        goto out;
    if (imap_separator(s) == '.')
        put_swapped(&name, buf_view(&utf8));
    else
        buf_put_view(&name, buf_view(&utf8));
    got = buf_view(&name);
    if (view_starts_nocase(got, VIEW("INBOX")) && (got.len == 5 || got.ptr[5] == '/'))
        memcpy(name.data + name.off, "INBOX", 5);
    if (!buf_ok(&utf8) || !buf_ok(&name)) {
        err = ERR_LIMIT;
        goto out;
    }
    got = imap_pool_copy(pool, got);
    err = got.ptr == NULL ? ERR_LIMIT : 0;
    if (err == 0)
        *out = got;
out:
    buf_free(&utf8);
    buf_free(&name);
    return err;
}

/* U+2028 and U+2029: E2 80 A8, E2 80 A9. */
static bool has_separators(struct view name)
{
    for (size_t i = 0; i + 2 < name.len; i++)
        if (name.ptr[i] == 0xe2 && name.ptr[i + 1] == 0x80 && (name.ptr[i + 2] == 0xa8 || name.ptr[i + 2] == 0xa9))
            return true;
    return false;
}

bool imap_name_is_net_unicode(const struct imap_session *s, struct view name)
{
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t n;
    bool same;

    if (has_separators(name))
        return false;
    if (!imap_session_utf8(s))
        return true;
    n = utf8proc_map(name.ptr, (utf8proc_ssize_t)name.len, &composed, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    same = n >= 0 && view_eq(view_make(composed, (size_t)n), name);
    free(composed);
    return same;
}

void imap_name_encode(const struct imap_session *s, struct buf *out, struct view name)
{
    struct buf swapped;

    buf_init(&swapped, name.len + 16);
    if (imap_separator(s) == '.')
        put_swapped(&swapped, name);
    else
        buf_put_view(&swapped, name);
    if (imap_session_utf8(s))
        buf_put_view(out, buf_view(&swapped));
    else if (mutf7_encode(out, buf_view(&swapped)) != 0)
        out->failed = true; /* storage keeps valid UTF-8 only: answering with half a name would be worse */
    buf_free(&swapped);
}

struct view imap_parse_mailbox(struct imap_parse *p, const struct imap_session *s)
{
    struct view raw = imap_parse_astring(p), name = {NULL, 0};

    if (!imap_parse_ok(p) || imap_name_decode(s, p->pool, raw, &name) != 0)
        return (struct view){NULL, 0};
    return name;
}
