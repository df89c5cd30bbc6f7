/*
 * Charsets to UTF-8.
 *
 * ASCII, UTF-8 and the single-byte charsets are built in; the multi-byte ones are glibc's converters behind iconv(3). Those are
 * shared objects that are loaded when first asked for, which a worker's sandbox forbids. Two ways were measured: to keep the
 * directory of converters readable and executable inside, or to load the dozen that occur in mail before the sandbox closes.
 * Loading them takes 0.5 ms (warm) and 200 KiB of memory that is not shared, at the start of a worker; that is cheaper than a
 * hole. So charset_preload() opens each once and has the dynamic linker keep what was loaded: glibc unloads a converter that
 * nobody holds, and to hold it by an open descriptor costs a buffer of 32 KiB each. Afterwards iconv_open() of the same names
 * touches no file, and no other name is ever passed to it, because names from mail are looked up in the table here.
 *
 * Names are compared in lower case without punctuation. As browsers do, ISO-8859-1, -9 and -11 are read as the Windows charsets
 * that extend them, GB2312 and GBK as GB18030, Shift_JIS as its Windows form: that is what mail with these labels holds.
 */
#include "storage/message/charset_int.h"

#include <dlfcn.h>
#include <errno.h>
#include <iconv.h>
#include <link.h>

#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/message/body.h"

#define CONVERTERS_DIR "/gconv/" /* in the paths of all converters of glibc, and of what they share */

enum iconv_charset {
    ICONV_UTF7,
    ICONV_UTF16,
    ICONV_UTF16LE,
    ICONV_UTF16BE,
    ICONV_UTF32,
    ICONV_GB18030,
    ICONV_BIG5,
    ICONV_BIG5HKSCS,
    ICONV_EUCTW,
    ICONV_UHC,
    ICONV_ISO2022KR,
    ICONV_EUCJP,
    ICONV_CP932,
    ICONV_ISO2022JP,
    ICONV_ISO2022CN,
    ICONV_CHARSETS
};
static const char *const iconv_names[ICONV_CHARSETS] = {"UTF-7",       "UTF-16", "UTF-16LE",   "UTF-16BE",    "UTF-32",
                                                        "GB18030",     "BIG5",   "BIG5-HKSCS", "EUC-TW",      "UHC",
                                                        "ISO-2022-KR", "EUC-JP", "CP932",      "ISO-2022-JP", "ISO-2022-CN"};

struct charset_name {
    const char *name;
    enum charset_kind kind;
    unsigned index;
};

static const struct charset_name names[] = {
    {"utf8", CHARSET_UTF8, 0},
    {"usascii", CHARSET_UTF8, 0},
    {"ascii", CHARSET_UTF8, 0},
    {"ansix341968", CHARSET_UTF8, 0},
    {"iso646us", CHARSET_UTF8, 0},
    {"unicode11utf8", CHARSET_UTF8, 0},
    {"cp65001", CHARSET_UTF8, 0},
    {"utf8mb4", CHARSET_UTF8, 0},
    {"iso88591", CHARSET_SINGLE, CHARSET_WINDOWS1252},
    {"latin1", CHARSET_SINGLE, CHARSET_WINDOWS1252},
    {"l1", CHARSET_SINGLE, CHARSET_WINDOWS1252},
    {"iso885911987", CHARSET_SINGLE, CHARSET_WINDOWS1252},
    {"windows1252", CHARSET_SINGLE, CHARSET_WINDOWS1252},
    {"cp1252", CHARSET_SINGLE, CHARSET_WINDOWS1252},
    {"ansi", CHARSET_SINGLE, CHARSET_WINDOWS1252},
    {"cp819", CHARSET_SINGLE, CHARSET_WINDOWS1252},
    {"iso88592", CHARSET_SINGLE, CHARSET_ISO88592},
    {"latin2", CHARSET_SINGLE, CHARSET_ISO88592},
    {"iso88593", CHARSET_SINGLE, CHARSET_ISO88593},
    {"latin3", CHARSET_SINGLE, CHARSET_ISO88593},
    {"iso88594", CHARSET_SINGLE, CHARSET_ISO88594},
    {"latin4", CHARSET_SINGLE, CHARSET_ISO88594},
    {"iso88595", CHARSET_SINGLE, CHARSET_ISO88595},
    {"cyrillic", CHARSET_SINGLE, CHARSET_ISO88595},
    {"iso88596", CHARSET_SINGLE, CHARSET_ISO88596},
    {"iso88596i", CHARSET_SINGLE, CHARSET_ISO88596},
    {"iso88596e", CHARSET_SINGLE, CHARSET_ISO88596},
    {"arabic", CHARSET_SINGLE, CHARSET_ISO88596},
    {"iso88597", CHARSET_SINGLE, CHARSET_ISO88597},
    {"greek", CHARSET_SINGLE, CHARSET_ISO88597},
    {"iso88598", CHARSET_SINGLE, CHARSET_ISO88598},
    {"iso88598i", CHARSET_SINGLE, CHARSET_ISO88598},
    {"iso88598e", CHARSET_SINGLE, CHARSET_ISO88598},
    {"hebrew", CHARSET_SINGLE, CHARSET_ISO88598},
    {"iso88599", CHARSET_SINGLE, CHARSET_WINDOWS1254},
    {"latin5", CHARSET_SINGLE, CHARSET_WINDOWS1254},
    {"iso885910", CHARSET_SINGLE, CHARSET_ISO885910},
    {"latin6", CHARSET_SINGLE, CHARSET_ISO885910},
    {"iso885911", CHARSET_SINGLE, CHARSET_WINDOWS874},
    {"tis620", CHARSET_SINGLE, CHARSET_WINDOWS874},
    {"windows874", CHARSET_SINGLE, CHARSET_WINDOWS874},
    {"cp874", CHARSET_SINGLE, CHARSET_WINDOWS874},
    {"iso885913", CHARSET_SINGLE, CHARSET_ISO885913},
    {"latin7", CHARSET_SINGLE, CHARSET_ISO885913},
    {"iso885914", CHARSET_SINGLE, CHARSET_ISO885914},
    {"latin8", CHARSET_SINGLE, CHARSET_ISO885914},
    {"iso885915", CHARSET_SINGLE, CHARSET_ISO885915},
    {"latin9", CHARSET_SINGLE, CHARSET_ISO885915},
    {"iso885916", CHARSET_SINGLE, CHARSET_ISO885916},
    {"latin10", CHARSET_SINGLE, CHARSET_ISO885916},
    {"windows1250", CHARSET_SINGLE, CHARSET_WINDOWS1250},
    {"cp1250", CHARSET_SINGLE, CHARSET_WINDOWS1250},
    {"windows1251", CHARSET_SINGLE, CHARSET_WINDOWS1251},
    {"cp1251", CHARSET_SINGLE, CHARSET_WINDOWS1251},
    {"windows1253", CHARSET_SINGLE, CHARSET_WINDOWS1253},
    {"cp1253", CHARSET_SINGLE, CHARSET_WINDOWS1253},
    {"windows1254", CHARSET_SINGLE, CHARSET_WINDOWS1254},
    {"cp1254", CHARSET_SINGLE, CHARSET_WINDOWS1254},
    {"windows1255", CHARSET_SINGLE, CHARSET_WINDOWS1255},
    {"cp1255", CHARSET_SINGLE, CHARSET_WINDOWS1255},
    {"windows1256", CHARSET_SINGLE, CHARSET_WINDOWS1256},
    {"cp1256", CHARSET_SINGLE, CHARSET_WINDOWS1256},
    {"windows1257", CHARSET_SINGLE, CHARSET_WINDOWS1257},
    {"cp1257", CHARSET_SINGLE, CHARSET_WINDOWS1257},
    {"windows1258", CHARSET_SINGLE, CHARSET_WINDOWS1258},
    {"cp1258", CHARSET_SINGLE, CHARSET_WINDOWS1258},
    {"koi8r", CHARSET_SINGLE, CHARSET_KOI8R},
    {"koi8", CHARSET_SINGLE, CHARSET_KOI8R},
    {"koi8u", CHARSET_SINGLE, CHARSET_KOI8U},
    {"koi8ru", CHARSET_SINGLE, CHARSET_KOI8U},
    {"ibm866", CHARSET_SINGLE, CHARSET_IBM866},
    {"cp866", CHARSET_SINGLE, CHARSET_IBM866},
    {"ibm437", CHARSET_SINGLE, CHARSET_IBM437},
    {"cp437", CHARSET_SINGLE, CHARSET_IBM437},
    {"ibm850", CHARSET_SINGLE, CHARSET_IBM850},
    {"cp850", CHARSET_SINGLE, CHARSET_IBM850},
    {"ibm852", CHARSET_SINGLE, CHARSET_IBM852},
    {"cp852", CHARSET_SINGLE, CHARSET_IBM852},
    {"macintosh", CHARSET_SINGLE, CHARSET_MACINTOSH},
    {"macroman", CHARSET_SINGLE, CHARSET_MACINTOSH},
    {"utf7", CHARSET_ICONV, ICONV_UTF7},
    {"unicode11utf7", CHARSET_ICONV, ICONV_UTF7},
    {"utf16", CHARSET_ICONV, ICONV_UTF16},
    {"utf16le", CHARSET_ICONV, ICONV_UTF16LE},
    {"utf16be", CHARSET_ICONV, ICONV_UTF16BE},
    {"utf32", CHARSET_ICONV, ICONV_UTF32},
    {"gb18030", CHARSET_ICONV, ICONV_GB18030},
    {"gbk", CHARSET_ICONV, ICONV_GB18030},
    {"cp936", CHARSET_ICONV, ICONV_GB18030},
    {"windows936", CHARSET_ICONV, ICONV_GB18030},
    {"gb2312", CHARSET_ICONV, ICONV_GB18030},
    {"gb231280", CHARSET_ICONV, ICONV_GB18030},
    {"euccn", CHARSET_ICONV, ICONV_GB18030},
    {"big5", CHARSET_ICONV, ICONV_BIG5},
    {"cnbig5", CHARSET_ICONV, ICONV_BIG5},
    {"cp950", CHARSET_ICONV, ICONV_BIG5},
    {"big5hkscs", CHARSET_ICONV, ICONV_BIG5HKSCS},
    {"euctw", CHARSET_ICONV, ICONV_EUCTW},
    {"euckr", CHARSET_ICONV, ICONV_UHC},
    {"ksc56011987", CHARSET_ICONV, ICONV_UHC},
    {"ksc5601", CHARSET_ICONV, ICONV_UHC},
    {"uhc", CHARSET_ICONV, ICONV_UHC},
    {"cp949", CHARSET_ICONV, ICONV_UHC},
    {"windows949", CHARSET_ICONV, ICONV_UHC},
    {"iso2022kr", CHARSET_ICONV, ICONV_ISO2022KR},
    {"eucjp", CHARSET_ICONV, ICONV_EUCJP},
    {"shiftjis", CHARSET_ICONV, ICONV_CP932},
    {"sjis", CHARSET_ICONV, ICONV_CP932},
    {"mskanji", CHARSET_ICONV, ICONV_CP932},
    {"cp932", CHARSET_ICONV, ICONV_CP932},
    {"windows31j", CHARSET_ICONV, ICONV_CP932},
    {"iso2022jp", CHARSET_ICONV, ICONV_ISO2022JP},
    {"cp50220", CHARSET_ICONV, ICONV_ISO2022JP},
    {"cp50221", CHARSET_ICONV, ICONV_ISO2022JP},
    {"iso2022cn", CHARSET_ICONV, ICONV_ISO2022CN},
};

static const struct charset_name *name_find(struct view name)
{
    char plain[24];
    size_t n = 0;
    if (name.len >= 2 && view_starts_nocase(name, VIEW("x-")))
        name = view_sub(name, 2, name.len);
    for (size_t i = 0; i < name.len && name.ptr[i] != '*'; i++) { /* '*': a language follows (RFC 2231 5) */
        uint8_t c = ascii_lower(name.ptr[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            continue;
        if (n == sizeof(plain))
            return NULL;
        plain[n++] = (char)c;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (view_eq(view_str(names[i].name), view_make(plain, n)))
            return &names[i];
    }
    return NULL;
}

bool charset_known(struct view charset)
{
    return name_find(charset) != NULL;
}

static int note_converter(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct buf *paths = arg;

    (void)size;
    if (strstr(info->dlpi_name, CONVERTERS_DIR) != NULL) {
        buf_put_str(paths, info->dlpi_name);
        buf_put_byte(paths, '\0');
    }
    return 0;
}

/* What is loaded of the converters stays loaded until the process ends. False: not all. */
static bool pin_converters(void)
{
    struct buf paths; /* each with its zero */
    bool all = true;

    buf_init(&paths, 65536);
    (void)dl_iterate_phdr(note_converter, &paths);
    for (struct view rest = buf_view(&paths); rest.len > 0; rest = view_sub(rest, strlen((const char *)rest.ptr) + 1, rest.len)) {
        void *loaded = dlopen((const char *)rest.ptr, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);

        all = all && loaded != NULL;
        if (loaded != NULL)
            (void)dlclose(loaded); /* the flag stays */
    }
    all = all && buf_ok(&paths);
    buf_free(&paths);
    return all;
}

void charset_preload(void)
{
    iconv_t open[ICONV_CHARSETS];
    bool pinned;

    for (size_t i = 0; i < ICONV_CHARSETS; i++)
        open[i] = iconv_open("UTF-8", iconv_names[i]);
    pinned = pin_converters();
    for (size_t i = 0; i < ICONV_CHARSETS; i++) {
        /* What could not be pinned stays open, and with that loaded, as long as the process lives. */
        if (pinned && open[i] != (iconv_t)-1)
            (void)iconv_close(open[i]);
    }
}

int charset_open(struct charset_conv *c, struct view name)
{
    const struct charset_name *n = name_find(name);
    *c = (struct charset_conv){.kind = CHARSET_UNKNOWN};
    if (n == NULL)
        return ERR_UNSUPPORTED;
    if (n->kind == CHARSET_ICONV) {
        iconv_t cd = iconv_open("UTF-8", iconv_names[n->index]);
        if (cd == (iconv_t)-1)
            return ERR_UNSUPPORTED;
        c->iconv = cd;
    } else if (n->kind == CHARSET_SINGLE) {
        c->table = charset_tables[n->index];
    }
    c->kind = n->kind;
    return 0;
}

#define TABLE_SLICE 1024u
#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Length of the run of ASCII at the front. */
static size_t ascii_run(const uint8_t *p, size_t len)
{
    size_t n = 0;
    uint64_t words[4];
    for (; n + 32 <= len; n += 32) {
        memcpy(words, p + n, 32);
        if (((words[0] | words[1] | words[2] | words[3]) & HIGH_BITS) != 0)
            break;
    }
    for (; n + 8 <= len; n += 8) {
        memcpy(words, p + n, 8);
        if ((words[0] & HIGH_BITS) != 0)
            return n + (size_t)__builtin_ctzll(words[0] & HIGH_BITS) / 8;
    }
    while (n < len && p[n] < 0x80)
        n++;
    return n;
}

size_t charset_ascii_run(struct view v)
{
    return ascii_run(v.ptr, v.len);
}

size_t charset_utf8_run(struct view v)
{
    size_t n = 0, len = 1;
    uint32_t cp;
    while (len > 0) {
        n += ascii_run(v.ptr + n, v.len - n);
        while (v.len - n >= 2 && utf8_is_two(v.ptr + n))
            n += 2;
        if (n < v.len && v.ptr[n] < 0x80)
            continue;
        len = utf8_decode(view_sub(v, n, v.len), &cp);
        n += len;
    }
    return n;
}

bool charset_utf8_unfinished(struct view v)
{
    uint8_t full[4] = {v.ptr[0], 0x80, 0x80, 0x80};
    uint32_t cp;
    if (v.len >= 4 || v.ptr[0] < 0xc2 || v.ptr[0] > 0xf4)
        return false;
    memcpy(full, v.ptr, v.len);
    if (v.len == 1 && (v.ptr[0] == 0xe0 || v.ptr[0] == 0xf0))
        full[1] = 0xa0;
    for (size_t n = v.len + 1; n <= 4; n++) {
        if (utf8_decode(view_make(full, n), &cp) == n)
            return true;
    }
    return false;
}

size_t charset_utf8_tail(struct view v)
{
    size_t n = MIN_OF(v.len, (size_t)3);
    while (n > 0 && !charset_utf8_unfinished(view_sub(v, v.len - n, n)))
        n--;
    return n;
}

/* What is left at the end is carried. */
static void feed_utf8(struct charset_conv *c, struct view v, struct buf *out)
{
    while (v.len > 0) {
        size_t n = charset_utf8_run(v);
        if (n > 0) {
            buf_put(out, v.ptr, n);
        } else if (charset_utf8_unfinished(v)) {
            memcpy(c->carry, v.ptr, v.len);
            c->ncarry = v.len;
            return;
        } else {
            n = 1;
            utf8_encode(out, 0xfffd);
        }
        v = view_sub(v, n, v.len);
    }
}

/* The characters of the tables are of the basic plane, and no surrogates. */
static size_t put_char(uint8_t *to, uint32_t cp)
{
    if (cp < 0x80) {
        to[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800) {
        to[0] = (uint8_t)(0xc0 | cp >> 6);
        to[1] = (uint8_t)(0x80 | (cp & 0x3f));
        return 2;
    }
    to[0] = (uint8_t)(0xe0 | cp >> 12);
    to[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
    to[2] = (uint8_t)(0x80 | (cp & 0x3f));
    return 3;
}

/* Runs of ASCII go by words; what was written behind the last octet of one will be overwritten. room: three times as long.
 * Returns the octets written. */
static size_t table_slice(const uint16_t *table, struct view v, uint8_t *room)
{
    size_t n = 0, at = 0;
    while (at < v.len) {
        uint64_t word;
        while (v.len - at >= 8) {
            memcpy(&word, v.ptr + at, 8);
            memcpy(room + n, &word, 8);
            size_t len = (word & HIGH_BITS) == 0 ? 8 : (size_t)__builtin_ctzll(word & HIGH_BITS) / 8;
            at += len;
            n += len;
            if (len < 8)
                break;
        }
        if (at == v.len)
            break;
        uint8_t c = v.ptr[at++];
        n += put_char(room + n, c < 0x80 ? c : table == NULL ? 0xfffd : table[c - 0x80]);
    }
    return n;
}

static void feed_table(const uint16_t *table, struct view v, struct buf *out)
{
    while (v.len > 0) {
        struct view some = view_sub(v, 0, TABLE_SLICE);
        uint8_t *room = buf_reserve(out, 3 * some.len);
        if (room == NULL)
            return;
        buf_commit(out, table_slice(table, some, room));
        v = view_sub(v, some.len, v.len);
    }
}

static void feed_iconv(struct charset_conv *c, struct view v, struct buf *out)
{
    char *in = (char *)(uintptr_t)v.ptr; /* iconv() does not write there */
    size_t left = v.len;
    while (left > 0) {
        char converted[1024], *to = converted;
        size_t room = sizeof(converted);
        errno = 0;
        size_t rc = iconv(c->iconv, &in, &left, &to, &room);
        int why = errno;
        buf_put(out, converted, sizeof(converted) - room);
        if (rc != (size_t)-1 || why == E2BIG)
            continue;
        if (why == EINVAL && left <= CHARSET_CARRY) {
            memcpy(c->carry, in, left);
            c->ncarry = left;
            return;
        }
        utf8_encode(out, 0xfffd);
        in++;
        left--;
    }
}

static void feed(struct charset_conv *c, struct view v, struct buf *out)
{
    if (c->kind == CHARSET_UTF8)
        feed_utf8(c, v, out);
    else if (c->kind == CHARSET_ICONV)
        feed_iconv(c, v, out);
    else
        feed_table(c->table, v, out);
}

void charset_feed(struct charset_conv *c, struct view piece, struct buf *out)
{
    uint8_t joined[CHARSET_CARRY * 2];
    while (c->ncarry > 0 && piece.len > 0) { /* byte by byte until nothing is carried */
        size_t n = c->ncarry;
        memcpy(joined, c->carry, n);
        joined[n] = piece.ptr[0];
        c->ncarry = 0;
        feed(c, view_make(joined, n + 1), out);
        piece = view_sub(piece, 1, piece.len);
    }
    if (piece.len > 0)
        feed(c, piece, out);
}

void charset_close(struct charset_conv *c, struct buf *out)
{
    if (c->ncarry > 0)
        utf8_encode(out, 0xfffd);
    if (c->iconv != NULL) {
        char last[64], *to = last;
        size_t room = sizeof(last);
        if (iconv(c->iconv, NULL, NULL, &to, &room) != (size_t)-1)
            buf_put(out, last, sizeof(last) - room);
        (void)iconv_close(c->iconv);
    }
    *c = (struct charset_conv){.kind = CHARSET_UNKNOWN};
}

int charset_to_utf8(struct buf *out, struct view charset, struct view text)
{
    struct charset_conv c;
    int err = charset_open(&c, charset);
    if (err != 0)
        return err;
    charset_feed(&c, text, out);
    charset_close(&c, out);
    return 0;
}
