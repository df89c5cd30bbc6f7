/*
 * The coding of digests: each pair of functions writes and reads one thing.
 *
 *   byte      version
 *   varint    flags (enum digest_flag)
 *   byte      number of names of header fields (255: not known), then their hashes, u16 each; not in version 1
 *   varint    Date: as seconds, zigzag; then its zone in minutes, zigzag   only with FLAG_DATE
 *   string    base subject; references; preview
 *   envelope  of the message
 *   varint    number of parts, then the parts in document order
 *   envelope  of each MIME_MESSAGE part, in document order
 *
 *   string    varint length, bytes        nstring   varint 0 for NIL, else length + 1, bytes
 *   token     varint: odd, an index << 1 | 1 into tokens[]; even, length << 1, then bytes
 *   part      byte kind | optional fields; varint levels up from the part before; varint octets between its header and where the
 * part before (a container: its body) ends (begins); varints header length, body length, lines; tokens type, subtype, encoding;
 * then the rest envelope  byte which lists are the same as from; nstrings; address lists
 *
 * A tree in document order with levels can only have parents before their children, so no damage can make a cycle. What is read
 * is checked to be a tree that the parser could have made: kinds, children within their parents, siblings in order. tokens[] is
 * part of the format: it may grow at its end, up to 64, with a new version.
 */
#include "storage/message/digest_int.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/message/arena.h"

#define DECODE_ARENA_CAP (32u * 1024 * 1024)
#define DECODE_PARTS_MAX 100000u
#define NAMES_UNKNOWN 255u
#define OFFSET_MAX ((uint64_t)1 << 60)
#define SENT_DATE_MAX ((int64_t)1 << 40) /* beyond the year 9999 */

enum digest_flag { FLAG_TRUNCATED = 1, FLAG_REPLY = 2, FLAG_PREVIEW = 4, FLAG_DATE = 8, FLAG_ONCE = 16, FLAGS_ALL = 31 };
enum part_flag {
    PART_KIND = 3,
    PART_ID = 4,
    PART_DESCRIPTION = 8,
    PART_MD5 = 16,
    PART_LOCATION = 32,
    PART_DISPOSITION = 64,
    PART_LANGUAGES = 128
};
enum envelope_flag { SENDER_IS_FROM = 1, REPLY_TO_IS_FROM = 2 };

#define TOKEN(lit)                              \
    {                                           \
        (const uint8_t *)(lit), sizeof(lit) - 1 \
    }
static const struct view tokens[] = {
    TOKEN("text"),
    TOKEN("plain"),
    TOKEN("html"),
    TOKEN("multipart"),
    TOKEN("alternative"),
    TOKEN("mixed"),
    TOKEN("related"),
    TOKEN("signed"),
    TOKEN("report"),
    TOKEN("message"),
    TOKEN("rfc822"),
    TOKEN("delivery-status"),
    TOKEN("application"),
    TOKEN("octet-stream"),
    TOKEN("pdf"),
    TOKEN("pgp-signature"),
    TOKEN("image"),
    TOKEN("png"),
    TOKEN("jpeg"),
    TOKEN("gif"),
    TOKEN("calendar"),
    TOKEN("charset"),
    TOKEN("utf-8"),
    TOKEN("UTF-8"),
    TOKEN("us-ascii"),
    TOKEN("US-ASCII"),
    TOKEN("iso-8859-1"),
    TOKEN("ISO-8859-1"),
    TOKEN("windows-1252"),
    TOKEN("boundary"),
    TOKEN("name"),
    TOKEN("filename"),
    TOKEN("7bit"),
    TOKEN("8bit"),
    TOKEN("binary"),
    TOKEN("quoted-printable"),
    TOKEN("base64"),
    TOKEN("attachment"),
    TOKEN("inline"),
    TOKEN("format"),
    TOKEN("flowed"),
    TOKEN("delsp"),
    TOKEN("yes"),
    TOKEN("no"),
    TOKEN("type"),
    TOKEN("text/html"),
    TOKEN("protocol"),
    TOKEN("micalg"),
    TOKEN("report-type"),
    TOKEN("size"),
    TOKEN("creation-date"),
    TOKEN("modification-date"),
    TOKEN("method"),
    TOKEN("REQUEST"),
    TOKEN("rfc822-headers"),
    TOKEN("pkcs7-signature"),
};

/* --- strings --- */

static void put_string(struct buf *out, struct view v)
{
    buf_put_varint(out, v.len);
    buf_put_view(out, v);
}

static struct view get_bytes(struct cursor *c, uint64_t len)
{
    if (len > cursor_left(c))
        cursor_fail(c);
    struct view v = cursor_bytes(c, c->failed ? 0 : (size_t)len);
    return v.ptr == NULL ? VIEW("") : v;
}

static struct view get_string(struct cursor *c)
{
    return get_bytes(c, cursor_varint(c));
}

static void put_nstring(struct buf *out, struct view v)
{
    buf_put_varint(out, v.ptr == NULL ? 0 : (uint64_t)v.len + 1);
    buf_put_view(out, v);
}

static struct view get_nstring(struct cursor *c)
{
    uint64_t n = cursor_varint(c);
    return n == 0 ? (struct view){NULL, 0} : get_bytes(c, n - 1);
}

static void put_token(struct buf *out, struct view v)
{
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        if (view_eq(v, tokens[i])) {
            buf_put_varint(out, i << 1 | 1);
            return;
        }
    }
    buf_put_varint(out, (uint64_t)v.len << 1);
    buf_put_view(out, v);
}

static struct view get_token(struct cursor *c)
{
    uint64_t n = cursor_varint(c);
    if ((n & 1) == 0)
        return get_bytes(c, n >> 1);
    if (n >> 1 < ARRAY_LEN(tokens))
        return tokens[n >> 1];
    cursor_fail(c);
    return VIEW("");
}

static uint64_t zigzag(int64_t n)
{
    return ((uint64_t)n << 1) ^ (uint64_t)(n < 0 ? -1 : 0);
}

static int64_t unzigzag(uint64_t n)
{
    return (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
}

/* A count of things that take at least least octets each: more cannot follow. */
static size_t get_count(struct cursor *c, size_t least)
{
    uint64_t n = cursor_varint(c);
    if (n > cursor_left(c) / least) {
        cursor_fail(c);
        return 0;
    }
    return (size_t)n;
}

static void *get_array(struct cursor *c, struct arena *a, size_t n, size_t size)
{
    void *p = n == 0 || c->failed ? NULL : arena_alloc(a, n, size);
    if (n > 0 && p == NULL)
        cursor_fail(c);
    return p;
}

/* --- envelopes --- */

static void put_addresses(struct buf *out, struct address_list list)
{
    buf_put_varint(out, list.n);
    for (size_t i = 0; i < list.n; i++) {
        put_nstring(out, list.items[i].name);
        put_nstring(out, list.items[i].route);
        put_nstring(out, list.items[i].mailbox);
        put_nstring(out, list.items[i].host);
    }
}

static void get_address(struct cursor *c, struct address *a)
{
    a->name = get_nstring(c);
    a->route = get_nstring(c);
    a->mailbox = get_nstring(c);
    a->host = get_nstring(c);
}

static struct address_list get_addresses(struct cursor *c, struct arena *a)
{
    size_t n = get_count(c, 4);
    struct address_list list = {get_array(c, a, n, sizeof(struct address)), 0};
    for (size_t i = 0; i < n && !c->failed; i++) {
        get_address(c, &list.items[i]);
        list.n = i + 1;
    }
    return list;
}

static bool same_nstring(struct view a, struct view b)
{
    return (a.ptr == NULL) == (b.ptr == NULL) && view_eq(a, b);
}

static bool same_addresses(struct address_list a, struct address_list b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n && a.items != b.items; i++) {
        const struct address *x = &a.items[i], *y = &b.items[i];
        if (!same_nstring(x->name, y->name) || !same_nstring(x->route, y->route) || !same_nstring(x->mailbox, y->mailbox) ||
            !same_nstring(x->host, y->host))
            return false;
    }
    return true;
}

void digest_put_envelope(struct buf *out, const struct envelope *e)
{
    unsigned flags = 0;
    flags |= same_addresses(e->sender, e->from) ? SENDER_IS_FROM : 0;
    flags |= same_addresses(e->reply_to, e->from) ? REPLY_TO_IS_FROM : 0;
    buf_put_u8(out, (uint8_t)flags);
    put_nstring(out, e->date);
    put_nstring(out, e->subject);
    put_nstring(out, e->in_reply_to);
    put_nstring(out, e->message_id);
    put_addresses(out, e->from);
    if ((flags & SENDER_IS_FROM) == 0)
        put_addresses(out, e->sender);
    if ((flags & REPLY_TO_IS_FROM) == 0)
        put_addresses(out, e->reply_to);
    put_addresses(out, e->to);
    put_addresses(out, e->cc);
    put_addresses(out, e->bcc);
}

/* What is before the lists of addresses; returns the flags. */
static unsigned get_texts(struct cursor *c, struct envelope *e)
{
    unsigned flags = cursor_u8(c);
    if ((flags & ~(unsigned)(SENDER_IS_FROM | REPLY_TO_IS_FROM)) != 0)
        cursor_fail(c);
    e->date = get_nstring(c);
    e->subject = get_nstring(c);
    e->in_reply_to = get_nstring(c);
    e->message_id = get_nstring(c);
    return flags;
}

static void get_envelope(struct cursor *c, struct arena *a, struct envelope *e)
{
    unsigned flags = get_texts(c, e);
    e->from = get_addresses(c, a);
    e->sender = (flags & SENDER_IS_FROM) != 0 ? e->from : get_addresses(c, a);
    e->reply_to = (flags & REPLY_TO_IS_FROM) != 0 ? e->from : get_addresses(c, a);
    e->to = get_addresses(c, a);
    e->cc = get_addresses(c, a);
    e->bcc = get_addresses(c, a);
}

/* --- parts --- */

static void put_params(struct buf *out, const struct mime_param *params, size_t n)
{
    buf_put_varint(out, n);
    for (size_t i = 0; i < n; i++) {
        put_token(out, params[i].name);
        put_token(out, params[i].value);
    }
}

static struct mime_param *get_params(struct cursor *c, struct arena *a, size_t *n_out)
{
    size_t n = get_count(c, 2);
    struct mime_param *params = get_array(c, a, n, sizeof(*params));
    for (size_t i = 0; i < n && !c->failed; i++) {
        params[i].name = get_token(c);
        params[i].value = get_token(c);
    }
    *n_out = c->failed ? 0 : n;
    return params;
}

static unsigned part_flags(const struct mime_part *p)
{
    unsigned flags = p->kind;
    flags |= p->id.ptr != NULL ? PART_ID : 0;
    flags |= p->description.ptr != NULL ? PART_DESCRIPTION : 0;
    flags |= p->md5.ptr != NULL ? PART_MD5 : 0;
    flags |= p->location.ptr != NULL ? PART_LOCATION : 0;
    flags |= p->disposition.ptr != NULL ? PART_DISPOSITION : 0;
    flags |= p->nlanguages > 0 ? PART_LANGUAGES : 0;
    return flags;
}

static void put_details(struct buf *out, const struct mime_part *p, unsigned flags)
{
    put_token(out, p->type);
    put_token(out, p->subtype);
    put_token(out, p->encoding);
    put_params(out, p->params, p->nparams);
    if ((flags & PART_ID) != 0)
        put_string(out, p->id);
    if ((flags & PART_DESCRIPTION) != 0)
        put_string(out, p->description);
    if ((flags & PART_MD5) != 0)
        put_string(out, p->md5);
    if ((flags & PART_LOCATION) != 0)
        put_string(out, p->location);
    if ((flags & PART_DISPOSITION) != 0) {
        put_token(out, p->disposition);
        put_params(out, p->disposition_params, p->ndisposition_params);
    }
    if ((flags & PART_LANGUAGES) != 0)
        buf_put_varint(out, p->nlanguages);
    for (size_t i = 0; i < p->nlanguages; i++)
        put_token(out, p->languages[i]);
}

static void get_details(struct cursor *c, struct arena *a, struct mime_part *p, unsigned flags)
{
    p->type = get_token(c);
    p->subtype = get_token(c);
    p->encoding = get_token(c);
    p->params = get_params(c, a, &p->nparams);
    if ((flags & PART_ID) != 0)
        p->id = get_string(c);
    if ((flags & PART_DESCRIPTION) != 0)
        p->description = get_string(c);
    if ((flags & PART_MD5) != 0)
        p->md5 = get_string(c);
    if ((flags & PART_LOCATION) != 0)
        p->location = get_string(c);
    if ((flags & PART_DISPOSITION) != 0) {
        p->disposition = get_token(c);
        p->disposition_params = get_params(c, a, &p->ndisposition_params);
    }
    size_t n = (flags & PART_LANGUAGES) != 0 ? get_count(c, 1) : 0;
    p->languages = get_array(c, a, n, sizeof(*p->languages));
    for (; p->nlanguages < n && !c->failed; p->nlanguages++)
        p->languages[p->nlanguages] = get_token(c);
}

/* Where the part after p may begin at the earliest. */
static uint64_t floor_after(const struct mime_part *p)
{
    return p->kind == MIME_LEAF ? p->body_off + p->body_len : p->body_off;
}

static void put_part(struct buf *out, const struct mime_part *p, const struct mime_part *before)
{
    unsigned flags = part_flags(p);
    buf_put_u8(out, (uint8_t)flags);
    if (before != NULL) {
        buf_put_varint(out, (uint64_t)before->depth + 1 - p->depth);
        buf_put_varint(out, p->header_off - floor_after(before));
    }
    buf_put_varint(out, p->header_len);
    buf_put_varint(out, p->body_len);
    buf_put_varint(out, p->body_lines);
    put_details(out, p, flags);
}

/* Hangs part i into the tree, `up` levels above what follows from the part before it. */
static bool link_part(struct mime_part *parts, uint32_t i, uint64_t up)
{
    uint32_t last = 0, parent = i - 1; /* last: the parent's last child so far; 0: none */
    for (; up > 0; up--) {
        if (parent == 0)
            return false;
        last = parent;
        parent = parts[parent].parent;
    }
    struct mime_part *p = &parts[i];
    if (parts[parent].kind == MIME_LEAF || (parts[parent].kind == MIME_MESSAGE && last != 0) || parts[parent].depth == UINT16_MAX)
        return false;
    p->parent = parent;
    p->depth = (uint16_t)(parts[parent].depth + 1);
    p->number = last == 0 ? 1 : parts[last].number + 1;
    if (last == 0)
        parts[parent].first_child = i;
    else
        parts[last].next_sibling = i;
    return true;
}

/* Part i lies within its parent (a message: is the parent's body) and behind its sibling. */
static bool placed_well(const struct mime_part *parts, uint32_t i, const struct mime_part *sibling)
{
    const struct mime_part *p = &parts[i], *parent = &parts[p->parent];
    if (sibling != NULL && p->header_off < sibling->body_off + sibling->body_len)
        return false;
    uint64_t end = p->body_off + p->body_len, parent_end = parent->body_off + parent->body_len;
    if (parent->kind == MIME_MESSAGE)
        return p->header_off == parent->body_off && end == parent_end;
    return p->header_off >= parent->body_off && end <= parent_end;
}

static const struct mime_part *sibling_before(const struct mime_part *parts, uint32_t i)
{
    uint32_t at = i - 1;
    if (parts[i].number == 1)
        return NULL;
    while (parts[at].parent != parts[i].parent)
        at = parts[at].parent;
    return &parts[at];
}

static uint64_t get_offset(struct cursor *c)
{
    uint64_t n = cursor_varint(c);
    if (n > OFFSET_MAX)
        cursor_fail(c);
    return c->failed ? 0 : n;
}

static void get_part(struct cursor *c, struct arena *a, struct mime_part *parts, uint32_t i)
{
    struct mime_part *p = &parts[i];
    unsigned flags = cursor_u8(c);
    p->kind = flags & PART_KIND;
    if (p->kind > MIME_MESSAGE)
        cursor_fail(c);
    if (i > 0) {
        uint64_t up = cursor_varint(c);
        p->header_off = floor_after(&parts[i - 1]) + get_offset(c);
        if (c->failed || !link_part(parts, i, up))
            cursor_fail(c);
    }
    p->header_len = get_offset(c);
    p->body_len = get_offset(c);
    p->body_lines = get_offset(c);
    p->body_off = p->header_off + p->header_len;
    if (p->body_off > OFFSET_MAX || p->body_off + p->body_len > OFFSET_MAX)
        cursor_fail(c);
    if (!c->failed && i > 0 && !placed_well(parts, i, sibling_before(parts, i)))
        cursor_fail(c);
    if (!c->failed)
        get_details(c, a, p, flags);
}

/* Returns how many of the parts are MIME_MESSAGE. */
static size_t get_parts(struct cursor *c, struct arena *a, struct mime_msg *m)
{
    size_t n = get_count(c, 8), messages = 0;
    if (n == 0 || n > DECODE_PARTS_MAX)
        cursor_fail(c);
    m->parts = get_array(c, a, n, sizeof(*m->parts));
    for (uint32_t i = 0; i < n && !c->failed; i++)
        get_part(c, a, m->parts, i);
    for (size_t i = 0; i < n && !c->failed; i++) {
        if (m->parts[i].kind != MIME_LEAF && m->parts[i].first_child == 0)
            cursor_fail(c);
        messages += m->parts[i].kind == MIME_MESSAGE;
    }
    m->nparts = c->failed ? 0 : n;
    return messages;
}

/* --- the whole --- */

void digest_put_head(struct buf *out, const struct digest *d)
{
    bool dated = d->sent_date != INT64_MIN;
    unsigned flags = (d->mime.truncated ? FLAG_TRUNCATED : 0u) | (d->subject_is_reply ? FLAG_REPLY : 0u) |
                     (d->preview_ok ? FLAG_PREVIEW : 0u) | (dated ? FLAG_DATE : 0u) | (d->header_once ? FLAG_ONCE : 0u);
    buf_put_u8(out, DIGEST_VERSION);
    buf_put_varint(out, flags);
    buf_put_u8(out, d->names_known ? (uint8_t)(d->header_names.len / 2) : NAMES_UNKNOWN);
    buf_put_view(out, d->names_known ? d->header_names : VIEW(""));
    if (dated) {
        buf_put_varint(out, zigzag(d->sent_date));
        buf_put_varint(out, zigzag(d->sent_zone));
    }
    put_string(out, d->base_subject);
    put_string(out, d->references);
    put_string(out, d->preview);
    digest_put_envelope(out, &d->envelope);
    buf_put_varint(out, d->mime.nparts);
    for (size_t i = 0; i < d->mime.nparts; i++)
        put_part(out, &d->mime.parts[i], i == 0 ? NULL : &d->mime.parts[i - 1]);
}

static void get_names(struct cursor *c, unsigned version, struct digest *d)
{
    unsigned n = version == 1 ? NAMES_UNKNOWN : cursor_u8(c);
    d->names_known = n != NAMES_UNKNOWN;
    d->header_names = get_bytes(c, d->names_known ? (uint64_t)n * 2 : 0);
}

static int get_summary(struct cursor *c, struct digest *d)
{
    memset(d, 0, sizeof(*d));
    d->sent_date = INT64_MIN;
    if (cursor_left(c) == 0)
        return ERR_CORRUPT;
    uint8_t version = cursor_u8(c);
    if (version == 0 || version > DIGEST_VERSION)
        return version > DIGEST_VERSION ? ERR_UNSUPPORTED : ERR_CORRUPT;
    uint64_t flags = cursor_varint(c);
    if (flags > (version == 1 ? FLAGS_ALL & ~FLAG_ONCE : FLAGS_ALL))
        cursor_fail(c);
    get_names(c, version, d);
    if ((flags & FLAG_DATE) != 0) {
        d->sent_date = unzigzag(cursor_varint(c));
        int64_t zone = unzigzag(cursor_varint(c));
        if (zone <= -24 * 60 || zone >= 24 * 60 || d->sent_date < -SENT_DATE_MAX || d->sent_date > SENT_DATE_MAX)
            cursor_fail(c);
        d->sent_zone = c->failed ? 0 : (int)zone;
    }
    d->base_subject = get_string(c);
    d->references = get_string(c);
    d->preview = get_string(c);
    d->mime.truncated = (flags & FLAG_TRUNCATED) != 0;
    d->subject_is_reply = (flags & FLAG_REPLY) != 0;
    d->preview_ok = (flags & FLAG_PREVIEW) != 0;
    d->header_once = (flags & FLAG_ONCE) != 0;
    return c->failed ? ERR_CORRUPT : 0;
}

int digest_decode_summary(struct view bytes, struct digest *out)
{
    struct cursor c = cursor_make(bytes);
    struct digest d;
    int err = get_summary(&c, &d);
    if (err != 0)
        return err;
    (void)get_texts(&c, &d.envelope);
    if (c.failed)
        return ERR_CORRUPT;
    *out = d;
    return 0;
}

int digest_each_address(struct view bytes, enum digest_addresses which, bool (*fn)(void *arg, const struct address *a), void *arg)
{
    struct cursor c = cursor_make(bytes);
    struct digest d;
    int err = get_summary(&c, &d);
    if (err != 0)
        return err;
    unsigned flags = get_texts(&c, &d.envelope);
    if ((which == DIGEST_SENDER && (flags & SENDER_IS_FROM) != 0) ||
        (which == DIGEST_REPLY_TO && (flags & REPLY_TO_IS_FROM) != 0))
        which = DIGEST_FROM;
    for (unsigned list = DIGEST_FROM; list <= which; list++) {
        if ((list == DIGEST_SENDER && (flags & SENDER_IS_FROM) != 0) ||
            (list == DIGEST_REPLY_TO && (flags & REPLY_TO_IS_FROM) != 0))
            continue;
        for (size_t n = get_count(&c, 4); n > 0 && !c.failed; n--) {
            struct address a;
            get_address(&c, &a);
            if (!c.failed && list == which && !fn(arg, &a))
                return 0;
        }
    }
    return c.failed ? ERR_CORRUPT : 0;
}

uint16_t digest_name_hash(struct view name)
{
    uint32_t hash = 0x811c9dc5u; /* FNV-1a, folded; part of the format */
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ ascii_lower(name.ptr[i])) * 0x01000193u;
    return (uint16_t)(hash ^ hash >> 16);
}

bool digest_has_name(const struct digest *d, uint16_t hash)
{
    for (size_t i = 0; i + 1 < d->header_names.len; i += 2)
        if ((unsigned)(d->header_names.ptr[i] | d->header_names.ptr[i + 1] << 8) == hash)
            return true;
    return !d->names_known;
}

int digest_decode(struct view bytes, struct digest *out)
{
    struct cursor c = cursor_make(bytes);
    struct digest d;
    int err = get_summary(&c, &d);
    if (err != 0)
        return err;
    struct arena *a = arena_new(DECODE_ARENA_CAP);
    get_envelope(&c, a, &d.envelope);
    d.nnested = get_parts(&c, a, &d.mime);
    d.nested = get_array(&c, a, d.nnested, sizeof(*d.nested));
    for (size_t i = 0; i < d.nnested && !c.failed; i++)
        get_envelope(&c, a, &d.nested[i]);
    if (!cursor_done(&c)) {
        arena_free(&a);
        return ERR_CORRUPT;
    }
    d.arena = a; /* transferred */
    *out = d;
    return 0;
}

void digest_free(struct digest *d)
{
    struct arena *a = d->arena;
    arena_free(&a);
    memset(d, 0, sizeof(*d));
}
