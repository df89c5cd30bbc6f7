/*
 * The preparation of passwords for SCRAM. RFC 4013 forbids characters and mixtures of directions; a client that heeds this
 * refuses such a password itself, and one that does not sends its octets, so that a server gains nothing by refusing. RFC 8265
 * would normalise by NFC; the SCRAM clients that there are use SASLprep, that is NFKC.
 */
#include <stdlib.h>
#include <utf8proc.h>

#include "common/base/mem.h"
#include "common/secret/password.h"
#include "common/secret/secret.h"
#include "common/text/text.h"

/* Code points that one code point may become (U+FDFA). */
#define EXPANSION_MAX 18

static bool is_blank(uint32_t cp) /* RFC 3454 C.1.2 */
{
    return cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200b) || cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

static bool is_nothing(uint32_t cp) /* RFC 3454 B.1 */
{
    return cp == 0xad || cp == 0x34f || cp == 0x1806 || (cp >= 0x180b && cp <= 0x180d) || cp == 0x200c || cp == 0x200d ||
           cp == 0x2060 || (cp >= 0xfe00 && cp <= 0xfe0f) || cp == 0xfeff;
}

/* Returns the number of code points, SIZE_MAX when the text is not UTF-8. cps has room for v.len. */
static size_t map(struct view v, utf8proc_int32_t *cps)
{
    size_t n = 0;
    while (v.len > 0) {
        uint32_t cp;
        unsigned len = utf8_decode(v, &cp);
        if (len == 0)
            return SIZE_MAX;
        if (is_blank(cp))
            cps[n++] = ' ';
        else if (!is_nothing(cp))
            cps[n++] = (utf8proc_int32_t)cp;
        v = view_sub(v, len, v.len);
    }
    return n;
}

static bool is_ascii(struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] >= 0x80)
            return false;
    }
    return true;
}

/* Decomposes n code points into out, in canonical order; 0 when that fails. */
static size_t decompose(const utf8proc_int32_t *cps, size_t n, utf8proc_int32_t *out)
{
    struct buf text;
    buf_init_secret(&text, 4 * n);
    for (size_t i = 0; i < n; i++)
        utf8_encode(&text, (uint32_t)cps[i]);
    utf8proc_ssize_t got = utf8proc_decompose(buf_view(&text).ptr, (utf8proc_ssize_t)buf_len(&text), out,
                                              (utf8proc_ssize_t)(n * EXPANSION_MAX), UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE);
    bool good = buf_ok(&text) && got >= 0 && (size_t)got <= n * EXPANSION_MAX;
    buf_free(&text);
    return good ? (size_t)got : 0;
}

int scram_password_prepare(struct view password, struct buf *out)
{
    if (password.len > PASSWORD_MAX)
        return ERR_LIMIT;
    if (is_ascii(password) || !utf8_valid(password)) {
        buf_put_view(out, password);
        return buf_ok(out) ? 0 : ERR_LIMIT;
    }
    utf8proc_int32_t *cps = xcalloc(password.len, sizeof(*cps));
    size_t n = map(password, cps), room = (n + 1) * EXPANSION_MAX;
    utf8proc_int32_t *parts = xcalloc(room, sizeof(*parts));
    size_t nparts = n == SIZE_MAX ? 0 : decompose(cps, n, parts);
    utf8proc_ssize_t len = utf8proc_normalize_utf32(parts, (utf8proc_ssize_t)nparts, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    for (utf8proc_ssize_t i = 0; i < len; i++)
        utf8_encode(out, (uint32_t)parts[i]);
    /* Nothing is left: no two such passwords may be the same. */
    if (len <= 0)
        buf_put_view(out, password);
    secret_wipe(cps, password.len * sizeof(*cps));
    secret_wipe(parts, room * sizeof(*parts));
    free(cps);
    free(parts);
    return buf_ok(out) ? 0 : ERR_LIMIT;
}
