/* fetch-att (RFC 9051 section 9, RFC 3501, 3516, 7162, 8474, 8514, 8970, 9394). */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/text/text.h"
#include "imap/fetch.h"

#define FIELDS_MAX 256
#define LABEL_MAX (64 * 1024)

static struct imap_fetch_item *add(struct imap_parse *p, struct imap_fetch_request *r, enum imap_fetch_op op, const char *label)
{
    struct imap_fetch_item *item;

    if (r->nitems == IMAP_FETCH_ITEMS_MAX) {
        imap_parse_fail(p, "Too many FETCH items");
        return NULL;
    }
    for (size_t i = 0; i < r->nitems; i++) /* asked for twice, answered once */
        if (op < FETCH_SECTION && r->items[i].op == op)
            return &r->items[i];
    item = &r->items[r->nitems++];
    *item = (struct imap_fetch_item){.op = op, .label = view_str(label)};
    return item;
}

/* The numbers. True when a dot follows the last one, so that a word must come. */
static bool parse_part(struct imap_parse *p, struct imap_fetch_item *item, struct buf *label)
{
    int c = imap_parse_peek(p);

    if (c < '1' || c > '9')
        return false;
    item->part = imap_pool_alloc(p->pool, IMAP_PART_DEPTH_MAX * sizeof(*item->part));
    if (item->part == NULL)
        return imap_parse_fail(p, "Too many sections");
    do {
        c = imap_parse_peek(p);
        if (item->npart > 0 && (c < '1' || c > '9'))
            return true;
        if (item->npart == IMAP_PART_DEPTH_MAX)
            return imap_parse_fail(p, "Section too deep");
        item->part[item->npart] = (uint32_t)imap_parse_number(p, 1, UINT32_MAX);
        if (item->npart > 0)
            buf_put_byte(label, '.');
        buf_put_dec(label, item->part[item->npart++]);
    } while (imap_parse_ok(p) && imap_parse_try(p, '.'));
    return false;
}

/* header-fld-name, as it is answered: an atom, or quoted. */
static void put_field(struct imap_parse *p, struct buf *label, struct view name)
{
    bool atom = name.len > 0;

    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];

        if (c <= ' ' || c >= 0x7f || c == ':')
            imap_parse_fail(p, "Invalid header field name");
        if (memchr("(){%*\"\\]", c, 8) != NULL)
            atom = false;
    }
    if (atom) {
        buf_put_view(label, name);
        return;
    }
    buf_put_byte(label, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"' || name.ptr[i] == '\\')
            buf_put_byte(label, '\\');
        buf_put_byte(label, name.ptr[i]);
    }
    buf_put_byte(label, '"');
}

static void parse_fields(struct imap_parse *p, struct imap_fetch_item *item, struct buf *label)
{
    imap_parse_space(p);
    imap_parse_open(p);
    item->fields = imap_pool_alloc(p->pool, FIELDS_MAX * sizeof(*item->fields));
    if (item->fields == NULL) {
        imap_parse_fail(p, "Too many sections");
        return;
    }
    buf_put_str(label, " (");
    do {
        struct view name = imap_parse_astring(p);

        if (item->nfields == FIELDS_MAX)
            imap_parse_fail(p, "Too many header fields");
        if (!imap_parse_ok(p))
            return;
        if (item->nfields > 0)
            buf_put_byte(label, ' ');
        put_field(p, label, name);
        item->fields[item->nfields++] = name;
    } while (imap_parse_try(p, ' '));
    buf_put_byte(label, ')');
    imap_parse_close(p);
}

/* section-text, after the numbers (and their dot). */
static void parse_text(struct imap_parse *p, struct imap_fetch_item *item, struct buf *label)
{
    static const struct {
        const char *name;
        enum imap_section section;
    } texts[] = {{"HEADER.FIELDS.NOT", SECTION_FIELDS_NOT},
                 {"HEADER.FIELDS", SECTION_FIELDS},
                 {"HEADER", SECTION_HEADER},
                 {"TEXT", SECTION_TEXT},
                 {"MIME", SECTION_MIME}};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!imap_parse_try_word(p, texts[i].name))
            continue;
        item->section = texts[i].section;
        if (item->npart > 0)
            buf_put_byte(label, '.');
        buf_put_str(label, texts[i].name);
        if (item->section == SECTION_FIELDS || item->section == SECTION_FIELDS_NOT)
            parse_fields(p, item, label);
        if (item->section == SECTION_MIME && item->npart == 0)
            imap_parse_fail(p, "MIME needs a part number");
        return;
    }
    imap_parse_fail(p, "Unknown section");
}

static void parse_partial(struct imap_parse *p, struct imap_fetch_item *item, struct buf *label)
{
    if (!imap_parse_try(p, '<'))
        return;
    item->partial = true;
    item->from = imap_parse_number(p, 0, INT64_MAX); /* number64 of RFC 9051 */
    imap_parse_expect(p, '.', "Invalid partial range");
    item->count = imap_parse_number(p, 1, INT64_MAX);
    imap_parse_expect(p, '>', "Invalid partial range");
    buf_put_byte(label, '<');
    buf_put_dec(label, item->from);
    buf_put_byte(label, '>');
}

void imap_section_parse(struct imap_parse *p, struct imap_fetch_item *item)
{
    struct buf label;
    bool dot;

    buf_init(&label, LABEL_MAX);
    *item = (struct imap_fetch_item){.op = FETCH_SECTION};
    dot = parse_part(p, item, &label);
    if (dot != (item->npart > 0 && cursor_left(&p->c) > 0))
        imap_parse_fail(p, "Invalid section");
    if (cursor_left(&p->c) > 0)
        parse_text(p, item, &label);
    imap_parse_end(p);
    buf_free(&label);
}

/* After "BODY[", "BODY.PEEK[", "BINARY[" …: name is what the answer begins with. */
static void parse_section(struct imap_parse *p, struct imap_fetch_request *r, enum imap_fetch_op op, const char *name, bool seen)
{
    struct imap_fetch_item *item = add(p, r, op, NULL);
    struct buf label;
    bool dot;
    int c;

    if (item == NULL)
        return;
    item->seen = seen;
    buf_init(&label, LABEL_MAX);
    buf_put_str(&label, name);
    buf_put_byte(&label, '[');
    dot = parse_part(p, item, &label);
    c = imap_parse_peek(p);
    if (dot != (item->npart > 0 && c != ']'))
        imap_parse_fail(p, "Invalid section");
    if (op == FETCH_SECTION && c != ']')
        parse_text(p, item, &label);
    imap_parse_expect(p, ']', "Invalid section");
    buf_put_byte(&label, ']');
    if (op != FETCH_BINARY_SIZE)
        parse_partial(p, item, &label);
    item->label = imap_pool_copy(p->pool, buf_view(&label));
    if (imap_parse_ok(p) && (item->label.ptr == NULL || !buf_ok(&label)))
        imap_parse_fail(p, "Section too large");
    buf_free(&label);
}

static void parse_preview(struct imap_parse *p, struct imap_fetch_request *r)
{
    add(p, r, FETCH_PREVIEW, "PREVIEW");
    if (imap_parse_try_word(p, " (LAZY)"))
        return; /* previews were made when the message came */
}

static void parse_whole(struct imap_parse *p, struct imap_fetch_request *r, enum imap_section section, const char *label)
{
    struct imap_fetch_item *item = add(p, r, FETCH_SECTION, label);

    if (item == NULL)
        return;
    item->section = section;
    item->seen = section != SECTION_HEADER;
}

/* The longest name first where one begins with another. */
static void parse_item(struct imap_parse *p, struct imap_fetch_request *r)
{
    static const struct {
        const char *name;
        enum imap_fetch_op op;
    } plain[] = {{"FLAGS", FETCH_FLAGS},       {"UID", FETCH_UID},           {"INTERNALDATE", FETCH_INTERNALDATE},
                 {"MODSEQ", FETCH_MODSEQ},     {"EMAILID", FETCH_EMAILID},   {"THREADID", FETCH_THREADID},
                 {"SAVEDATE", FETCH_SAVEDATE}, {"ENVELOPE", FETCH_ENVELOPE}, {"BODYSTRUCTURE", FETCH_BODYSTRUCTURE},
                 {"RFC822.SIZE", FETCH_SIZE}};

    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        if (imap_parse_try_word(p, plain[i].name)) {
            add(p, r, plain[i].op, plain[i].name);
            return;
        }
    }
    if (imap_parse_try_word(p, "PREVIEW"))
        parse_preview(p, r);
    else if (imap_parse_try_word(p, "BODY.PEEK["))
        parse_section(p, r, FETCH_SECTION, "BODY", false);
    else if (imap_parse_try_word(p, "BODY["))
        parse_section(p, r, FETCH_SECTION, "BODY", true);
    else if (imap_parse_try_word(p, "BODY"))
        add(p, r, FETCH_BODY, "BODY");
    else if (imap_parse_try_word(p, "BINARY.PEEK["))
        parse_section(p, r, FETCH_BINARY, "BINARY", false);
    else if (imap_parse_try_word(p, "BINARY.SIZE["))
        parse_section(p, r, FETCH_BINARY_SIZE, "BINARY.SIZE", false);
    else if (imap_parse_try_word(p, "BINARY["))
        parse_section(p, r, FETCH_BINARY, "BINARY", true);
    else if (imap_parse_try_word(p, "RFC822.HEADER"))
        parse_whole(p, r, SECTION_HEADER, "RFC822.HEADER");
    else if (imap_parse_try_word(p, "RFC822.TEXT"))
        parse_whole(p, r, SECTION_TEXT, "RFC822.TEXT");
    else if (imap_parse_try_word(p, "RFC822"))
        parse_whole(p, r, SECTION_ALL, "RFC822");
    else
        imap_parse_fail(p, "Unknown FETCH item");
}

static void parse_items(struct imap_parse *p, struct imap_fetch_request *r)
{
    bool full = false, all = false;

    if (imap_parse_peek(p) == '(') {
        imap_parse_open(p);
        do
            parse_item(p, r);
        while (imap_parse_ok(p) && imap_parse_try(p, ' '));
        imap_parse_close(p);
        return;
    }
    if ((full = imap_parse_try_word(p, "FULL")) || (all = imap_parse_try_word(p, "ALL")) || imap_parse_try_word(p, "FAST")) {
        add(p, r, FETCH_FLAGS, "FLAGS");
        add(p, r, FETCH_INTERNALDATE, "INTERNALDATE");
        add(p, r, FETCH_SIZE, "RFC822.SIZE");
        if (full || all)
            add(p, r, FETCH_ENVELOPE, "ENVELOPE");
        if (full)
            add(p, r, FETCH_BODY, "BODY");
        return;
    }
    parse_item(p, r);
}

void imap_fetch_parse_atts(struct imap_parse *p)
{
    struct imap_fetch_request *r = xcalloc(1, sizeof(*r));

    if (imap_parse_peek(p) != '(')
        imap_parse_fail(p, "Missing opening parenthesis");
    parse_items(p, r);
    free(r);
}

static void parse_modifier(struct imap_parse *p, struct imap_fetch_request *r)
{
    if (imap_parse_try_word(p, "VANISHED")) {
        r->vanished = true;
        return;
    }
    if (imap_parse_try_word(p, "PARTIAL")) {
        if (r->has_partial)
            imap_parse_fail(p, "PARTIAL can be given once");
        imap_parse_space(p);
        imap_partial_parse(p, &r->partial);
        r->has_partial = true;
        return;
    }
    if (!imap_parse_try_word(p, "CHANGEDSINCE"))
        imap_parse_fail(p, "Unknown FETCH modifier");
    imap_parse_space(p);
    r->changedsince = imap_parse_number(p, 1, INT64_MAX);
    r->has_changedsince = true;
}

void imap_fetch_parse(struct imap_parse *p, struct imap_fetch_request *r, bool uid)
{
    imap_parse_space(p);
    if (uid && !p->uidonly) /* UIDFETCH responses say it already */
        add(p, r, FETCH_UID, "UID");
    parse_items(p, r);
    if (!imap_parse_try(p, ' '))
        return;
    imap_parse_open(p);
    do
        parse_modifier(p, r);
    while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    imap_parse_close(p);
    if (r->vanished && (!uid || !r->has_changedsince))
        imap_parse_fail(p, "VANISHED is for UID FETCH with CHANGEDSINCE");
    if (r->has_changedsince)
        add(p, r, FETCH_MODSEQ, "MODSEQ");
}
