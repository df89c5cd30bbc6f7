/* User names and the paths made of them: what is one user, and what is nobody. */
#include "tests/unit/auth/unit.h"

#include "auth/name.h"
#include "auth/template.h"

static struct conf *conf;

static const struct set_auth *settings(const char *text)
{
    conf_free(&conf);
    return unit_settings(text, &conf);
}

struct row {
    const char *in;
    const char *out; /* NULL: refused */
};

static void check_names(const struct set_auth *set, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct auth_name name;
        int err = auth_name_normalise(set, view_str(rows[i].in), &name);
        if ((err == 0) != (rows[i].out != NULL))
            fail_msg("'%s': %s", rows[i].in, err_str(err));
        if (err == 0)
            assert_view(auth_name_view(&name), rows[i].out);
    }
}

static void test_normalise(void **state)
{
    static const struct row rows[] = {
        {"alice", "alice"},
        {"Alice", "alice"},
        {"ALICE@Example.ORG", "alice@example.org"},
        {"a.b-c_d+e=f", "a.b-c_d+e=f"},
        {"", NULL},
        {"@", NULL},
        {"@example.org", NULL},
        {"alice@", NULL},
        {"a@b@c", NULL},
        {"al ice", NULL},
        {" alice", NULL},
        {"alice\n", NULL},
        {"alice\t", NULL},
        {"al/ice", NULL},
        {"../alice", NULL},
        {"al%ice", NULL},
        {"al\x01ice", NULL},
        {"al\x7fice", NULL},
        {"\xff", NULL},
        {"\xc3\xa4", NULL},
        {"al\xc0\xaf", NULL},
        {"*", NULL},
        {"a\"b", NULL},
    };
    (void)state;
    check_names(settings(""), rows, ARRAY_LEN(rows));
}

static void test_normalise_other_settings(void **state)
{
    static const struct row domain_rows[] = {
        {"Alice", "alice@example.org"},
        {"alice@other.org", "alice@other.org"},
        {"@", NULL},
        {"", NULL},
    };
    static const struct row case_rows[] = {{"Alice", "Alice"}, {"alice", "alice"}};
    static const struct row chars_rows[] = {{"abc", "abc@d.x"}, {"abd", NULL}, {"a@c", NULL}};
    (void)state;
    check_names(settings("auth_default_domain = Example.org\n"), domain_rows, ARRAY_LEN(domain_rows));
    check_names(settings("auth_lowercase = no\n"), case_rows, ARRAY_LEN(case_rows));
    /* The default domain must be made of allowed characters too, its '@' is given. */
    check_names(settings("auth_name_chars = abcx.\nauth_default_domain = d.x\n"), chars_rows + 1, 2);
    check_names(settings("auth_name_chars = abcdx.\nauth_default_domain = d.x\n"), chars_rows, 1);
}

static void test_length(void **state)
{
    const struct set_auth *set = settings("");
    struct auth_name name;
    uint8_t text[PROTO_NAME_MAX + 1];
    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(auth_name_normalise(set, view_make(text, PROTO_NAME_MAX), &name), 0);
    assert_int_equal(name.len, PROTO_NAME_MAX);
    assert_int_equal(auth_name_normalise(set, view_make(text, PROTO_NAME_MAX + 1), &name), ERR_SYNTAX);
    assert_int_equal(auth_name_normalise(set, view_make("a\0b", 3), &name), ERR_SYNTAX);
    set = settings("auth_default_domain = example.org\n");
    assert_int_equal(auth_name_normalise(set, view_make(text, PROTO_NAME_MAX - 12), &name), 0);
    assert_int_equal(auth_name_normalise(set, view_make(text, PROTO_NAME_MAX - 11), &name), ERR_SYNTAX);
}

static void test_parts(void **state)
{
    const struct set_auth *set = settings("auth_default_domain = example.org\n");
    struct auth_name name;
    (void)state;
    assert_int_equal(auth_name_normalise(set, VIEW("alice"), &name), 0);
    assert_view(auth_name_local(&name), "alice");
    assert_view(auth_name_domain(&name), "example.org");
    assert_view(auth_name_account(set, &name), "alice");
    assert_int_equal(auth_name_normalise(set, VIEW("alice@other.org"), &name), 0);
    assert_view(auth_name_account(set, &name), "alice@other.org");
    set = settings("");
    assert_int_equal(auth_name_normalise(set, VIEW("alice"), &name), 0);
    assert_view(auth_name_domain(&name), "");
    assert_view(auth_name_account(set, &name), "alice");
}

static void test_addresses(void **state)
{
    static const struct row rows[] = {
        {"alice@example.org", "alice@example.org"},
        {"Alice+lists@Example.org", "alice@example.org"},
        {"alice+@example.org", "alice@example.org"},
        {"alice+a+b@example.org", "alice@example.org"},
        {"+x@example.org", "+x@example.org"},
        {"postmaster", "postmaster"},
        {"\"alice\"@example.org", "alice@example.org"},
        {"\"al\\ice+x\"@example.org", "alice@example.org"},
        {"\"a@b\"@example.org", NULL},
        {"\"a\\@b\"@example.org", NULL},
        {"\"a b\"@example.org", NULL},
        {"\"\"@example.org", NULL},
        {"\"", NULL},
        {"\"\\\"@example.org", NULL},
        {"\"alice@example.org", NULL},
        {"@example.org", NULL},
        {"alice@", NULL},
        {"", NULL},
    };
    const struct set_auth *set = settings("");
    struct auth_name name;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int err = auth_name_of_address(set, view_str(rows[i].in), &name, NULL);
        if ((err == 0) != (rows[i].out != NULL))
            fail_msg("'%s': %s", rows[i].in, err_str(err));
        if (err == 0)
            assert_view(auth_name_view(&name), rows[i].out);
    }
    set = settings("recipient_delimiter = \"\"\n");
    assert_int_equal(auth_name_of_address(set, VIEW("a+b@c"), &name, NULL), 0);
    assert_view(auth_name_view(&name), "a+b@c");
}

/* The folder in a name: RFC 5233 1 for addresses, the same for names at log-in. */
static void test_detail(void **state)
{
    static const struct {
        const char *in, *name, *detail; /* name NULL: refused */
        bool login;
    } rows[] = {
        {"Jo+Lists@example.org", "jo@example.org", "Lists", false},
        {"jo+a+b@example.org", "jo@example.org", "a+b", false},
        {"jo+@example.org", "jo@example.org", "", false},
        {"jo@example.org", "jo@example.org", "", false},
        {"+jo@example.org", "+jo@example.org", "", false},
        {"\"jo+a b\"@example.org", "jo@example.org", "a b", false},
        {"jo+\xc3\xa4/../x@example.org", "jo@example.org", "\xc3\xa4/../x", false},
        {"jo+a\x01"
         "b@example.org",
         NULL, NULL, false},
        {"jo+Lists", "jo", "Lists", true},
        {"jo+Lists@example.org", "jo@example.org", "Lists", true},
        {"jo+a/b.c", "jo", "a/b.c", true},
        {"\"jo+x\"", NULL, NULL, true},
        {"jo+a\x7f", NULL, NULL, true},
        {"+", "+", "", true},
    };
    const struct set_auth *set = settings("");
    struct auth_name name;
    struct auth_detail detail;
    char text[400];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct view in = view_str(rows[i].in);
        int err = rows[i].login ? auth_name_of_login(set, in, &name, &detail) : auth_name_of_address(set, in, &name, &detail);
        if ((err == 0) != (rows[i].name != NULL))
            fail_msg("'%s': %s", rows[i].in, err_str(err));
        if (err != 0)
            continue;
        assert_view(auth_name_view(&name), rows[i].name);
        assert_view(view_make(detail.text, detail.len), rows[i].detail);
    }
    memset(text, 'x', sizeof(text));
    memcpy(text, "jo+", 3);
    assert_int_equal(auth_name_of_login(set, view_make(text, 3 + PROTO_DETAIL_MAX), &name, &detail), 0);
    assert_int_equal(detail.len, PROTO_DETAIL_MAX);
    assert_int_equal(auth_name_of_login(set, view_make(text, 4 + PROTO_DETAIL_MAX), &name, &detail), ERR_SYNTAX);
}

static void test_template(void **state)
{
    static const struct {
        const char *tmpl, *name, *home;
        const char *path; /* NULL: err */
        int err;
    } rows[] = {
        {"~/culver", "alice", "/home/alice", "/home/alice/culver", 0},
        {"~/culver", "alice", "/home/alice/", "/home/alice/culver", 0},
        {"%h/culver", "alice", "/home/alice", "/home/alice/culver", 0},
        {"/m/%d/%n", "alice@example.org", "", "/m/example.org/alice", 0},
        {"/m/%u", "alice@example.org", "", "/m/alice@example.org", 0},
        {"/m/%%%n", "alice", "", "/m/%alice", 0},
        {"/m/x~/%n", "alice", "", "/m/x~/alice", 0},
        {"~/culver", "alice", "", NULL, ERR_NOTFOUND},
        {"~/culver", "alice", "/", NULL, ERR_DENIED},
        {"~/culver", "alice", "relative", NULL, ERR_DENIED},
        {"~/culver", "alice", "/home/../etc", NULL, ERR_DENIED},
        {"~/culver", "alice", "/home//alice", NULL, ERR_DENIED},
        {"/m/%d/%n", "alice", "", NULL, ERR_NOTFOUND},
        {"/m/%n", "..", "", NULL, ERR_DENIED},
        {"/m/%n", ".", "", NULL, ERR_DENIED},
        {"/m/%n", ".ssh", "", NULL, ERR_DENIED},
        {"/m/%n", "a..b", "", NULL, ERR_DENIED},
        {"/m/%n", "a/b", "", NULL, ERR_DENIED},
        {"/m/%d/%n", "alice@..", "", NULL, ERR_DENIED},
        {"/m/%d/%n", "alice@.", "", NULL, ERR_DENIED},
        {"/m/%d/%n", "alice@a/b", "", NULL, ERR_DENIED},
        {"/m/a%n", "/etc", "", NULL, ERR_DENIED},
        {"%n", "alice", "", NULL, ERR_DENIED},
        {"/m/../%n", "alice", "", NULL, ERR_DENIED},
        {"/m/%x", "alice", "", NULL, ERR_SYNTAX},
        {"/m/%", "alice", "", NULL, ERR_SYNTAX},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct auth_name name = {.len = strlen(rows[i].name)};
        struct buf out;
        memcpy(name.text, rows[i].name, name.len);
        name.at = view_find(auth_name_view(&name), '@');
        buf_init(&out, PROTO_PATH_MAX);
        int err = template_expand(view_str(rows[i].tmpl), &name, view_str(rows[i].home), &out);
        if (err != rows[i].err)
            fail_msg("%s %s %s: %s", rows[i].tmpl, rows[i].name, rows[i].home, err_str(err));
        assert_view(buf_view(&out), rows[i].path == NULL ? "" : rows[i].path);
        buf_free(&out);
    }
}

static void test_template_length(void **state)
{
    struct auth_name name = {.len = PROTO_NAME_MAX, .at = PROTO_NAME_MAX};
    struct buf out;
    (void)state;
    memset(name.text, 'a', PROTO_NAME_MAX);
    buf_init(&out, 2 * PROTO_PATH_MAX);
    assert_int_equal(template_expand(VIEW("/%n/%n/%n/%n"), &name, VIEW(""), &out), 0);
    assert_int_equal(buf_len(&out), PROTO_PATH_MAX);
    buf_reset(&out);
    assert_int_equal(template_expand(VIEW("/%n/%n/%n/%nb"), &name, VIEW(""), &out), ERR_DENIED);
    assert_int_equal(buf_len(&out), 0);
    buf_free(&out);
    buf_init(&out, PROTO_PATH_MAX);
    assert_int_equal(template_expand(VIEW("/%n/%n/%n/%nb"), &name, VIEW(""), &out), ERR_LIMIT);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normalise), cmocka_unit_test(test_normalise_other_settings),
        cmocka_unit_test(test_length),    cmocka_unit_test(test_parts),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_detail),
        cmocka_unit_test(test_template),  cmocka_unit_test(test_template_length),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    conf_free(&conf);
    return rc;
}
