/*
 * Values: from the text of the file into the structs and back. Reading and writing of a type stand side by side, so that what is
 * written always reads back as the same value.
 */
#include "common/conf/conf_int.h"

#include <stddef.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/log/log.h"

struct conf_unit { /* of a size or a time; larger units first; ends with name NULL */
    const char *name;
    uint64_t factor;
};

static const struct conf_unit size_units[] = {
    {"T", 1ull << 40}, {"G", 1ull << 30}, {"M", 1ull << 20}, {"K", 1ull << 10}, {"", 1}, {NULL, 0},
};
static const struct conf_unit time_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};

/* --- writing ---------------------------------------------------------------------------------------------- */

static void put_with_unit(struct buf *out, uint64_t n, const struct conf_unit *units)
{
    const struct conf_unit *u = units;

    while (u[1].name != NULL && (n == 0 || n % u->factor != 0))
        u++;
    buf_put_dec(out, n / u->factor);
    if (n != 0)
        buf_put_str(out, u->name);
}

static bool word_is_plain(struct view v)
{
    size_t i;

    for (i = 0; i < v.len; i++)
        if (v.ptr[i] <= ' ' || v.ptr[i] == '"' || v.ptr[i] == '#' || v.ptr[i] == ',')
            return false;
    return v.len > 0;
}

static void put_word(struct buf *out, const char *word)
{
    struct view v = view_str(word);
    size_t i;

    if (word_is_plain(v)) {
        buf_put_view(out, v);
        return;
    }
    buf_put_byte(out, '"');
    for (i = 0; i < v.len; i++) {
        if (v.ptr[i] == '"' || v.ptr[i] == '\\')
            buf_put_byte(out, '\\');
        buf_put_byte(out, v.ptr[i]);
    }
    buf_put_byte(out, '"');
}

static void put_list(struct buf *out, const struct conf_list *list)
{
    size_t i;

    for (i = 0; i < list->n; i++) {
        if (i > 0)
            buf_put_byte(out, ' ');
        put_word(out, list->items[i]);
    }
}

static void put_enum(struct buf *out, const struct conf_word *words, int value)
{
    while (words->word != NULL && words->value != value)
        words++;
    ASSERT(words->word != NULL);
    buf_put_str(out, words->word);
}

void conf_value_write(const struct conf_setting *setting, const void *base, struct buf *out)
{
    const void *at = (const char *)base + setting->offset;

    switch (setting->type) {
    case CONF_BOOL:
        buf_put_str(out, *(const bool *)at ? "yes" : "no");
        break;
    case CONF_UINT:
        buf_put_dec(out, *(const uint64_t *)at);
        break;
    case CONF_SIZE:
        put_with_unit(out, *(const uint64_t *)at, size_units);
        break;
    case CONF_TIME:
        put_with_unit(out, *(const uint64_t *)at, time_units);
        break;
    case CONF_STRING:
    case CONF_PATH:
        put_word(out, *(const char *const *)at);
        break;
    case CONF_ENUM:
        put_enum(out, setting->words, *(const int *)at);
        break;
    case CONF_LIST:
        put_list(out, at);
        break;
    }
}

static void put_words(struct buf *out, const struct conf_word *words)
{
    const struct conf_word *w;

    for (w = words; w->word != NULL; w++) {
        buf_put_str(out, w == words ? "" : ", ");
        buf_put_str(out, w->word);
    }
}

static void put_range(struct buf *out, const struct conf_setting *setting, const struct conf_unit *units)
{
    buf_put_str(out, "from ");
    put_with_unit(out, setting->min, units);
    buf_put_str(out, " to ");
    put_with_unit(out, setting->max, units);
}

void conf_value_bounds(const struct conf_setting *setting, struct buf *out)
{
    static const struct conf_unit plain[] = {{"", 1}, {NULL, 0}};

    switch (setting->type) {
    case CONF_BOOL:
        buf_put_str(out, "yes or no");
        break;
    case CONF_UINT:
        put_range(out, setting, plain);
        break;
    case CONF_SIZE:
        put_range(out, setting, size_units);
        break;
    case CONF_TIME:
        put_range(out, setting, time_units);
        break;
    case CONF_ENUM:
        buf_put_str(out, "one of: ");
        put_words(out, setting->words);
        break;
    case CONF_LIST:
        if (setting->words != NULL) {
            buf_put_str(out, "any of: ");
            put_words(out, setting->words);
        }
        break;
    case CONF_STRING:
    case CONF_PATH:
        break;
    }
}

/* --- reading ---------------------------------------------------------------------------------------------- */

static void put_shown(struct buf *why, struct view raw)
{
    struct view cut = view_sub(raw, 0, CONF_NAME_MAX);
    size_t i;

    buf_put_byte(why, '\'');
    for (i = 0; i < cut.len; i++)
        buf_put_byte(why, cut.ptr[i] < ' ' || cut.ptr[i] == 0x7f ? '?' : cut.ptr[i]);
    buf_put_str(why, raw.len > cut.len ? "…'" : "'");
}

static int fail_with_bounds(const struct conf_setting *setting, struct view raw, const char *what, struct buf *why)
{
    put_shown(why, raw);
    buf_put_str(why, what);
    buf_put_str(why, "; allowed: ");
    conf_value_bounds(setting, why);
    return ERR_RANGE;
}

static int fail_text(const char *what, struct buf *why)
{
    buf_put_str(why, what);
    return ERR_SYNTAX;
}

/* Takes a quoted word whose opening quote is next. */
static int take_quoted(struct cursor *c, struct buf *word, struct buf *why)
{
    uint8_t byte;

    cursor_expect(c, '"');
    while (cursor_left(c) > 0) {
        byte = cursor_byte(c);
        if (byte == '"')
            return 0;
        if (byte == '\\') {
            byte = cursor_left(c) > 0 ? cursor_byte(c) : 0;
            if (byte != '"' && byte != '\\')
                return fail_text("in quotes a backslash may only stand before '\"' or '\\'", why);
        }
        if (byte < ' ')
            return fail_text("control characters (tabs too) are not allowed in a value", why);
        buf_put_byte(word, byte);
    }
    return fail_text("the closing '\"' is missing", why);
}

/* The whole raw text as one word, unquoted. */
static int take_scalar(struct view raw, struct buf *word, struct buf *why)
{
    struct cursor c = cursor_make(raw);
    int err;

    if (cursor_peek(&c) != '"') {
        if (view_find(raw, '"') != raw.len)
            return fail_text("a value with '\"' in it must be quoted as a whole", why);
        if (view_find(raw, '\t') != raw.len)
            return fail_text("control characters (tabs too) are not allowed in a value", why);
        buf_put_view(word, raw);
        return 0;
    }
    err = take_quoted(&c, word, why);
    if (err == 0 && cursor_left(&c) > 0)
        return fail_text("text after the closing '\"'", why);
    return err;
}

static int parse_number(const struct conf_setting *setting, struct view raw, const struct conf_unit *units, uint64_t bare_factor,
                        uint64_t *out, struct buf *why)
{
    struct cursor c = cursor_make(raw);
    const struct conf_unit *u;
    uint64_t n = cursor_dec(&c, 0, UINT64_MAX), factor = 0;
    struct view unit;

    if (c.failed)
        return fail_with_bounds(setting, raw, " is not a number that fits here", why);
    unit = view_trim(cursor_rest(&c));
    if (unit.len == 0)
        factor = bare_factor;
    for (u = units; factor == 0 && u != NULL && u->name != NULL; u++)
        if (view_eq_nocase(unit, view_str(u->name)))
            factor = u->factor;
    if (factor == 0)
        return fail_with_bounds(setting, raw,
                                units == time_units   ? " has no known unit (ms, s, min, h, d)"
                                : units == size_units ? " has no known unit (K, M, G, T)"
                                                      : " is not a number",
                                why);
    if (__builtin_mul_overflow(n, factor, &n) || n < setting->min || n > setting->max)
        return fail_with_bounds(setting, raw, " is out of bounds", why);
    *out = n;
    return 0;
}

static int parse_bool(const struct conf_setting *setting, struct view raw, bool *out, struct buf *why)
{
    if (view_eq(raw, VIEW("yes")))
        *out = true;
    else if (view_eq(raw, VIEW("no")))
        *out = false;
    else
        return fail_with_bounds(setting, raw, " is not a choice", why);
    return 0;
}

static const struct conf_word *find_word(const struct conf_word *words, struct view v)
{
    const struct conf_word *w;

    for (w = words; w->word != NULL; w++)
        if (view_eq(v, view_str(w->word)))
            return w;
    return NULL;
}

static int parse_enum(const struct conf_setting *setting, struct view word, int *out, struct buf *why)
{
    const struct conf_word *found = find_word(setting->words, word);

    if (found == NULL)
        return fail_with_bounds(setting, word, " is not a choice", why);
    *out = found->value;
    return 0;
}

static int check_length(const struct conf_setting *setting, size_t n, const char *of, struct buf *why)
{
    if (n >= setting->min && n <= setting->max)
        return 0;
    buf_put_fmt(why, "%zu %s; allowed: from %llu to %llu", n, of, (unsigned long long)setting->min,
                (unsigned long long)setting->max);
    return ERR_RANGE;
}

static int parse_string(struct conf *conf, const struct conf_setting *setting, struct view word, const char **out,
                        struct buf *why)
{
    int err = check_length(setting, word.len, "octets", why);

    if (err == 0)
        *out = conf_keep_view(conf, word);
    return err;
}

static int parse_path(struct conf *conf, const struct conf_setting *setting, struct view word, const char *folder,
                      const char **out, struct buf *why)
{
    struct buf joined;
    int err;

    if (word.len == 0 || word.ptr[0] == '/')
        return parse_string(conf, setting, word, out, why);
    if (folder == NULL)
        return fail_text("the path must be absolute", why);
    buf_init(&joined, setting->max + 1);
    buf_put_str(&joined, folder);
    buf_put_byte(&joined, '/');
    buf_put_view(&joined, word);
    err = buf_ok(&joined) ? parse_string(conf, setting, buf_view(&joined), out, why) : fail_text("the path is too long", why);
    buf_free(&joined);
    return err;
}

static bool is_separator(int byte)
{
    return byte == ' ' || byte == '\t' || byte == ',';
}

/* The next item of a list; false at the end. */
static bool take_item(struct cursor *c, struct buf *word, int *err, struct buf *why)
{
    while (is_separator(cursor_peek(c)))
        (void)cursor_byte(c);
    if (cursor_peek(c) < 0)
        return false;
    buf_reset(word);
    if (cursor_peek(c) == '"') {
        *err = take_quoted(c, word, why);
        if (*err == 0 && cursor_peek(c) >= 0 && !is_separator(cursor_peek(c)))
            *err = fail_text("a blank or comma is missing after a closing '\"'", why);
        return *err == 0;
    }
    while (cursor_peek(c) >= 0 && !is_separator(cursor_peek(c)))
        buf_put_byte(word, cursor_byte(c));
    if (view_find(buf_view(word), '"') != buf_len(word))
        *err = fail_text("an item with '\"' in it must be quoted as a whole", why);
    return *err == 0;
}

static int parse_list(struct conf *conf, const struct conf_setting *setting, struct view raw, struct conf_list *out,
                      struct buf *why)
{
    struct cursor c = cursor_make(raw);
    struct conf_list list = {conf_keep(conf, (setting->max + 1) * sizeof(*list.items)), 0};
    struct buf word;
    int err = 0;

    buf_init(&word, raw.len + 1);
    while (take_item(&c, &word, &err, why)) {
        if (setting->words != NULL && find_word(setting->words, buf_view(&word)) == NULL) {
            err = fail_with_bounds(setting, buf_view(&word), " is not a choice", why);
            break;
        }
        if (list.n == setting->max) {
            err = check_length(setting, list.n + 1, "or more items", why);
            break;
        }
        list.items[list.n++] = conf_keep_view(conf, buf_view(&word));
    }
    buf_free(&word);
    if (err == 0)
        err = check_length(setting, list.n, "items", why);
    if (err == 0)
        *out = list;
    return err;
}

static int parse_word(struct conf *conf, const struct conf_setting *setting, struct view word, const char *folder, void *at,
                      struct buf *why)
{
    switch (setting->type) {
    case CONF_BOOL:
        return parse_bool(setting, word, at, why);
    case CONF_UINT:
        return parse_number(setting, word, NULL, 1, at, why);
    case CONF_SIZE:
        return parse_number(setting, word, size_units, 1, at, why);
    case CONF_TIME:
        return parse_number(setting, word, time_units, 1000, at, why);
    case CONF_STRING:
        return parse_string(conf, setting, word, at, why);
    case CONF_PATH:
        return parse_path(conf, setting, word, folder, at, why);
    case CONF_ENUM:
        return parse_enum(setting, word, at, why);
    case CONF_LIST:
        break; /* not one word */
    }
    PANIC("type of a setting");
}

int conf_value_parse(struct conf *conf, const struct conf_setting *setting, struct view raw, const char *folder, void *base,
                     struct buf *why)
{
    void *at = (char *)base + setting->offset;
    struct buf word;
    int err;

    if (setting->type == CONF_LIST)
        return parse_list(conf, setting, raw, at, why);
    buf_init(&word, raw.len + 1);
    err = take_scalar(raw, &word, why);
    if (err == 0)
        err = parse_word(conf, setting, buf_view(&word), folder, at, why);
    buf_free(&word);
    return err;
}

void conf_value_defaults(struct conf *conf, const struct conf_setting *settings, void *base)
{
    const struct conf_setting *s;
    struct buf why;

    buf_init(&why, 1024);
    for (s = settings; s != NULL && s->name != NULL; s++)
        if (conf_value_parse(conf, s, view_str(s->def), NULL, base, &why) != 0)
            PANIC(s->name);
    buf_free(&why);
}
