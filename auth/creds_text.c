/* The files of creds.h, written and read. They are our own, and read as if they were not. */
#include <sodium.h>

#include "auth/creds.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/secret/secret.h"
#include "common/text/text.h"

#define HEADER "culver-credentials 1"

void creds_put(const struct auth_name *name, const struct creds *creds, struct buf *out)
{
    buf_put_str(out, HEADER "\nuser ");
    buf_put_view(out, auth_name_view(name));
    buf_put_byte(out, '\n');
    if (creds->totp != CREDS_TOTP_NONE) {
        buf_put_str(out, "totp ");
        hex_encode(out, view_make(creds->secret, sizeof(creds->secret)));
        buf_put_fmt(out, " %d %llu\n", creds->totp == CREDS_TOTP_CONFIRMED ? 1 : 0, (unsigned long long)creds->step);
    }
    for (size_t i = 0; i < creds->napps; i++) {
        const struct app_password *a = &creds->apps[i];
        buf_put_fmt(out, "app %08x ", a->id);
        hex_encode(out, view_make(a->hash, sizeof(a->hash)));
        buf_put_fmt(out, " %u %llu %llu %s\n", a->scopes, (unsigned long long)a->created, (unsigned long long)a->expires,
                    a->label);
    }
    buf_put_str(out, "end\n");
}

/* 2 * n hexadecimal digits in lower case. */
static void take_hex(struct cursor *c, uint8_t *out, size_t n)
{
    struct view v = cursor_bytes(c, 2 * n);
    for (size_t i = 0; i < v.len; i++) {
        uint8_t d = v.ptr[i];
        if (!(d >= '0' && d <= '9') && !(d >= 'a' && d <= 'f')) {
            cursor_fail(c);
            return;
        }
        d = (uint8_t)(d <= '9' ? d - '0' : d - 'a' + 10);
        out[i / 2] = (uint8_t)(i % 2 == 0 ? d << 4 : out[i / 2] | d);
    }
}

static uint64_t take_number(struct cursor *c, uint64_t max)
{
    uint64_t n = cursor_dec(c, 0, max);
    return n;
}

static void take_totp(struct cursor *c, struct creds *creds)
{
    if (creds->totp != CREDS_TOTP_NONE)
        cursor_fail(c);
    take_hex(c, creds->secret, sizeof(creds->secret));
    cursor_expect(c, ' ');
    creds->totp = take_number(c, 1) == 1 ? CREDS_TOTP_CONFIRMED : CREDS_TOTP_ENROLLED;
    cursor_expect(c, ' ');
    creds->step = take_number(c, UINT64_MAX >> 1);
}

static void take_label(struct cursor *c, struct app_password *a)
{
    struct view label = cursor_rest(c);
    cursor_skip(c, label.len);
    if (label.len == 0 || label.len > CREDS_LABEL_MAX) {
        cursor_fail(c);
        return;
    }
    for (size_t i = 0; i < label.len; i++) {
        if (label.ptr[i] < ' ' || label.ptr[i] > '~')
            cursor_fail(c);
        a->label[i] = (char)label.ptr[i];
    }
}

static void take_app(struct cursor *c, struct creds *creds)
{
    struct app_password *a = &creds->apps[creds->napps];
    uint8_t id[4] = {0};
    if (creds->napps == CREDS_APPS_MAX) {
        cursor_fail(c);
        return;
    }
    take_hex(c, id, sizeof(id));
    a->id = (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3];
    cursor_expect(c, ' ');
    take_hex(c, a->hash, sizeof(a->hash));
    cursor_expect(c, ' ');
    a->scopes = (unsigned)take_number(c, CREDS_ALL);
    cursor_expect(c, ' ');
    a->created = take_number(c, UINT64_MAX >> 1);
    cursor_expect(c, ' ');
    a->expires = take_number(c, UINT64_MAX >> 1);
    cursor_expect(c, ' ');
    take_label(c, a);
    if (a->id == 0)
        cursor_fail(c);
    creds->napps++;
}

int creds_parse(struct view text, const struct auth_name *name, struct creds *out)
{
    struct creds creds = {.napps = 0};
    struct view rest = text;
    bool good = true, ended = false;
    for (unsigned number = 0; good && !ended; number++) {
        size_t n = view_find(rest, '\n');
        struct cursor c = cursor_make(view_sub(rest, 0, n));
        good = n < rest.len;
        rest = view_sub(rest, n + 1, rest.len);
        if (number == 0)
            good = good && view_eq(cursor_rest(&c), VIEW(HEADER));
        else if (number == 1)
            good = good && cursor_take_view(&c, VIEW("user ")) && view_eq(cursor_rest(&c), auth_name_view(name));
        else if (view_eq(cursor_rest(&c), VIEW("end")))
            ended = true;
        else if (cursor_take_view(&c, VIEW("totp ")))
            take_totp(&c, &creds);
        else if (cursor_take_view(&c, VIEW("app ")))
            take_app(&c, &creds);
        else
            good = false;
        good = good && (number < 2 || ended || cursor_done(&c));
    }
    good = good && rest.len == 0;
    if (good)
        *out = creds;
    secret_wipe(&creds, sizeof(creds));
    return good ? 0 : ERR_CORRUPT;
}
