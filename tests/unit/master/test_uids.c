#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "master/uids.h"

static char dir[] = "/tmp/culver-test-uids-XXXXXX";
static char file[64], tmp[64];

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(file, sizeof(file), "%s/uids", dir);
    (void)snprintf(tmp, sizeof(tmp), "%s/uids.tmp", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(file);
    (void)unlink(tmp);
    return rmdir(dir);
}

static void put_file(const char *text)
{
    FILE *f = fopen(file, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void check_file(const char *want)
{
    char text[256] = "";
    FILE *f = fopen(file, "r");

    assert_non_null(f);
    assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(text, want);
}

static struct uids *open_ok(uint32_t first, uint32_t last)
{
    struct uids *u = NULL;
    size_t line;

    assert_int_equal(uids_open(dir, first, last, &u, &line), 0);
    return u;
}

static uint32_t get_ok(struct uids *u, const char *name)
{
    uint32_t uid = 0;

    assert_int_equal(uids_get(u, view_str(name), &uid), 0);
    return uid;
}

static void test_allot(void **state)
{
    struct uids *u;
    uint32_t uid = 0;
    struct stat st;

    (void)state;
    (void)unlink(file);
    u = open_ok(600000, 600002);
    assert_int_equal(get_ok(u, "alice@example.org"), 600000);
    assert_int_equal(get_ok(u, "bob"), 600001);
    assert_int_equal(get_ok(u, "alice@example.org"), 600000);
    uids_close(&u);
    check_file("600000 alice@example.org\n600001 bob\n");
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(access(tmp, F_OK), -1);

    u = open_ok(600000, 600002);
    assert_int_equal(uids_count(u), 2);
    assert_int_equal(get_ok(u, "bob"), 600001);
    assert_int_equal(get_ok(u, "name with blanks"), 600002);
    assert_int_equal(uids_get(u, VIEW("dave"), &uid), ERR_LIMIT);
    assert_int_equal(uids_get(u, VIEW("a\nb"), &uid), ERR_SYNTAX);
    assert_int_equal(uids_get(u, VIEW(""), &uid), ERR_SYNTAX);
    assert_int_equal(uid, 0);
    uids_set_range(u, 700000, 700001);
    assert_int_equal(get_ok(u, "dave"), 700000);
    assert_int_equal(get_ok(u, "bob"), 600001);
    uids_close(&u);
}

/* A line that was taken out by hand does not make its uid free. */
static void test_never_reused(void **state)
{
    struct uids *u;

    (void)state;
    put_file("600000 alice\n600005 bob\n500 outside\n");
    u = open_ok(600000, 600010);
    assert_int_equal(get_ok(u, "carol"), 600006);
    assert_int_equal(get_ok(u, "outside"), 500);
    uids_close(&u);
}

static void test_write_fails(void **state)
{
    struct uids *u;
    uint32_t uid = 0;

    (void)state;
    put_file("600000 alice\n");
    u = open_ok(600000, 600010);
    assert_int_equal(mkdir(tmp, 0700), 0); /* in the way of the new file */
    assert_int_not_equal(uids_get(u, VIEW("bob"), &uid), 0);
    assert_int_equal(uid, 0);
    assert_int_equal(uids_count(u), 1);
    assert_int_equal(rmdir(tmp), 0);
    assert_int_equal(get_ok(u, "bob"), 600001);
    uids_close(&u);
    check_file("600000 alice\n600001 bob\n");
}

static void test_damage(void **state)
{
    static const struct {
        const char *text;
        size_t line;
    } bad[] = {
        {"600000 alice\n600000 bob\n", 2},
        {"600000 alice\n600001 alice\n", 2},
        {"600000 alice", 1},
        {"600000\n", 1},
        {"600000 \n", 1},
        {"alice 600000\n", 1},
        {"0 alice\n", 1},
        {"4294967295 alice\n", 1},
        {"\n", 1},
        {"600000 a\tb\n", 1},
        {"600000 alice\n\n", 2},
        {"-1 alice\n", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct uids *u = NULL;
        size_t line = 0;
        put_file(bad[i].text);
        assert_int_equal(uids_open(dir, 600000, 600010, &u, &line), ERR_CORRUPT);
        assert_null(u);
        assert_int_equal(line, bad[i].line);
    }
}

static void test_symlink(void **state)
{
    struct uids *u = NULL;
    size_t line = 0;

    (void)state;
    (void)unlink(file);
    assert_int_equal(symlink("/etc/passwd", file), 0);
    assert_int_not_equal(uids_open(dir, 1, 2, &u, &line), 0);
    assert_int_not_equal(uids_open("/nonexistent", 1, 2, &u, &line), 0);
    assert_null(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allot),  cmocka_unit_test(test_never_reused), cmocka_unit_test(test_write_fails),
        cmocka_unit_test(test_damage), cmocka_unit_test(test_symlink),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
