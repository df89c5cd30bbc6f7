/*
 * What the helper does with one request: hashes, NSS, and PAM with pam_wrapper and its pam_matrix module, where they are
 * installed: the test then runs itself again with the library preloaded.
 */
#include "tests/unit/auth/unit.h"

#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/helper.h"
#include "common/ipc/ipc.h"
#include "common/log/log.h"
#include "common/secret/password.h"

static struct helper_answer answer;

static void encode_hash(struct buf *body, const char *hash, const char *scheme, struct view password)
{
    struct msg_check_hash msg = {.hash = view_str(hash), .scheme = view_str(scheme), .password = password};
    buf_reset(body);
    msg_check_hash_encode(body, &msg);
}

static enum helper_result hash(const char *stored, struct view password, bool weak)
{
    struct buf body;
    buf_init(&body, IPC_MAX_BODY);
    encode_hash(&body, stored, "CRYPT", password);
    assert_int_equal(helper_answer_request(HELPER_HASH, IPC_AUTH_CHECK_HASH, buf_view(&body), weak, &answer), 0);
    buf_free(&body);
    return answer.msg.result;
}

static void test_hash(void **state)
{
    static const char argon[] = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    (void)state;
    assert_int_equal(hash(argon, VIEW("password"), false), HELPER_OK);
    assert_int_equal(hash(argon, VIEW("Password"), false), HELPER_WRONG);
    assert_int_equal(hash("{NONE}x", VIEW("x"), false), HELPER_UNKNOWN);
    assert_int_equal(hash("{PLAIN}x", VIEW("x"), false), HELPER_UNKNOWN);
    assert_int_equal(hash("{PLAIN}x", VIEW("x"), true), HELPER_OK);
}

/* A helper does its own kind of request and no other. */
static void test_kinds(void **state)
{
    struct buf body;
    (void)state;
    buf_init(&body, IPC_MAX_BODY);
    encode_hash(&body, "{PLAIN}x", "CRYPT", VIEW("x"));
    assert_int_equal(helper_answer_request(HELPER_PAM, IPC_AUTH_CHECK_HASH, buf_view(&body), true, &answer), ERR_PROTO);
    assert_int_equal(helper_answer_request(HELPER_NSS, IPC_AUTH_CHECK_HASH, buf_view(&body), true, &answer), ERR_PROTO);
    assert_int_equal(helper_answer_request(HELPER_HASH, IPC_AUTH_CHECK_PAM, buf_view(&body), true, &answer), ERR_PROTO);
    assert_int_equal(helper_answer_request(HELPER_HASH, IPC_AUTH_CHECK_HASH, VIEW("x"), true, &answer), ERR_PROTO);
    buf_free(&body);
}

static enum helper_result nss(const char *user)
{
    struct msg_lookup_nss msg = {.user = view_str(user)};
    struct buf body;
    buf_init(&body, IPC_MAX_BODY);
    msg_lookup_nss_encode(&body, &msg);
    assert_int_equal(helper_answer_request(HELPER_NSS, IPC_AUTH_LOOKUP_NSS, buf_view(&body), false, &answer), 0);
    buf_free(&body);
    return answer.msg.result;
}

static void test_nss(void **state)
{
    const struct passwd *pw = getpwnam("daemon");
    (void)state;
    assert_int_equal(nss("no-such-user-here"), HELPER_UNKNOWN);
    if (pw == NULL)
        skip();
    assert_int_equal(nss("daemon"), HELPER_OK);
    assert_int_equal(answer.msg.uid, pw->pw_uid);
    assert_int_equal(answer.msg.gid, pw->pw_gid);
    assert_view(answer.msg.name, "daemon");
    assert_view(answer.msg.home, pw->pw_dir);
    /* What the answer says fits its message. */
    struct msg_helper_result back;
    struct buf body;
    buf_init(&body, IPC_MAX_BODY);
    msg_helper_result_encode(&body, &answer.msg);
    assert_true(buf_ok(&body));
    assert_int_equal(msg_helper_result_decode(buf_view(&body), &back), 0);
    buf_free(&body);
}

/* --- PAM --------------------------------------------------------------------------------------------------------------- */

static enum helper_result pam(const char *service, const char *user, const char *password)
{
    struct msg_check_pam msg = {
        .service = view_str(service), .user = view_str(user), .rhost = VIEW("192.0.2.1"), .password = view_str(password)};
    struct buf body;
    buf_init(&body, IPC_MAX_BODY);
    msg_check_pam_encode(&body, &msg);
    assert_int_equal(helper_answer_request(HELPER_PAM, IPC_AUTH_CHECK_PAM, buf_view(&body), false, &answer), 0);
    buf_free(&body);
    return answer.msg.result;
}

static void test_pam(void **state)
{
    (void)state;
    if (getenv("PAM_WRAPPER") == NULL)
        skip();
    assert_int_equal(pam("culver", "alice", "right"), HELPER_OK);
    assert_view(answer.msg.name, "alice");
    assert_int_equal(pam("culver", "alice", "wrong"), HELPER_WRONG);
    assert_int_equal(pam("culver", "nobody-here", "right"), HELPER_WRONG); /* so says this module */
    assert_int_equal(pam("unknown", "alice", "right"), HELPER_UNKNOWN);
    /* The account stage counts, and only after a right password. */
    assert_int_equal(pam("barred", "alice", "right"), HELPER_EXPIRED);
    assert_int_equal(pam("barred", "alice", "wrong"), HELPER_WRONG);
    /* A module that changes the user is seen in the answer. */
    assert_int_equal(pam("changed", "alice", "right"), HELPER_OK);
    assert_view(answer.msg.name, "mallory");
    /* Messages for the user are taken without an answer, and more than one question is answered. */
    assert_int_equal(pam("chatty", "alice", "right"), HELPER_OK);
    /* A module that is not there: nobody's password is wrong. */
    assert_int_not_equal(pam("broken", "alice", "right"), HELPER_OK);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
}

/* The services of test_pam in dir. */
static void write_services(const char *dir, const char *modules)
{
    char text[2048], matrix[1024];
    snprintf(matrix, sizeof(matrix), "%s/pam_matrix.so passdb=%s/matrix", modules, dir);
    write_file(dir, "matrix", "alice:right:culver\nalice:right:barred\nalice:right:changed\nalice:right:chatty\n");
    snprintf(text, sizeof(text), "auth required %s\naccount required pam_permit.so\n", matrix);
    write_file(dir, "culver", text);
    snprintf(text, sizeof(text), "auth required %s\naccount required pam_deny.so\n", matrix);
    write_file(dir, "barred", text);
    snprintf(text, sizeof(text), "auth required %s\nauth required %s/pam_set_items.so\naccount required pam_permit.so\n", matrix,
             modules);
    write_file(dir, "changed", text);
    snprintf(text, sizeof(text),
             "auth required %s/pam_chatty.so num_lines=3 info error\nauth required %s\naccount required pam_permit.so\n", modules,
             matrix);
    write_file(dir, "chatty", text);
    write_file(dir, "unknown", "auth required pam_debug.so auth=user_unknown\naccount required pam_permit.so\n");
    write_file(dir, "other", "auth required pam_deny.so\naccount required pam_deny.so\n");
    write_file(dir, "broken", "auth required /nonexistent/module.so\naccount required pam_permit.so\n");
}

static void remove_services(const char *dir)
{
    static const char *const names[] = {"matrix", "culver", "barred", "changed", "chatty", "broken", "unknown", "other"};
    char path[512];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

/* Runs this program again under pam_wrapper; -1 when that is not installed. */
static int run_wrapped(char **argv)
{
    char dir[] = "/tmp/culver-pam-XXXXXX";
    glob_t g;
    int status = -1;
    if (glob("/usr/lib/*/pam_wrapper", 0, NULL, &g) != 0)
        return -1;
    char *library = xmalloc(strlen(g.gl_pathv[0]) + 32);
    snprintf(library, strlen(g.gl_pathv[0]) + 32, "%.*slibpam_wrapper.so", (int)(strlen(g.gl_pathv[0]) - 11), g.gl_pathv[0]);
    if (mkdtemp(dir) == NULL)
        return -1;
    write_services(dir, g.gl_pathv[0]);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("LD_PRELOAD", library, 1);
        setenv("PAM_WRAPPER", "1", 1);
        setenv("PAM_WRAPPER_SERVICE_DIR", dir, 1);
        setenv("UID_WRAPPER_DISABLE_DEEPBIND", "1", 1); /* for the sanitizers; one name in all wrappers */
        setenv("PAM_USER", "mallory", 1);               /* pam_set_items */
        setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    if (pid > 0)
        waitpid(pid, &status, 0);
    remove_services(dir);
    free(library);
    globfree(&g);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hash), cmocka_unit_test(test_kinds), cmocka_unit_test(test_nss)};
    const struct CMUnitTest pam_tests[] = {cmocka_unit_test(test_pam)};
    (void)argc;
    if (password_init() != 0)
        return 1;
    log_init("test", STDERR_FILENO, LOG_SINK_STREAM, LOG_LVL_FATAL);
    if (getenv("PAM_WRAPPER") != NULL)
        return cmocka_run_group_tests(pam_tests, NULL, NULL);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    int wrapped = run_wrapped(argv);
    if (wrapped < 0)
        wrapped = cmocka_run_group_tests(pam_tests, NULL, NULL);
    return rc != 0 ? rc : wrapped;
}
