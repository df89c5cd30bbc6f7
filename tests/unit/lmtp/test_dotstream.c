/* What ends a message and what does not; every case is fed whole and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "lmtp/dotstream.h"

struct result {
    struct buf out;
    size_t taken;
    bool ended;
};

static struct result feed(struct view in, size_t piece)
{
    struct result r = {0};
    struct dotstream d;

    buf_init(&r.out, 1000);
    dotstream_init(&d);
    while (r.taken < in.len && !dotstream_ended(&d))
        r.taken += dotstream_data(&d, view_sub(in, r.taken, piece), &r.out);
    r.ended = dotstream_ended(&d);
    assert_true(buf_ok(&r.out));
    return r;
}

static void check(const char *in, const char *stored, bool ended, const char *rest)
{
    struct view v = view_str(in);

    for (size_t piece = 1; piece <= v.len; piece++) {
        struct result r = feed(v, piece);

        assert_int_equal(r.ended, ended);
        if (ended) {
            assert_string_equal((const char *)v.ptr + r.taken, rest);
            assert_true(view_eq(buf_view(&r.out), view_str(stored)));
        }
        buf_free(&r.out);
    }
}

static void test_end_of_data(void **state)
{
    (void)state;
    check("a\r\nb\r\n.\r\nQUIT\r\n", "a\r\nb\r\n", true, "QUIT\r\n");
    check(".\r\nX", "", true, "X");
    check("a\r\n..\r\n...b\r\n.\r\n", "a\r\n.\r\n..b\r\n", true, "");
    check("a\r\n.b\r\n.\r\n", "a\r\nb\r\n", true, "");
}

/* The variants by which messages were smuggled: none of them ends the data. */
static void test_smuggling(void **state)
{
    static const char *const not_ends[] = {
        "a\n.\nMAIL", "a\n.\r\nMAIL",    "a\r\n.\nMAIL", "a\r.\rMAIL",    "a\r\n.\rMAIL", "a\r.\r\nMAIL",
        "a\n.\rMAIL", "a\r\n\x0b.\r\nM", "a\r\r\n.\n",   "a\r\n.\r\r\nM", "a\n\r.\r\n",   "a\r\n .\r\nM",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(not_ends); i++)
        check(not_ends[i], "", false, "");
}

static void test_bare_lf_becomes_crlf(void **state)
{
    (void)state;
    check("a\nb\n.\r\nc\r\n.\r\n", "a\r\nb\r\n.\r\nc\r\n", true, "");
    check("a\rb\r\n.\r\n", "a\rb\r\n", true, "");
}

static void test_chunk_keeps_dots(void **state)
{
    struct dotstream d;
    struct buf out;

    (void)state;
    buf_init(&out, 100);
    dotstream_init(&d);
    dotstream_chunk(&d, VIEW(".\r\n.\r"), &out);
    dotstream_chunk(&d, VIEW("\n..x\ny\r"), &out);
    dotstream_finish(&d, &out);
    assert_true(view_eq(buf_view(&out), VIEW(".\r\n.\r\n..x\r\ny\r")));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end_of_data),
        cmocka_unit_test(test_smuggling),
        cmocka_unit_test(test_bare_lf_becomes_crlf),
        cmocka_unit_test(test_chunk_keeps_dots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
