/* The record of a session: written and read, and everything that is not one refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/record.h"

static void make(struct buf *file, const char *out)
{
    struct record r = {.eof = true,
                       .closing = false,
                       .sent = 7,
                       .received = UINT64_MAX,
                       .out_len = strlen(out),
                       .in = VIEW("a NOOP\r\nb "),
                       .session = VIEW("\0\1\2")};

    buf_init(file, 1 << 20);
    record_encode(file, &r);
    assert_true(buf_ok(file));
    buf_put_str(file, out);
}

static void test_round(void **state)
{
    static const char *const outs[] = {"", "* 1 EXISTS\r\n"};
    struct record r;
    struct buf file;
    uint64_t off;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        make(&file, outs[i]);
        assert_int_equal(record_decode(buf_view(&file), &r, &off), 0);
        assert_true(r.eof && !r.closing && r.sent == 7 && r.received == UINT64_MAX);
        assert_true(view_eq(r.in, VIEW("a NOOP\r\nb ")));
        assert_true(view_eq(r.session, view_make("\0\1\2", 3)));
        assert_true(r.out_len == strlen(outs[i]) && off + r.out_len == buf_len(&file));
        buf_free(&file);
    }
}

static void test_refused(void **state)
{
    struct record r;
    struct buf file;
    uint64_t off;

    (void)state;
    make(&file, "out");
    for (size_t n = 0; n < buf_len(&file); n++)
        assert_int_not_equal(record_decode(view_sub(buf_view(&file), 0, n), &r, &off), 0);
    for (size_t i = 0; i < buf_len(&file) - 3; i++) {
        file.data[i] ^= 0x40;
        assert_int_not_equal(record_decode(buf_view(&file), &r, &off), 0);
        file.data[i] ^= 0x40;
    }
    file.data[8]++;
    assert_int_equal(record_decode(buf_view(&file), &r, &off), ERR_UNSUPPORTED);
    file.data[8]--;
    file.data[RECORD_HEADER_SIZE]++;
    assert_int_equal(record_decode(buf_view(&file), &r, &off), ERR_CORRUPT);
    file.data[RECORD_HEADER_SIZE]--;
    assert_int_equal(record_decode(buf_view(&file), &r, &off), 0);
    buf_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round), cmocka_unit_test(test_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
