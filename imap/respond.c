/* Responses (RFC 9051 section 7). */
#include "imap/respond.h"

#include "common/base/mem.h"
#include "common/text/text.h"
#include "imap/names.h"

#define QUOTED_MAX 1000 /* longer strings are sent as literals */

struct buf *imap_out(struct imap_session *s)
{
    return outq_buf(s->host->out);
}

static void put_status(struct buf *out, enum imap_answer answer, struct view code, const char *text)
{
    static const char *const words[] = {[IMAP_OK] = "OK ", [IMAP_NO] = "NO ", [IMAP_BAD] = "BAD "};

    buf_put_str(out, words[answer]);
    if (code.len > 0) {
        buf_put_byte(out, '[');
        buf_put_view(out, code);
        buf_put_str(out, "] ");
    }
    buf_put_str(out, text);
    buf_put_str(out, "\r\n");
}

void imap_put_tagged(struct imap_session *s, struct view tag, enum imap_answer answer, struct view code, const char *text)
{
    struct buf *out = imap_out(s);

    if (tag.len == 0)
        buf_put_byte(out, '*');
    else
        buf_put_view(out, tag);
    buf_put_byte(out, ' ');
    put_status(out, answer, code, text);
}

void imap_put_untagged(struct imap_session *s, enum imap_answer answer, const char *code, const char *text)
{
    imap_put_tagged(s, (struct view){NULL, 0}, answer, view_str(code), text);
}

void imap_put_code_number(struct imap_session *s, const char *code, uint64_t n, const char *text)
{
    struct buf *out = imap_out(s);

    buf_put_str(out, "* OK [");
    buf_put_str(out, code);
    buf_put_byte(out, ' ');
    buf_put_dec(out, n);
    buf_put_str(out, "] ");
    buf_put_str(out, text);
    buf_put_str(out, "\r\n");
}

void imap_put_continue(struct imap_session *s, const char *text)
{
    struct buf *out = imap_out(s);

    buf_put_str(out, "+ ");
    buf_put_str(out, text);
    buf_put_str(out, "\r\n");
}

void imap_put_literal_header(struct buf *out, uint64_t size, bool literal8)
{
    buf_put_str(out, literal8 ? "~{" : "{");
    buf_put_dec(out, size);
    buf_put_str(out, "}\r\n");
}

static void put_quoted(struct buf *out, struct view v)
{
    buf_put_byte(out, '"');
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == '"' || v.ptr[i] == '\\')
            buf_put_byte(out, '\\');
        buf_put_byte(out, v.ptr[i]);
    }
    buf_put_byte(out, '"');
}

static void put_literal(struct buf *out, struct view v)
{
    imap_put_literal_header(out, v.len, false);
    for (size_t i = 0; i < v.len; i++)
        buf_put_byte(out, v.ptr[i] == '\0' ? ' ' : v.ptr[i]);
}

/* 8-bit text for a client that takes UTF-8 in quoted strings. */
static void put_utf8(struct buf *out, struct view v, bool quotable)
{
    struct buf clean;

    buf_init(&clean, 4 * v.len + 16);
    utf8_sanitize(&clean, v);
    if (quotable && buf_len(&clean) <= QUOTED_MAX)
        put_quoted(out, buf_view(&clean));
    else
        put_literal(out, buf_view(&clean));
    buf_free(&clean);
}

void imap_put_string(struct imap_session *s, struct buf *out, struct view v)
{
    bool quotable = v.len <= QUOTED_MAX, ascii = true;

    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] >= 0x80)
            ascii = false;
        else if ((v.ptr[i] < ' ' && v.ptr[i] != '\t') || v.ptr[i] == 0x7f)
            quotable = false;
    }
    if (!ascii && imap_session_utf8(s))
        put_utf8(out, v, quotable);
    else if (ascii && quotable)
        put_quoted(out, v);
    else
        put_literal(out, v);
}

void imap_put_nstring(struct imap_session *s, struct buf *out, struct view v)
{
    if (v.ptr == NULL)
        buf_put_str(out, "NIL");
    else
        imap_put_string(s, out, v);
}

void imap_put_octets(struct imap_session *s, struct buf *out, struct view v)
{
    bool nul = v.len > 0 && memchr(v.ptr, '\0', v.len) != NULL;

    if (!nul && utf8_valid(v)) {
        imap_put_string(s, out, v);
        return;
    }
    imap_put_literal_header(out, v.len, nul);
    buf_put_view(out, v);
}

void imap_put_mailbox(struct imap_session *s, struct buf *out, struct view name)
{
    struct buf shown;

    buf_init(&shown, 8 * name.len + 64);
    imap_name_encode(s, &shown, name);
    imap_put_string(s, out, buf_view(&shown));
    buf_free(&shown);
}

void imap_put_item(struct buf *out, bool *first, const char *item)
{
    if (!*first)
        buf_put_byte(out, ' ');
    *first = false;
    buf_put_str(out, item);
}

void imap_put_flags(struct buf *out, const struct mailbox *m, const struct msg_info *info)
{
    static const struct {
        unsigned flag;
        const char *name;
    } flags[] = {{MSG_ANSWERED, "\\Answered"},
                 {MSG_FLAGGED, "\\Flagged"},
                 {MSG_DELETED, "\\Deleted"},
                 {MSG_SEEN, "\\Seen"},
                 {MSG_DRAFT, "\\Draft"}};
    unsigned nkeywords = m == NULL ? 0 : mailbox_keyword_count(m);
    bool first = true;

    buf_put_byte(out, '(');
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if ((info->flags & flags[i].flag) != 0)
            imap_put_item(out, &first, flags[i].name);
    if (info->recent)
        imap_put_item(out, &first, "\\Recent");
    for (unsigned i = 0; i < nkeywords && i < KEYWORDS_MAX; i++) {
        if ((info->keywords.bits[i / 64] >> (i % 64) & 1) != 0) {
            imap_put_item(out, &first, "");
            buf_put_view(out, mailbox_keyword(m, i));
        }
    }
    buf_put_byte(out, ')');
}

void imap_put_uses(struct buf *out, unsigned use, bool *first)
{
    for (size_t i = 0; imap_uses[i].name != NULL; i++)
        if ((use & imap_uses[i].use) != 0)
            imap_put_item(out, first, imap_uses[i].name);
}

void imap_put_date_time(struct buf *out, int64_t t, int zone_minutes)
{
    buf_put_byte(out, '"');
    time_put_imap(out, t, zone_minutes);
    buf_put_byte(out, '"');
}
