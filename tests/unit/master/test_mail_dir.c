/* The folders that master makes for a user. What needs root is left out where the test is not root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "master/mail_dir.h"

#define UID 61234
#define GID 61235
#define OTHER 61236

static char base[] = "/var/tmp/culver-test-mail-XXXXXX";

static const char *path(const char *rel)
{
    static char out[4][256];
    static unsigned i;

    i = (i + 1) % 4;
    (void)snprintf(out[i], sizeof(out[i]), "%s/%s", base, rel);
    return out[i];
}

static int group_setup(void **state)
{
    (void)state;
    return mkdtemp(base) != NULL && chmod(base, 0755) == 0 ? 0 : -1;
}

static int group_teardown(void **state)
{
    static const char *const all[] = {"d/example.org/alice",
                                      "d/example.org",
                                      "d",
                                      "home/u/Mail",
                                      "home/u",
                                      "home",
                                      "other/x",
                                      "other",
                                      "link",
                                      "target",
                                      "used/f",
                                      "used",
                                      "fresh",
                                      "file"};

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (unlink(path(all[i])) != 0)
            (void)rmdir(path(all[i]));
    return rmdir(base);
}

static int prepare(const char *p)
{
    size_t at;

    return mail_dir_prepare(p, UID, GID, &at);
}

static void check(const char *rel, uid_t uid, gid_t gid, mode_t mode)
{
    struct stat st;

    assert_int_equal(lstat(path(rel), &st), 0);
    assert_int_equal(st.st_uid, uid);
    assert_int_equal(st.st_gid, gid);
    assert_int_equal(st.st_mode & 07777, mode);
}

static void need_root(void)
{
    if (geteuid() != 0)
        skip();
}

static void test_made(void **state)
{
    mode_t before;

    (void)state;
    need_root();
    before = umask(0077);
    assert_int_equal(prepare(path("d/example.org/alice")), 0);
    (void)umask(before);
    check("d", 0, 0, 0755);
    check("d/example.org", 0, 0, 0755);
    check("d/example.org/alice", UID, GID, 0700);
    assert_int_equal(prepare(path("d/example.org/alice")), 0);
    assert_int_equal(prepare(path("d//example.org/alice/")), 0);
}

/* Below a folder of the user nothing is made: the worker does it. */
static void test_stops_at_user(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(mkdir(path("home"), 0755), 0);
    assert_int_equal(mkdir(path("home/u"), 0750), 0);
    assert_int_equal(chown(path("home/u"), UID, GID), 0);
    assert_int_equal(prepare(path("home/u/Mail/deep")), 0);
    assert_int_equal(access(path("home/u/Mail"), F_OK), -1);
    /* Not even a link in it is looked at. */
    assert_int_equal(symlink("/etc", path("home/u/Mail")), 0);
    assert_int_equal(prepare(path("home/u/Mail/deep")), 0);
}

static void test_symlink_refused(void **state)
{
    size_t at = 0;

    (void)state;
    need_root();
    assert_int_equal(mkdir(path("target"), 0755), 0);
    assert_int_equal(symlink("target", path("link")), 0);
    assert_int_equal(mail_dir_prepare(path("link/alice"), UID, GID, &at), ERR_DENIED);
    assert_true(at > 0);
    assert_int_equal(prepare(path("link")), ERR_DENIED);
    assert_int_equal(access(path("target/alice"), F_OK), -1);
}

static void test_strange_folders_refused(void **state)
{
    FILE *f;

    (void)state;
    need_root();
    assert_int_equal(mkdir(path("other"), 0777), 0);
    assert_int_equal(chown(path("other"), OTHER, OTHER), 0);
    assert_int_equal(prepare(path("other/x")), ERR_DENIED);
    assert_int_equal(access(path("other/x"), F_OK), -1);
    /* A folder of root that is in use does not change hands; one that a start left half made does. */
    assert_int_equal(mkdir(path("used"), 0700), 0);
    f = fopen(path("used/f"), "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(prepare(path("used")), ERR_DENIED);
    check("used", 0, 0, 0700);
    assert_int_equal(mkdir(path("fresh"), 0755), 0);
    assert_int_equal(prepare(path("fresh")), ERR_DENIED);
    assert_int_equal(chmod(path("fresh"), 0700), 0);
    assert_int_equal(prepare(path("fresh")), 0);
    check("fresh", UID, GID, 0700);
    f = fopen(path("file"), "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(prepare(path("file")), ERR_DENIED);
    assert_int_equal(prepare(path("file/x")), ERR_DENIED);
}

static void test_bad_paths(void **state)
{
    static char longname[400] = "/";
    size_t at;

    (void)state;
    assert_int_equal(prepare(""), ERR_SYNTAX);
    assert_int_equal(prepare("relative"), ERR_SYNTAX);
    assert_int_equal(prepare("/"), ERR_SYNTAX);
    assert_int_equal(prepare("//"), ERR_SYNTAX);
    assert_int_equal(prepare("/var/../etc"), ERR_SYNTAX);
    assert_int_equal(prepare("/./var"), ERR_SYNTAX);
    memset(longname + 1, 'x', 300);
    assert_int_equal(prepare(longname), ERR_SYNTAX);
    assert_int_equal(mail_dir_prepare("/var/mail/x", 0, 0, &at), ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made),
        cmocka_unit_test(test_stops_at_user),
        cmocka_unit_test(test_symlink_refused),
        cmocka_unit_test(test_strange_folders_refused),
        cmocka_unit_test(test_bad_paths),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
