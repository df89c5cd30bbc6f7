#include "tests/unit/common/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"

static void ask_again(void *arg, size_t size)
{
    const int *p = arg;

    if (size == 77 && write(*p, "asked for 77\n", 13) != 13)
        _exit(2);
    mem_exhausted(78); /* does not come here again */
}

/* The last words are said once, and then the process ends as it does without any. */
static void test_last_words(void **state)
{
    (void)state;
    for (int words = 0; words < 2; words++) {
        char text[4096] = "";
        int p[2], status;
        assert_int_equal(pipe2(p, O_NONBLOCK), 0);
        pid_t pid = fork();
        if (pid == 0) {
            signal(SIGABRT, SIG_DFL);
            log_init("x", p[1], LOG_SINK_STREAM, LOG_LVL_INFO);
            if (words)
                mem_on_exhausted(ask_again, &p[1]);
            mem_exhausted(77);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        assert_true(read(p[0], text, sizeof(text) - 1) > 0);
        const char *said = strstr(text, "asked for 77\n"), *panic = strstr(text, "msg=panic what=\"out of memory\"");
        assert_non_null(panic);
        assert_null(strstr(panic + 1, "msg=panic"));
        assert_true(words ? said == text && strstr(said + 1, "asked for") == NULL : said == NULL);
        close(p[0]);
        close(p[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_last_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
