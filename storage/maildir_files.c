#include "storage/maildir_files.h"

#include "common/text/text.h"
#include "storage/account.h"

/* Without its line end; false when nothing is left. */
static bool take_line(struct cursor *c, struct view *out)
{
    struct view rest = cursor_rest(c);
    size_t len = view_find(rest, '\n');

    if (rest.len == 0)
        return false;
    *out = view_sub(rest, 0, len);
    cursor_skip(c, len < rest.len ? len + 1 : len);
    return true;
}

static struct view take_word(struct cursor *c)
{
    struct view rest = cursor_rest(c);
    struct view word = view_sub(rest, 0, view_find(rest, ' '));

    cursor_skip(c, word.len < rest.len ? word.len + 1 : word.len);
    return word;
}

/* --- dovecot-uidlist ------------------------------------------------------------------------------------- */

static bool word_number(struct view word, uint32_t min, uint32_t *out)
{
    struct cursor c = cursor_make(word);
    uint64_t n = cursor_dec(&c, min, UINT32_MAX);

    if (!cursor_done(&c))
        return false;
    *out = (uint32_t)n;
    return true;
}

static void head_fields(struct cursor *c, struct md_uidlist *l)
{
    while (cursor_left(c) > 0) {
        struct view word = take_word(c), value = view_sub(word, 1, word.len);

        if (word.len > 0 && word.ptr[0] == 'V' && !word_number(value, 1, &l->uidvalidity))
            cursor_fail(c);
        else if (word.len > 0 && word.ptr[0] == 'N' && !word_number(value, 1, &l->next_uid))
            cursor_fail(c);
    }
}

int md_uidlist_begin(struct md_uidlist *l, struct view file)
{
    struct view line;
    struct cursor head;

    *l = (struct md_uidlist){.c = cursor_make(file)};
    if (!take_line(&l->c, &line))
        return ERR_SYNTAX;
    head = cursor_make(line);
    if (!word_number(take_word(&head), 1, &l->version))
        return ERR_SYNTAX;
    if (l->version == 3) {
        head_fields(&head, l);
    } else if (l->version == 1) {
        if (!word_number(take_word(&head), 1, &l->uidvalidity) || !word_number(take_word(&head), 1, &l->next_uid))
            cursor_fail(&head);
    } else {
        return ERR_UNSUPPORTED;
    }
    return head.failed || l->uidvalidity == 0 || l->next_uid == 0 ? ERR_SYNTAX : 0;
}

/* The fields before " :file" of version 3. */
static void line_fields(struct cursor *c, struct md_uid *m)
{
    while (cursor_left(c) > 0 && cursor_peek(c) != ':') {
        struct view word = take_word(c);

        if (word.len > 1 && word.ptr[0] == 'P')
            m->uidl = view_sub(word, 1, word.len);
    }
    cursor_expect(c, ':');
}

/* RFC 1939 7: 1 to 70 characters from 0x21 to 0x7e. */
static bool uidl_good(struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < 0x21 || v.ptr[i] > 0x7e)
            return false;
    }
    return v.len <= 70;
}

bool md_uidlist_next(struct md_uidlist *l, struct md_uid *out)
{
    struct view line;

    while (take_line(&l->c, &line)) {
        struct cursor c = cursor_make(line);
        struct md_uid m = {0};
        struct md_name name;

        if (!word_number(take_word(&c), 1, &m.uid) || m.uid <= l->last || m.uid == UINT32_MAX)
            continue;
        if (l->version == 3)
            line_fields(&c, &m);
        if (c.failed || !md_name_parse(cursor_rest(&c), &name))
            continue;
        if (!uidl_good(m.uidl))
            m.uidl = view_make(NULL, 0);
        m.base = name.base;
        l->last = m.uid;
        *out = m;
        return true;
    }
    return false;
}

/* --- the others ------------------------------------------------------------------------------------------ */

bool md_keywords_next(struct cursor *c, struct md_keyword *out)
{
    struct view line;

    while (take_line(c, &line)) {
        struct cursor l = cursor_make(line);
        uint32_t number;

        if (!word_number(take_word(&l), 0, &number) || number >= MD_LETTERS)
            continue;
        out->letter = number;
        out->name = cursor_rest(&l);
        if (out->name.len > 0 && out->name.len <= KEYWORD_LEN_MAX && view_find(out->name, 0) == out->name.len)
            return true;
    }
    return false;
}

void md_subs_begin(struct md_subs *s, struct view file)
{
    struct cursor c = cursor_make(file);

    s->tabs = cursor_take_view(&c, VIEW("V\t2\n\n"));
    s->c = c;
}

/* Between levels stands a tab or the separator of the namespace, '.' or '/'; a level is in modified UTF-7, or (where Dovecot was
 * told so) in UTF-8. In version 2 a tab within a level is written as \001 and a letter; no name that we take holds one. */
static bool name_decode(struct view line, bool tabs, struct buf *out)
{
    bool slashes = view_find(line, '/') < line.len;

    buf_reset(out);
    while (line.len > 0) {
        size_t len = 0;
        struct view level;

        while (len < line.len && line.ptr[len] != (tabs ? '\t' : slashes ? '/' : '.'))
            len++;
        level = view_sub(line, 0, len);
        if (mutf7_decode(out, level) != 0) {
            if (!utf8_valid(level) || view_find(level, '&') < level.len)
                return false;
            buf_put_view(out, level);
        }
        if (len < line.len)
            buf_put_byte(out, '/');
        line = view_sub(line, len + 1, line.len);
    }
    return buf_ok(out) && account_check_name(buf_view(out)) == 0;
}

bool md_subs_next(struct md_subs *s, struct buf *out)
{
    struct view line;

    while (take_line(&s->c, &line)) {
        if (line.len > 0 && name_decode(line, s->tabs, out))
            return true;
    }
    return false;
}

static bool take_hex(struct cursor *c, unsigned digits, uint64_t *out)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < digits; i++) {
        uint8_t d = ascii_lower(cursor_byte(c));

        if (d >= '0' && d <= '9')
            n = n << 4 | (uint64_t)(d - '0');
        else if (d >= 'a' && d <= 'f')
            n = n << 4 | (uint64_t)(d - 'a' + 10);
        else
            cursor_fail(c);
    }
    *out = n;
    return !c->failed;
}

uint32_t md_uidvalidity_parse(struct view file)
{
    struct cursor c = cursor_make(file);
    uint64_t n;

    return take_hex(&c, 8, &n) && n != UINT32_MAX ? (uint32_t)n : 0;
}

void md_ident_put(struct buf *out, const struct md_ident *id)
{
    buf_put_fmt(out, "1 %016llx %u %u\n", (unsigned long long)id->account, id->mailbox, id->uidvalidity);
}

bool md_ident_parse(struct view file, struct md_ident *out)
{
    struct cursor c = cursor_make(file);
    struct md_ident id;

    cursor_expect(&c, '1');
    cursor_expect(&c, ' ');
    if (!take_hex(&c, 16, &id.account))
        return false;
    cursor_expect(&c, ' ');
    id.mailbox = (uint32_t)cursor_dec(&c, 1, UINT32_MAX);
    cursor_expect(&c, ' ');
    id.uidvalidity = (uint32_t)cursor_dec(&c, 1, UINT32_MAX);
    cursor_expect(&c, '\n');
    if (!cursor_done(&c))
        return false;
    *out = id;
    return true;
}
