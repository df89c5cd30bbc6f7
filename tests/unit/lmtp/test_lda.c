/* culver-deliver: what becomes of the message, whole and in pieces, and of the names it is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "lmtp/lda.h"

static void test_stream(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"", ".\r\n"},
        {"a\n", "a\r\n.\r\n"},
        {"a\r\nb", "a\r\nb\r\n.\r\n"},
        {".\n..\n.x\n", "..\r\n...\r\n..x\r\n.\r\n"},
        {"a\r.\n", "a\r.\r\n.\r\n"},
        {"a\r\r\n.\n", "a\r\r\n..\r\n.\r\n"},
        {"\n.\n", "\r\n..\r\n.\r\n"},
        {"From a b\nx: y\n", "x: y\r\n.\r\n"},
        {"From ", ".\r\n"},
        {"Fro", "Fro\r\n.\r\n"},
        {"From: a\n", "From: a\r\n.\r\n"},
        {"x\nFrom a\n", "x\r\nFrom a\r\n.\r\n"},
        {"\r", "\r\n.\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t piece = 1; piece < 9; piece++) {
            struct view rest = view_str(rows[i].in);
            struct lda_stream s;
            struct buf out;

            lda_stream_init(&s);
            buf_init(&out, 1000);
            while (rest.len > 0) {
                struct view v = view_sub(rest, 0, piece);

                lda_stream_put(&s, v, &out);
                rest = view_sub(rest, v.len, rest.len);
            }
            lda_stream_end(&s, &out);
            if (!view_eq(buf_view(&out), view_str(rows[i].out)))
                fail_msg("'%s' in pieces of %zu: '%.*s'", rows[i].in, piece, (int)buf_len(&out),
                         (const char *)buf_view(&out).ptr);
            buf_free(&out);
        }
    }
}

static void test_recipients(void **state)
{
    static const struct {
        const char *user, *folder, *path; /* NULL: refused */
    } rows[] = {
        {"jo", "", "jo"},
        {"jo", "Lists", "jo+Lists"},
        {"jo@example.org", "A/B", "jo+A/B@example.org"},
        {"jo@example.org", "A \"B\\", "\"jo+A \\\"B\\\\\"@example.org"},
        {"jo", "\xc3\xa4", "jo+\xc3\xa4"},
        {"", "", NULL},
        {"@example.org", "", NULL},
        {"jo\r\nDATA", "", NULL},
        {"jo", "a\nb", NULL},
        {"jo", "a@b", NULL},
        {"jo@a>b", "", NULL},
        {"jo", "\xff", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out;
        int err;

        buf_init(&out, 1000);
        err = lda_put_recipient(&out, view_str(rows[i].user), '+', view_str(rows[i].folder));
        if ((err == 0) != (rows[i].path != NULL))
            fail_msg("%s %s: %s", rows[i].user, rows[i].folder, err_str(err));
        if (err == 0)
            assert_true(view_eq(buf_view(&out), view_str(rows[i].path)));
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_recipients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
