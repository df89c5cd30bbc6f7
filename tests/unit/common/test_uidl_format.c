/* Forms of POP3 unique ids: those of other servers, and what is no form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "common/base/mem.h"
#include "common/conf/uidl_format.h"

static const uint8_t guid[UIDL_GUID_SIZE] = {0xab, 1};

static const struct uidl_values values = {
    .uid = 26, .uidvalidity = 0x5f3c2a10, .file_name = {(const uint8_t *)"1700000000.M1P2.host", 20}, .guid = guid};

static void test_forms(void **state)
{
    static const struct {
        const char *format, *id;
    } rows[] = {
        {"dovecot", "0000001a5f3c2a10"},
        {"%08Xu%08Xv", "0000001a5f3c2a10"},
        {"%{uid | hex(8)}%{uidvalidity|hex(8)}", "0000001a5f3c2a10"},
        {"cyrus", "1597778448.26"},
        {"uid", "26"},
        {"courier", "UID26-1597778448"},
        {"file", "1700000000.M1P2.host"},
        {"%{filename}", "1700000000.M1P2.host"},
        {"%Xu.%v", "1a.1597778448"},
        {"%5u", "00026"},
        {"%{uid|hex}", "1a"},
        {"%g.%u", "ab010000000000000000000000000000.26"},
        {"%{guid}-%{uid}", "ab010000000000000000000000000000-26"},
        {"a%%%u", "a%26"},
        {"%016u%v", "00000000000000261597778448"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct uidl_format f;
        struct buf out;

        if (uidl_format_parse(rows[i].format, &f) != 0)
            fail_msg("'%s' was refused", rows[i].format);
        buf_init(&out, 1000);
        uidl_format_put(&out, &f, &values);
        if (!view_eq(buf_view(&out), view_str(rows[i].id)))
            fail_msg("'%s': %.*s", rows[i].format, (int)buf_len(&out), (const char *)buf_view(&out).ptr);
        buf_free(&out);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *format;
        int err;
    } rows[] = {
        {"", ERR_RANGE},
        {"x", ERR_RANGE},
        {"%v", ERR_RANGE},
        {"%g", ERR_RANGE},
        {"%f%u", ERR_RANGE},
        {"%x", ERR_SYNTAX},
        {"%", ERR_SYNTAX},
        {"%u ", ERR_SYNTAX},
        {"%u\xc3\xa4", ERR_SYNTAX},
        {"%{uid", ERR_SYNTAX},
        {"%{x}", ERR_SYNTAX},
        {"%{uid|oct}", ERR_SYNTAX},
        {"%17u", ERR_SYNTAX},
        {"%8f", ERR_SYNTAX},
        {"%Xg%u", ERR_SYNTAX},
        {"%{uid|hex(0)}", ERR_SYNTAX},
        {"%{uid|hex(8}", ERR_SYNTAX},
        {"%u\t", ERR_SYNTAX},
        {"%{}", ERR_SYNTAX},
        {"%u%u%u%u%u%u%u%u", ERR_RANGE},
        {"%u%u%u%u%u%u%u%u%u%u%u%u%u%u%u%u%u", ERR_SYNTAX},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct uidl_format f;
        int err = uidl_format_parse(rows[i].format, &f);

        if (err != rows[i].err)
            fail_msg("'%s': %s", rows[i].format, err_str(err));
    }
}

/* Names of files that are no ids, RFC 1939 7. */
static void test_file_names(void **state)
{
    char longest[UIDL_MAX + 2];
    struct uidl_values v = values;
    struct uidl_format f;
    struct buf out;

    (void)state;
    memset(longest, 'x', sizeof(longest));
    assert_int_equal(uidl_format_parse("file", &f), 0);
    buf_init(&out, 1000);
    v.file_name = view_make(longest, UIDL_MAX);
    uidl_format_put(&out, &f, &v);
    assert_int_equal(buf_len(&out), UIDL_MAX);
    for (unsigned i = 0; i < 3; i++) {
        v.file_name = i == 0 ? view_make(longest, UIDL_MAX + 1) : i == 1 ? VIEW("a b") : view_make(NULL, 0);
        buf_reset(&out);
        uidl_format_put(&out, &f, &v);
        assert_true(view_eq(buf_view(&out), VIEW("0000001a5f3c2a10")));
    }
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_file_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
