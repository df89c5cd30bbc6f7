#include "storage/detail.h"

#include "common/base/mem.h"

#define NAME_MAX_LEN 1000

static void put_name(struct buf *out, struct view detail, char separator)
{
    for (size_t i = 0; i < detail.len; i++)
        buf_put_byte(out, detail.ptr[i] == (uint8_t)separator ? '/' : detail.ptr[i]);
}

struct search {
    struct view name;
    struct mailbox *found;
    unsigned n;
};

static bool compare(void *arg, const struct mailbox_entry *e)
{
    struct search *s = arg;

    if (e->mailbox != NULL && view_eq_nocase(e->name, s->name)) {
        s->found = e->mailbox;
        s->n++;
    }
    return s->n < 2;
}

struct mailbox *account_find_detail(struct account *acc, struct view detail, char separator)
{
    struct search s = {.n = 0};
    struct buf name;

    buf_init(&name, NAME_MAX_LEN);
    put_name(&name, detail, separator);
    if (buf_ok(&name) && account_check_name(buf_view(&name)) == 0) {
        s.name = buf_view(&name);
        s.found = account_find(acc, s.name);
        if (s.found == NULL)
            account_each(acc, compare, &s);
    }
    buf_free(&name);
    return s.n < 2 ? s.found : NULL;
}

/* Wildcards of LIST, quotes, a leading '~' or '#' and levels that begin with a dot make mailboxes that clients have trouble with.
 */
int account_detail_name(struct view detail, char separator, struct buf *out)
{
    size_t before = buf_len(out);
    struct view name;

    put_name(out, detail, separator);
    if (!buf_ok(out))
        return ERR_SYNTAX;
    name = view_sub(buf_view(out), before, buf_len(out));
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool first = i == 0 || name.ptr[i - 1] == '/';

        if (c == '%' || c == '*' || c == '"' || c == '\\' || (first && (c == '~' || c == '#' || c == '.')))
            return ERR_SYNTAX;
    }
    return account_check_name(name) == 0 ? 0 : ERR_SYNTAX;
}
