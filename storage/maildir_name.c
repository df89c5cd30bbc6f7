#include "storage/maildir_name.h"

#include <xxhash.h>

#include "common/base/cursor.h"
#include "common/text/text.h"
#include "storage/account.h"

static const struct {
    uint8_t letter;
    unsigned flag;
} flag_letters[] = {
    {'D', MSG_DRAFT}, {'F', MSG_FLAGGED}, {'R', MSG_ANSWERED}, {'S', MSG_SEEN}, {'T', MSG_DELETED},
};

static void take_capital(uint8_t c, struct md_name *out)
{
    for (size_t i = 0; i < sizeof(flag_letters) / sizeof(flag_letters[0]); i++) {
        if (flag_letters[i].letter == c) {
            out->flags |= flag_letters[i].flag;
            return;
        }
    }
    out->others |= 1u << (c - 'A');
}

bool md_name_parse(struct view name, struct md_name *out)
{
    struct md_name n = {.base = view_sub(name, 0, view_find(name, ':'))};
    struct view info = view_sub(name, n.base.len, name.len);

    if (n.base.len == 0 || name.len > MD_NAME_MAX || name.ptr[0] == '.' || view_find(name, '/') < name.len ||
        view_find(name, 0) < name.len)
        return false;
    if (view_starts(info, VIEW(":2,"))) {
        for (size_t i = 3; i < info.len; i++) {
            uint8_t c = info.ptr[i];

            if (c == ',') {
                n.rest = view_sub(info, i, info.len);
                break;
            }
            if (c >= 'a' && c <= 'z')
                n.letters |= 1u << (c - 'a');
            else if (c >= 'A' && c <= 'Z')
                take_capital(c, &n);
        }
    }
    *out = n;
    return true;
}

static bool has_capital(const struct md_name *n, uint8_t c)
{
    for (size_t i = 0; i < sizeof(flag_letters) / sizeof(flag_letters[0]); i++) {
        if (flag_letters[i].letter == c)
            return (n->flags & flag_letters[i].flag) != 0;
    }
    return (n->others & 1u << (c - 'A')) != 0;
}

void md_name_put(struct buf *out, const struct md_name *n)
{
    buf_put_view(out, n->base);
    buf_put_str(out, ":2,");
    for (unsigned c = 'A'; c <= 'Z'; c++) {
        if (has_capital(n, (uint8_t)c))
            buf_put_byte(out, (uint8_t)c);
    }
    for (unsigned c = 'a'; c <= 'z'; c++) {
        if ((n->letters & 1u << (c - 'a')) != 0)
            buf_put_byte(out, (uint8_t)c);
    }
    buf_put_view(out, n->rest);
}

uint64_t md_name_hash(struct view base)
{
    uint64_t hash = XXH3_64bits(base.ptr, base.len);

    return hash != 0 ? hash : 1;
}

bool md_name_size(struct view base, char which, uint64_t *out)
{
    for (size_t i = 0; i + 3 < base.len; i++) {
        struct cursor c = cursor_make(view_sub(base, i, base.len));
        uint64_t n;

        if (!cursor_take(&c, ',') || !cursor_take(&c, (uint8_t)which) || !cursor_take(&c, '='))
            continue;
        n = cursor_dec(&c, 0, UINT64_MAX / 2);
        if (c.failed || (cursor_left(&c) > 0 && cursor_peek(&c) != ','))
            return false;
        *out = n;
        return true;
    }
    return false;
}

uint64_t md_name_time(struct view base)
{
    struct cursor c = cursor_make(base);
    uint64_t n = cursor_dec(&c, 0, UINT64_MAX / 2);

    return c.failed ? 0 : n;
}

/* A level that is no name of a mailbox when it is decoded: a separator of either kind would make levels of it. */
static bool level_good(struct view level)
{
    return level.len > 0 && view_find(level, '/') == level.len && view_find(level, '.') == level.len;
}

int md_folder_to_name(struct view dir, struct buf *out)
{
    struct view rest = view_sub(dir, 1, dir.len);
    size_t start = buf_len(out);
    int err = 0;

    if (dir.len < 2 || dir.len > MD_NAME_MAX || dir.ptr[0] != '.')
        return ERR_SYNTAX;
    for (;;) {
        struct view level = view_sub(rest, 0, view_find(rest, '.'));
        size_t at = buf_len(out);

        err = level.len == 0 ? ERR_SYNTAX : mutf7_decode(out, level);
        if (err != 0 || !buf_ok(out))
            return err != 0 ? err : ERR_LIMIT;
        if (!level_good(view_sub(buf_view(out), at, buf_len(out))))
            return ERR_SYNTAX;
        if (level.len == rest.len)
            break;
        rest = view_sub(rest, level.len + 1, rest.len);
        buf_put_byte(out, '/');
    }
    return buf_ok(out) ? account_check_name(view_sub(buf_view(out), start, buf_len(out))) : ERR_LIMIT;
}

int md_folder_from_name(struct view name, struct buf *out)
{
    struct buf b;
    int err;

    if (view_eq(name, VIEW("INBOX")))
        return 0;
    if (view_find(name, '.') < name.len)
        return ERR_SYNTAX;
    buf_init(&b, MD_NAME_MAX * 4);
    err = mutf7_encode(&b, name);
    if (err == 0 && (!buf_ok(&b) || buf_len(&b) + 1 > MD_NAME_MAX))
        err = ERR_LIMIT;
    if (err == 0) {
        struct view v = buf_view(&b);

        buf_put_byte(out, '.');
        /* '/' is no letter of the base64 of modified UTF-7: what stands here parts levels. */
        for (size_t i = 0; i < v.len; i++)
            buf_put_byte(out, v.ptr[i] == '/' ? '.' : v.ptr[i]);
    }
    buf_free(&b);
    return err;
}
