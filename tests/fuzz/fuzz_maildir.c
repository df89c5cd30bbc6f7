/* Names and files of a Maildir: whatever they hold, what is taken from them has its form, and what is written reads back the
 * same. */
#include <stdlib.h>

#include "storage/maildir_int.h"

static void check(bool good)
{
    if (!good)
        abort();
}

static void file_name(struct view v)
{
    struct md_name n, again;
    struct buf b;
    uint64_t size;

    if (!md_name_parse(v, &n))
        return;
    check(n.base.len > 0 && view_find(n.base, ':') == n.base.len);
    (void)md_name_size(n.base, 'S', &size);
    (void)md_name_time(n.base);
    buf_init(&b, 1000);
    md_name_put(&b, &n);
    check(buf_ok(&b));
    if (buf_len(&b) <= MD_NAME_MAX) {
        check(md_name_parse(buf_view(&b), &again));
        check(view_eq(n.base, again.base) && n.flags == again.flags && n.letters == again.letters && n.others == again.others &&
              view_eq(n.rest, again.rest));
    }
    buf_free(&b);
}

static void folder(struct view v)
{
    struct buf name, dir;

    buf_init(&name, 4096);
    buf_init(&dir, 4096);
    if (md_folder_to_name(v, &name) == 0) {
        check(account_check_name(buf_view(&name)) == 0);
        if (!view_eq(buf_view(&name), VIEW("INBOX"))) {
            check(md_folder_from_name(buf_view(&name), &dir) == 0);
            check(view_eq(buf_view(&dir), v));
        }
    }
    buf_reset(&dir);
    if (account_check_name(v) == 0 && md_folder_from_name(v, &dir) == 0 && buf_len(&dir) > 0) {
        check(view_find(buf_view(&dir), '/') == buf_len(&dir));
        buf_reset(&name);
        check(md_folder_to_name(buf_view(&dir), &name) == 0 && view_eq(buf_view(&name), v));
    }
    buf_free(&name);
    buf_free(&dir);
}

static void files(struct view v)
{
    struct cursor c = cursor_make(v);
    struct md_uidlist list;
    struct md_keyword kw;
    struct md_subs subs;
    struct md_ident id;
    struct md_uid u;
    struct buf b;
    uint32_t last = 0;

    if (md_uidlist_begin(&list, v) == 0) {
        while (md_uidlist_next(&list, &u)) {
            check(u.uid > last && u.base.len > 0 && u.uidl.len <= 70);
            last = u.uid;
        }
    }
    while (md_keywords_next(&c, &kw))
        check(kw.letter < MD_LETTERS && kw.name.len > 0 && kw.name.len <= KEYWORD_LEN_MAX);
    buf_init(&b, 1000);
    md_subs_begin(&subs, v);
    while (md_subs_next(&subs, &b))
        check(account_check_name(buf_view(&b)) == 0);
    (void)md_uidvalidity_parse(v);
    if (md_ident_parse(v, &id))
        check(id.mailbox != 0);
    buf_free(&b);
}

static void line_ends(struct view v)
{
    uint8_t *owned, *file_owned, *back_owned;
    struct view served = md_to_crlf(v, &owned), file = md_to_file(served, &file_owned), back = md_to_crlf(file, &back_owned);

    for (size_t i = 0; i < served.len; i++)
        check(served.ptr[i] != '\n' || (i > 0 && served.ptr[i - 1] == '\r'));
    check(view_eq(served, back));
    free(owned);
    free(file_owned);
    free(back_owned);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view v = view_make(data, size);

    file_name(v);
    folder(v);
    files(v);
    line_ends(v);
    return 0;
}
