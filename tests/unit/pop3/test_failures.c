/* The disk fails while a session ends: QUIT says -ERR, nothing is removed (RFC 1939 6), and the next session can do it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "pop3/session_int.h"
#include "storage/txn.h"
#include "storage/vfs_sim.h"
#include "tests/unit/support/still_host.h"

struct fixture {
    struct vfs *vfs;
    struct account *acc;
    struct set_worker set;
    struct session_host host;
    struct buf in;
    struct pop3_session *s;
    char answer[10000];
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct account_params params = {.now_ms = still_clock, .mailboxes_max = 100};
    struct message_source src = {.parts = {view_str("Subject: a\r\n\r\nx\r\n")}, .fd = -1};
    struct append_options opt = {0};

    log_init("test", open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC), LOG_SINK_STREAM, LOG_LVL_ERROR);
    f->vfs = vfs_sim_new(1);
    params.vfs = f->vfs;
    assert_int_equal(account_open(&params, &f->acc), 0);
    for (int i = 0; i < 2; i++) {
        struct txn *t = txn_begin(f->acc);

        assert_int_equal(txn_append(t, account_find(f->acc, VIEW("INBOX")), &src, &opt), 0);
        txn_commit(&t, NULL, NULL);
        assert_int_equal(account_commit(f->acc), 0);
    }
    f->set = (struct set_worker){.pop3_idle_timeout = 600000,
                                 .imap_bad_commands = 20,
                                 .pop3_uidl_format = "dovecot",
                                 .pop3_hidden_keyword = "$POP3Deleted"};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    account_close(&f->acc);
    vfs_free(&f->vfs);
    free(f);
    return 0;
}

/* A session that says this and ends. */
static const char *session(struct fixture *f, const char *in)
{
    enum session_run r = SESSION_WAIT;
    struct buf out;

    buf_init(&f->in, 100000);
    f->host = (struct session_host){.in = &f->in,
                                    .out = outq_new(10000000),
                                    .set = &f->set,
                                    .user = "u",
                                    .now_ms = still_now,
                                    .wake = still_wake,
                                    .set_timeout = still_timeout};
    f->s = pop3_session_new(&f->host, f->acc, view_make(NULL, 0), view_make(NULL, 0));
    buf_put_str(&f->in, in);
    for (unsigned i = 0; i < 1000 && r != SESSION_CLOSE; i++) {
        r = pop3_session_run(f->s);
        if (account_has_pending(f->acc))
            (void)!account_commit(f->acc);
    }
    assert_int_equal(r, SESSION_CLOSE);
    buf_init(&out, sizeof(f->answer));
    assert_int_equal(outq_drain(f->host.out, &out), 0);
    snprintf(f->answer, sizeof(f->answer), "%.*s", (int)buf_len(&out), (const char *)buf_view(&out).ptr);
    buf_free(&out);
    pop3_session_free(&f->s);
    outq_free(&f->host.out);
    buf_free(&f->in);
    return f->answer;
}

static void test_write_fails(void **state)
{
    static const int errs[] = {ERR_NOSPACE, ERR_IO};
    struct fixture *f = *state;

    for (size_t i = 0; i < 2; i++) {
        vfs_sim_fail_at(f->vfs, vfs_sim_ops(f->vfs) + 1, errs[i], 1);
        assert_non_null(strstr(session(f, "DELE 1\r\nQUIT\r\n"), "-ERR [SYS/TEMP]"));
        assert_non_null(strstr(session(f, "STAT\r\nQUIT\r\n"), "+OK 2 "));
    }
    assert_null(strstr(session(f, "DELE 1\r\nQUIT\r\n"), "-ERR"));
    assert_non_null(strstr(session(f, "STAT\r\nQUIT\r\n"), "+OK 1 "));
}

static void test_sync_fails(void **state)
{
    struct fixture *f = *state;

    vfs_sim_fail_at(f->vfs, vfs_sim_ops(f->vfs) + 2, ERR_IO, 1);
    assert_non_null(strstr(session(f, "DELE 1\r\nQUIT\r\n"), "-ERR [SYS/TEMP]"));
    /* Reading goes on, removing does not. */
    assert_non_null(strstr(session(f, "RETR 2\r\nQUIT\r\n"), "Subject: a\r\n\r\nx\r\n.\r\n"));
    assert_non_null(strstr(session(f, "DELE 2\r\nQUIT\r\n"), "-ERR [SYS/"));
    assert_non_null(strstr(session(f, "STAT\r\nQUIT\r\n"), "+OK 2 "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sync_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
