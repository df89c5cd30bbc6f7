/* A field table for each kind, read by one encoder and one decoder, so that the two cannot drift apart. */
#include "storage/op.h"

#include "common/log/log.h"

enum field {
    FIELD_END,
    FIELD_MAILBOX,
    FIELD_TO,
    FIELD_UID,
    FIELD_UIDVALIDITY,
    FIELD_USE,
    FIELD_FLAGS,
    FIELD_HOW,
    FIELD_ON,
    FIELD_HAS_UNCHANGED,
    FIELD_UNCHANGED,
    FIELD_ZONE,
    FIELD_DATE,
    FIELD_SAVEDATE,
    FIELD_SIZE,
    FIELD_MODSEQ,
    FIELD_BLOB,
    FIELD_DIGEST,
    FIELD_DIGEST_LEN,
    FIELD_EMAILID,
    FIELD_NAME,
    FIELD_KEYWORDS,
    FIELD_UIDS,
    FIELD_NAMES,
    FIELD_VALUE
};
#define FILE_NAME_MAX 255
#define FIELDS_MAX 16

static const uint8_t fields[OP_KIND_END][FIELDS_MAX] = {
    [OP_CREATE] = {FIELD_MAILBOX, FIELD_UIDVALIDITY, FIELD_USE, FIELD_NAME},
    [OP_DELETE] = {FIELD_MAILBOX},
    [OP_RENAME] = {FIELD_MAILBOX, FIELD_NAME},
    [OP_SUBSCRIBE] = {FIELD_ON, FIELD_NAME},
    [OP_APPEND] = {FIELD_MAILBOX, FIELD_UID, FIELD_FLAGS, FIELD_ZONE, FIELD_DATE, FIELD_SAVEDATE, FIELD_SIZE, FIELD_EMAILID,
                   FIELD_BLOB, FIELD_DIGEST, FIELD_DIGEST_LEN, FIELD_KEYWORDS},
    [OP_FLAGS] = {FIELD_MAILBOX, FIELD_HOW, FIELD_FLAGS, FIELD_HAS_UNCHANGED, FIELD_UNCHANGED, FIELD_KEYWORDS, FIELD_UIDS},
    [OP_EXPUNGE] = {FIELD_MAILBOX, FIELD_UIDS},
    [OP_COPY] = {FIELD_MAILBOX, FIELD_TO, FIELD_UID, FIELD_SAVEDATE, FIELD_ON, FIELD_UIDS},
    [OP_RECENT] = {FIELD_MAILBOX, FIELD_UID},
    [OP_JUMP] = {FIELD_MODSEQ},
    [OP_RELOCATE] = {FIELD_MAILBOX, FIELD_UID, FIELD_BLOB, FIELD_DIGEST, FIELD_DIGEST_LEN},
    [OP_CLEAN] = {FIELD_END},
    [OP_IDENTITY] = {FIELD_MAILBOX, FIELD_UIDVALIDITY, FIELD_UID},
    [OP_APPEND_FILE] = {FIELD_MAILBOX, FIELD_UID, FIELD_FLAGS, FIELD_ZONE, FIELD_DATE, FIELD_SAVEDATE, FIELD_SIZE, FIELD_EMAILID,
                        FIELD_DIGEST, FIELD_DIGEST_LEN, FIELD_KEYWORDS, FIELD_NAMES},
    [OP_COPY_FILE] = {FIELD_MAILBOX, FIELD_TO, FIELD_UID, FIELD_SAVEDATE, FIELD_ON, FIELD_UIDS, FIELD_NAMES},
    [OP_UIDL] = {FIELD_MAILBOX, FIELD_UID, FIELD_NAME},
    [OP_ANNOTATE] = {FIELD_MAILBOX, FIELD_ON, FIELD_NAME, FIELD_VALUE},
};

static void put_field(struct buf *out, enum field f, const struct op *op)
{
    switch (f) {
    case FIELD_END:
        break;
    case FIELD_MAILBOX:
        buf_put_u32(out, op->mailbox);
        break;
    case FIELD_TO:
        buf_put_u32(out, op->to);
        break;
    case FIELD_UID:
        buf_put_u32(out, op->uid);
        break;
    case FIELD_UIDVALIDITY:
        buf_put_u32(out, op->uidvalidity);
        break;
    case FIELD_USE:
        buf_put_u32(out, op->use);
        break;
    case FIELD_FLAGS:
        buf_put_u16(out, (uint16_t)op->flags);
        break;
    case FIELD_HOW:
        buf_put_u8(out, (uint8_t)op->how);
        break;
    case FIELD_ON:
        buf_put_u8(out, op->on);
        break;
    case FIELD_HAS_UNCHANGED:
        buf_put_u8(out, op->has_unchangedsince);
        break;
    case FIELD_UNCHANGED:
        buf_put_u64(out, op->unchangedsince);
        break;
    case FIELD_ZONE:
        buf_put_u16(out, (uint16_t)(int16_t)op->zone);
        break;
    case FIELD_DATE:
        buf_put_u64(out, (uint64_t)op->date);
        break;
    case FIELD_SAVEDATE:
        buf_put_u64(out, (uint64_t)op->savedate);
        break;
    case FIELD_SIZE:
        buf_put_u64(out, op->size);
        break;
    case FIELD_MODSEQ:
        buf_put_u64(out, op->modseq);
        break;
    case FIELD_BLOB:
        buf_put_u64(out, op->blob);
        break;
    case FIELD_DIGEST:
        buf_put_u64(out, op->digest);
        break;
    case FIELD_DIGEST_LEN:
        buf_put_u32(out, op->digest_len);
        break;
    case FIELD_EMAILID:
        buf_put(out, op->emailid, sizeof(op->emailid));
        break;
    case FIELD_NAME:
        buf_put_view16(out, op->name);
        break;
    case FIELD_KEYWORDS:
        buf_put_view32(out, op->keywords);
        break;
    case FIELD_UIDS:
        buf_put_view32(out, op->uids);
        break;
    case FIELD_NAMES:
        buf_put_view32(out, op->names);
        break;
    case FIELD_VALUE:
        buf_put_view32(out, op->value);
        break;
    }
}

void op_put(struct buf *out, const struct op *op)
{
    struct buf body;

    buf_init(&body, UINT32_MAX);
    for (size_t i = 0; i < FIELDS_MAX && fields[op->kind][i] != FIELD_END; i++)
        put_field(&body, (enum field)fields[op->kind][i], op);
    buf_put_u8(out, (uint8_t)op->kind);
    if (!buf_ok(&body))
        out->failed = true;
    buf_put_view32(out, buf_view(&body));
    buf_free(&body);
}

static void get_emailid(struct cursor *c, uint8_t out[BLOB_ID_SIZE])
{
    struct view id = cursor_bytes(c, BLOB_ID_SIZE);

    if (!c->failed)
        memcpy(out, id.ptr, BLOB_ID_SIZE);
}

static void get_field(struct cursor *c, enum field f, struct op *op)
{
    switch (f) {
    case FIELD_END:
        break;
    case FIELD_MAILBOX:
        op->mailbox = cursor_u32(c);
        break;
    case FIELD_TO:
        op->to = cursor_u32(c);
        break;
    case FIELD_UID:
        op->uid = cursor_u32(c);
        break;
    case FIELD_UIDVALIDITY:
        op->uidvalidity = cursor_u32(c);
        break;
    case FIELD_USE:
        op->use = cursor_u32(c);
        break;
    case FIELD_FLAGS:
        op->flags = cursor_u16(c);
        break;
    case FIELD_HOW:
        op->how = (enum flag_op)cursor_u8(c);
        break;
    case FIELD_ON:
        op->on = cursor_u8(c) != 0;
        break;
    case FIELD_HAS_UNCHANGED:
        op->has_unchangedsince = cursor_u8(c) != 0;
        break;
    case FIELD_UNCHANGED:
        op->unchangedsince = cursor_u64(c);
        break;
    case FIELD_ZONE:
        op->zone = (int16_t)cursor_u16(c);
        break;
    case FIELD_DATE:
        op->date = (int64_t)cursor_u64(c);
        break;
    case FIELD_SAVEDATE:
        op->savedate = (int64_t)cursor_u64(c);
        break;
    case FIELD_SIZE:
        op->size = cursor_u64(c);
        break;
    case FIELD_MODSEQ:
        op->modseq = cursor_u64(c);
        break;
    case FIELD_BLOB:
        op->blob = cursor_u64(c);
        break;
    case FIELD_DIGEST:
        op->digest = cursor_u64(c);
        break;
    case FIELD_DIGEST_LEN:
        op->digest_len = cursor_u32(c);
        break;
    case FIELD_EMAILID:
        get_emailid(c, op->emailid);
        break;
    case FIELD_NAME:
        op->name = cursor_view16(c, UINT16_MAX);
        break;
    case FIELD_KEYWORDS:
        op->keywords = cursor_view32(c, UINT32_MAX);
        break;
    case FIELD_UIDS:
        op->uids = cursor_view32(c, UINT32_MAX);
        break;
    case FIELD_NAMES:
        op->names = cursor_view32(c, UINT32_MAX);
        break;
    case FIELD_VALUE:
        op->value = cursor_view32(c, UINT32_MAX);
        break;
    }
}

static bool lists_good(const struct op *op)
{
    struct op_walk w;
    struct uid_range r;
    struct view kw;

    if (op->keywords.len > 0) {
        op_walk_init(&w, op->keywords);
        while (op_walk_keyword(&w, &kw))
            ;
        if (w.left != 0 || !cursor_done(&w.c))
            return false;
    }
    if (op->names.len > 0) {
        op_walk_init(&w, op->names);
        while (op_walk_name(&w, &kw))
            ;
        if (w.left != 0 || !cursor_done(&w.c))
            return false;
    }
    if (op->uids.len > 0) {
        op_walk_init(&w, op->uids);
        while (op_walk_range(&w, &r))
            ;
        if (w.left != 0 || !cursor_done(&w.c))
            return false;
    }
    return true;
}

int op_get(struct cursor *c, struct op *out)
{
    struct op op = {.kind = (enum op_kind)cursor_u8(c)};
    struct cursor body = cursor_make(cursor_view32(c, UINT32_MAX));

    if (c->failed)
        return ERR_CORRUPT;
    if (op.kind == 0 || op.kind >= OP_KIND_END)
        return ERR_UNSUPPORTED;
    for (size_t i = 0; i < FIELDS_MAX && fields[op.kind][i] != FIELD_END; i++)
        get_field(&body, (enum field)fields[op.kind][i], &op);
    if (!cursor_done(&body) || op.how > FLAGS_REMOVE || !lists_good(&op))
        return ERR_CORRUPT;
    *out = op;
    return 0;
}

void op_put_keywords(struct buf *out, const struct view *keywords, size_t n)
{
    buf_put_varint(out, n);
    for (size_t i = 0; i < n; i++)
        buf_put_view16(out, keywords[i]);
}

void op_put_uids(struct buf *out, const struct uidset *uids)
{
    uint32_t last = 0;

    buf_put_varint(out, uids->n);
    for (size_t i = 0; i < uids->n; i++) {
        buf_put_varint(out, uids->ranges[i].first - last);
        buf_put_varint(out, uids->ranges[i].last - uids->ranges[i].first);
        last = uids->ranges[i].last;
    }
}

void op_walk_init(struct op_walk *w, struct view encoded)
{
    w->c = cursor_make(encoded);
    w->left = encoded.len > 0 ? cursor_varint(&w->c) : 0;
    w->last = 0;
}

static bool walk_view(struct op_walk *w, size_t max, struct view *out)
{
    if (w->left == 0)
        return false;
    *out = cursor_view16(&w->c, max);
    if (w->c.failed || out->len == 0)
        return false;
    w->left--;
    return true;
}

bool op_walk_keyword(struct op_walk *w, struct view *out)
{
    return walk_view(w, KEYWORD_LEN_MAX, out);
}

bool op_walk_name(struct op_walk *w, struct view *out)
{
    return walk_view(w, FILE_NAME_MAX, out);
}

bool op_walk_range(struct op_walk *w, struct uid_range *out)
{
    uint64_t gap, more;

    if (w->left == 0)
        return false;
    gap = cursor_varint(&w->c);
    more = cursor_varint(&w->c);
    if (w->c.failed || gap == 0 || gap > UINT32_MAX - w->last || more > UINT32_MAX - w->last - gap)
        return false;
    out->first = (uint32_t)(w->last + gap);
    out->last = (uint32_t)(out->first + more);
    w->last = out->last;
    w->left--;
    return true;
}
