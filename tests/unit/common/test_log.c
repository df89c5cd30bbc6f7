#include "tests/unit/common/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log/log.h"

static char text[20000];

/* What stands in the descriptor, NUL-terminated. */
static const char *read_all(int fd)
{
    ssize_t n = read(fd, text, sizeof(text) - 1);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static void test_fields_are_escaped(void **state)
{
    (void)state;
    int p[2];
    assert_int_equal(pipe2(p, O_NONBLOCK), 0);
    log_init("imap-login", p[1], LOG_SINK_STREAM, LOG_LVL_INFO);
    errno = 77;
    LOG_INFO(0x3f9c, "logged in", F_STR("user", "alice"),
             F_VIEW("bad", VIEW("a\"b\\\n\r\t\x01\x7f\xff"
                                "c")),
             F_INT("n", -5), F_INT("least", INT64_MIN), F_UINT("u", UINT64_MAX), F_STR("empty", ""), F_STR("eq", "a=b"),
             F_STR("utf", "gr\xc3\xbc\xc3\x9f"), F_STR("c1", "\xc2\x9b"), F_STR("null", NULL), F_ERRNO(ENOENT), F_ERR(ERR_PROTO));
    assert_int_equal(errno, 77);
    const char *s = read_all(p[0]);
    assert_int_equal(strncmp(s, "ts=20", 5), 0);
    assert_int_equal(s[strlen("ts=2026-01-31T12:00:00.123Z")], ' ');
    const char *rest = strstr(s, " sid=");
    assert_non_null(rest);
    assert_string_equal(rest,
                        " sid=0000000000003f9c msg=\"logged in\" user=alice bad=\"a\\\"b\\\\\\n\\r\\t\\x01\\x7f\\xffc\" n=-5"
                        " least=-9223372036854775808 u=18446744073709551615 empty=\"\" eq=\"a=b\" utf=gr\xc3\xbc\xc3\x9f"
                        " c1=\"\\xc2\\x9b\" null=\"\" err=ENOENT err=\"internal message not allowed\"\n");
    assert_non_null(strstr(s, " level=info proc=imap-login pid="));
    LOG_DEBUG(0, "not shown");
    assert_string_equal(read_all(p[0]), "");
    log_set_level(LOG_LVL_DEBUG);
    LOG_DEBUG(0, "shown");
    s = read_all(p[0]);
    assert_null(strstr(s, "sid="));
    assert_non_null(strstr(s, " msg=shown\n"));
    close(p[0]);
    close(p[1]);
}

static void test_long_lines_are_cut(void **state)
{
    (void)state;
    int p[2];
    assert_int_equal(pipe2(p, O_NONBLOCK), 0);
    log_init("x", p[1], LOG_SINK_STREAM, LOG_LVL_INFO);
    static char value[6000];
    for (size_t n = 3950; n < 4100; n++) {
        for (int kind = 0; kind < 3; kind++) {
            memset(value, kind == 2 ? '\n' : 'a', n);
            value[n] = '\0';
            if (kind == 1)
                value[0] = ' ';
            LOG_INFO(1, "m", F_STR("v", value), F_STR("after", "z"));
            const char *s = read_all(p[0]);
            size_t len = strlen(s);
            assert_true(len <= 4096 && s[len - 1] == '\n');
            assert_ptr_equal(strchr(s, '\n'), s + len - 1);
            unsigned quotes = 0;
            for (const char *q = s; *q != '\0'; q++)
                quotes += *q == '"';
            assert_int_equal(quotes % 2, 0);
            assert_true((strstr(s, " cut=1\n") != NULL) == (strstr(s, " after=z\n") == NULL));
        }
    }
    close(p[0]);
    close(p[1]);
}

static void test_full_pipe_loses_and_counts(void **state)
{
    (void)state;
    int p[2];
    assert_int_equal(pipe2(p, O_NONBLOCK), 0);
    log_init("x", p[1], LOG_SINK_STREAM, LOG_LVL_INFO);
    for (int i = 0; i < 2000; i++)
        LOG_INFO(0, "filling");
    while (read_all(p[0])[0] != '\0')
        ;
    LOG_INFO(0, "again");
    const char *s = read_all(p[0]);
    assert_non_null(strstr(s, " lost="));
    LOG_INFO(0, "again");
    assert_null(strstr(read_all(p[0]), " lost="));
    close(p[0]);
    close(p[1]);
    LOG_INFO(0, "into a closed descriptor");
}

static void test_syslog_and_sockets(void **state)
{
    (void)state;
    int p[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, p), 0);
    log_init("auth", p[1], LOG_SINK_SYSLOG, LOG_LVL_INFO);
    LOG_WARN(0, "odd");
    const char *s = read_all(p[0]);
    assert_int_equal(strncmp(s, "<20>culver[", 11), 0);
    assert_int_equal(s[strlen(s) - 1], 'd');
    for (int i = 0; i < 3000; i++) /* a blocking socket with a full queue: nothing waits */
        LOG_WARN(0, "flood");
    close(p[0]);
    LOG_WARN(0, "no SIGPIPE");
    close(p[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
    log_set_fd(p[1]);
    log_init("auth", p[1], LOG_SINK_STREAM, LOG_LVL_INFO);
    for (int i = 0; i < 5000; i++)
        LOG_WARN(0, "flood");
    close(p[0]);
    LOG_WARN(0, "no SIGPIPE");
    close(p[1]);
}

static void test_fatal_and_panic(void **state)
{
    (void)state;
    for (int panic = 0; panic < 2; panic++) {
        int p[2], status;
        assert_int_equal(pipe2(p, O_NONBLOCK), 0);
        pid_t pid = fork();
        if (pid == 0) {
            log_init("x", p[1], LOG_SINK_STREAM, LOG_LVL_INFO);
            if (panic) {
                signal(SIGABRT, SIG_DFL);
                ASSERT(1 + 1 == 3);
            }
            LOG_FATAL("no configuration", F_STR("file", "/x"));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        const char *s = read_all(p[0]);
        if (panic) {
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
            assert_non_null(strstr(s, "msg=panic what=\"1 + 1 == 3\" file="));
        } else {
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
            assert_non_null(strstr(s, "level=fatal"));
        }
        close(p[0]);
        close(p[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_are_escaped),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_full_pipe_loses_and_counts),
        cmocka_unit_test(test_syslog_and_sockets),
        cmocka_unit_test(test_fatal_and_panic),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
