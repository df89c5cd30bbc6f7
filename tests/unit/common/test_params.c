/* Named parameters in queries, filters and distinguished names: what is text stays text. */
#include "tests/unit/common/unit.h"

#include "common/text/params.h"

static struct params_sql places;
static char out_text[16384];

static int sql(struct view query)
{
    struct buf out;
    buf_init(&out, sizeof(out_text) - 1);
    int err = params_sql(query, &places, &out);
    memcpy(out_text, buf_view(&out).ptr != NULL ? (const void *)buf_view(&out).ptr : "", buf_len(&out));
    out_text[buf_len(&out)] = '\0';
    buf_free(&out);
    return err;
}

static void test_sql(void **state)
{
    static const struct {
        const char *query, *result; /* NULL: refused */
        unsigned places;
    } rows[] = {
        {"SELECT p FROM u WHERE n = :user", "SELECT p FROM u WHERE n = $1", 1},
        {"SELECT :name||:domain,:name", "SELECT $1||$2,$3", 3},
        {"SELECT ':user', \":user\" , :user", "SELECT ':user', \":user\" , $1", 1},
        {"SELECT 'it''s :user', :user", "SELECT 'it''s :user', $1", 1},
        {"SELECT 'a\\', :user", "SELECT 'a\\', $1", 1},
        {"SELECT E'a\\':user', :user", "SELECT E'a\\':user', $1", 1},
        {"SELECT e'\\\\', :user", "SELECT e'\\\\', $1", 1},
        {"SELECT name'\\', :user", "SELECT name'\\', $1", 1},
        {"SELECT x::text, :user::text", "SELECT x::text, $1::text", 1},
        {"SELECT a[1:2], b[1 : 2], :user", NULL, 0},
        {"SELECT b[1 : 2], :user", "SELECT b[1 : 2], $1", 1},
        {"SELECT 1 -- :user '\n, :user", "SELECT 1  , $1", 1},
        {"SELECT 1 /* :user ' */ , :user", "SELECT 1   , $1", 1},
        {"SELECT :user; ", "SELECT $1 ", 1},
        {"SELECT :user; DROP TABLE u", NULL, 0},
        {"SELECT :users", NULL, 0},
        {"SELECT :password", NULL, 0},
        {"SELECT $1", NULL, 0},
        {"SELECT $$:user$$", NULL, 0},
        {"SELECT ':user", NULL, 0},
        {"SELECT \":user", NULL, 0},
        {"SELECT E'\\'", NULL, 0},
        {"SELECT /* :user", NULL, 0},
        {"", "", 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int err = sql(view_str(rows[i].query));
        if ((err == 0) != (rows[i].result != NULL))
            fail_msg("%s: %d", rows[i].query, err);
        if (err == 0)
            assert_string_equal(out_text, rows[i].result);
        if (err == 0)
            assert_int_equal(places.nplaces, rows[i].places);
    }
    assert_int_equal(sql(view_make("a\0b", 3)), ERR_SYNTAX);
    assert_int_equal(sql(VIEW(":user,:name,:domain")), 0);
    assert_int_equal(places.places[0], PARAM_USER);
    assert_int_equal(places.places[1], PARAM_NAME);
    assert_int_equal(places.places[2], PARAM_DOMAIN);
}

static void test_sql_limits(void **state)
{
    struct buf q;
    (void)state;
    buf_init(&q, 1024);
    for (unsigned i = 0; i < PARAMS_MAX; i++)
        buf_put_str(&q, ":user ");
    assert_int_equal(sql(buf_view(&q)), 0);
    buf_put_str(&q, ":user");
    assert_int_equal(sql(buf_view(&q)), ERR_LIMIT);
    buf_free(&q);
    buf_init(&q, 4);
    assert_int_equal(params_sql(VIEW("SELECT"), &places, &q), ERR_LIMIT);
    buf_free(&q);
}

static void test_ldap(void **state)
{
    const struct view values[PARAM_COUNT] = {VIEW("a*(b)\\c\0d@e"), VIEW("a, \"b\"+c;<d>=#\xc3\xa9"), VIEW("x.org")};
    struct buf out;
    (void)state;
    buf_init(&out, 1024);
    /* RFC 4515 section 3 */
    assert_int_equal(params_ldap_filter(VIEW("(|(uid=:user)(mail=:name@:domain))"), values, &out), 0);
    assert_view(buf_view(&out), "(|(uid=a\\2a\\28b\\29\\5cc\\00d@e)(mail=a,\\20\"b\"+c;<d>=#\\c3\\a9@x.org))");
    buf_reset(&out);
    /* Extensible matches have colons of their own. */
    assert_int_equal(params_ldap_filter(VIEW("(cn:dn:2.4.6:=:domain)"), values, &out), 0);
    assert_view(buf_view(&out), "(cn:dn:2.4.6:=x.org)");
    buf_reset(&out);
    /* RFC 4514 section 2.4 */
    assert_int_equal(params_ldap_dn(VIEW("uid=:name,ou=:domain,dc=test"), values, &out), 0);
    assert_view(buf_view(&out), "uid=a\\2c\\20\\22b\\22\\2bc\\3b\\3cd\\3e\\3d\\23\\c3\\a9,ou=x.org,dc=test");
    buf_reset(&out);
    static const char *const bad[] = {"", "uid=:name", "(uid=:name", "(uid=:name))", "(a=b)(c=d)", ")(", "(uid=:name)x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(params_ldap_filter(view_str(bad[i]), values, &out), ERR_SYNTAX);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sql),
        cmocka_unit_test(test_sql_limits),
        cmocka_unit_test(test_ldap),
    };
    return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
