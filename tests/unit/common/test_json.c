/* JSON: what is a text and what is not (RFC 8259), and what is read out of it. */
#include "tests/unit/common/unit.h"

#include "common/text/json.h"

static struct json_doc doc;

static void test_grammar(void **state)
{
    static const char *const good[] = {"null",  " true ", "0",          "-0",          "12.5e+3",      "\"\"",    "[]",
                                       "[1,2]", "{}",     "{\"a\":[]}", "\"\\u00e9\"", "\"\xc3\xa9\"", "[[[[]]]]"};
    static const char *const bad[] = {"",
                                      "nul",
                                      "01",
                                      "1.",
                                      "-",
                                      ".5",
                                      "1e",
                                      "+1",
                                      "\"",
                                      "\"\\x\"",
                                      "\"\\u12g4\"",
                                      "\"\n\"",
                                      "[",
                                      "[1,]",
                                      "[1 2]",
                                      "{",
                                      "{\"a\"}",
                                      "{a:1}",
                                      "{\"a\":1,}",
                                      "{\"a\":1]",
                                      "1 2",
                                      "\"\xc3\"",
                                      "'a'",
                                      "[1]]",
                                      "{\"a\":1,\"a\":2}",
                                      "{\"a\":1,\"\\u0061\":2}",
                                      "{\"\\u0000\":1}"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        if (json_parse(view_str(good[i]), &doc) != 0)
            fail_msg("%s", good[i]);
        assert_int_equal(doc.tokens[0].next, doc.n);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (json_parse(view_str(bad[i]), &doc) != ERR_SYNTAX)
            fail_msg("%s", bad[i]);
    }
}

static void test_limits(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 65536);
    for (unsigned i = 0; i < JSON_DEPTH_MAX; i++)
        buf_put_byte(&b, '[');
    for (unsigned i = 0; i < JSON_DEPTH_MAX; i++)
        buf_put_byte(&b, ']');
    assert_int_equal(json_parse(buf_view(&b), &doc), 0);
    buf_reset(&b);
    for (unsigned i = 0; i < 50000; i++)
        buf_put_byte(&b, '[');
    assert_int_equal(json_parse(buf_view(&b), &doc), ERR_LIMIT);
    buf_reset(&b);
    buf_put_str(&b, "[1");
    for (unsigned i = 2; i < JSON_TOKENS_MAX; i++)
        buf_put_str(&b, ",1");
    buf_put_byte(&b, ']');
    assert_int_equal(json_parse(buf_view(&b), &doc), 0);
    buf_truncate(&b, buf_len(&b) - 1);
    buf_put_str(&b, ",1]");
    assert_int_equal(json_parse(buf_view(&b), &doc), ERR_LIMIT);
    buf_free(&b);
}

static void test_values(void **state)
{
    uint64_t n = 7;
    struct buf b;
    (void)state;
    buf_init(&b, 256);
    assert_int_equal(
        json_parse(VIEW("{\"a\":{\"n\":1},\"n\":12.9,\"t\":\"x\\n\\u00e9\\ud83d\\ude00\\/\",\"l\":[1,[2],3],\"m\":-1,\"z\":1e3}"),
                   &doc),
        0);
    assert_int_equal(json_uint(json_member(&doc, 0, VIEW("n")), &n), 0);
    assert_int_equal(n, 12);
    assert_int_equal(json_uint(json_member(&doc, json_index(&doc, json_member(&doc, 0, VIEW("a"))), VIEW("n")), &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(json_uint(json_member(&doc, 0, VIEW("m")), &n), ERR_SYNTAX);
    assert_int_equal(json_uint(json_member(&doc, 0, VIEW("z")), &n), ERR_SYNTAX);
    assert_int_equal(json_uint(json_member(&doc, 0, VIEW("t")), &n), ERR_SYNTAX);
    assert_int_equal(json_uint(NULL, &n), ERR_SYNTAX);
    assert_null(json_member(&doc, 0, VIEW("b")));
    assert_null(json_member(&doc, 2, VIEW("b")));
    assert_int_equal(json_text(json_member(&doc, 0, VIEW("t")), &b), 0);
    assert_view(buf_view(&b), "x\n\xc3\xa9\xf0\x9f\x98\x80/");
    assert_int_equal(json_text(json_member(&doc, 0, VIEW("n")), &b), ERR_SYNTAX);
    assert_true(json_says(json_member(&doc, 0, VIEW("t")), VIEW("x\n\xc3\xa9\xf0\x9f\x98\x80/")));
    assert_false(json_says(json_member(&doc, 0, VIEW("t")), VIEW("x")));
    static const char *const halves[] = {"\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83d\\u0041\"", "\"a\\u0000\""};
    for (size_t i = 0; i < ARRAY_LEN(halves); i++) {
        assert_int_equal(json_parse(view_str(halves[i]), &doc), 0);
        assert_int_equal(json_text(&doc.tokens[0], &b), ERR_SYNTAX);
    }
    buf_reset(&b);
    json_put_text(&b, VIEW("a\"\\\x01"));
    assert_view(buf_view(&b), "\"a\\\"\\\\\\u0001\"");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_grammar), cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_values)};
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
