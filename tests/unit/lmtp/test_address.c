#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "lmtp/address.h"

static void test_paths(void **state)
{
    static const struct {
        const char *in, *address; /* address NULL: refused */
        bool allow_empty;
    } cases[] = {
        {"<a@b>", "a@b", false},
        {"<>", "", true},
        {"<>", NULL, false},
        {"<@x,@y:a@b>", "a@b", false},
        {"<@x:>", NULL, true},
        {"<\"quoted local\"@b>", "\"quoted local\"@b", false},
        {"<\"a>b\"@c>", "\"a>b\"@c", false},
        {"<\"\">", "\"\"", false},
        {"<\"\\\"\"@c>", "\"\\\"\"@c", false},
        {"<user>", "user", false},
        {"<gr\xc3\xbc\xc3\x9f@b>", "gr\xc3\xbc\xc3\x9f@b", false},
        {"<\xff@b>", NULL, false},
        {"<a b@c>", NULL, false},
        {"<a\tb@c>", NULL, false},
        {"<a@b", NULL, false},
        {"a@b", NULL, false},
        {"<\"a@b>", NULL, false},
        {"<\"a\\", NULL, false},
        {"<<a@b>>", NULL, false},
        {"<@x", NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cursor c = cursor_make(view_str(cases[i].in));
        struct view address = VIEW("untouched");

        lmtp_take_path(&c, cases[i].allow_empty, &address);
        assert_int_equal(cursor_done(&c), cases[i].address != NULL);
        assert_true(view_eq(address, view_str(cases[i].address != NULL ? cases[i].address : "untouched")));
    }
}

static void test_domains(void **state)
{
    static const struct {
        const char *address, *domain;
    } cases[] = {
        {"a@b.example", "b.example"}, {"a", ""},           {"", ""}, {"a@", ""}, {"a@b@c", "c"}, {"\"a@b\"", ""},
        {"\"a@b\"@c", "c"},           {"\"a\\\"@b\"", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_true(view_eq(lmtp_domain(view_str(cases[i].address)), view_str(cases[i].domain)));
}

static void test_path_length(void **state)
{
    char long_path[PROTO_ADDR_MAX + 3];

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        size_t len = PROTO_ADDR_MAX + extra;
        struct view address = {0};
        struct cursor c;

        memset(long_path, 'a', sizeof(long_path));
        long_path[0] = '<';
        long_path[len + 1] = '>';
        c = cursor_make(view_make(long_path, len + 2));
        lmtp_take_path(&c, false, &address);
        assert_int_equal(cursor_done(&c), extra == 0);
    }
}

static void test_params(void **state)
{
    struct cursor c = cursor_make(VIEW(" SIZE=100  BODY=8BITMIME SMTPUTF8"));
    struct view name, value;

    (void)state;
    assert_true(lmtp_take_param(&c, &name, &value));
    assert_true(view_eq(name, VIEW("SIZE")) && view_eq(value, VIEW("100")));
    assert_true(lmtp_take_param(&c, &name, &value));
    assert_true(view_eq(name, VIEW("BODY")) && view_eq(value, VIEW("8BITMIME")));
    assert_true(lmtp_take_param(&c, &name, &value));
    assert_true(view_eq(name, VIEW("SMTPUTF8")) && value.len == 0);
    assert_false(lmtp_take_param(&c, &name, &value));
    assert_false(c.failed);

    c = cursor_make(VIEW("x"));
    assert_false(lmtp_take_param(&c, &name, &value));
    assert_true(c.failed);
    c = cursor_make(VIEW(" =x"));
    assert_false(lmtp_take_param(&c, &name, &value));
    assert_true(c.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_domains),
        cmocka_unit_test(test_path_length),
        cmocka_unit_test(test_params),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
