/*
 * A logged-in session with a small account fed with arbitrary bytes in pieces. The first byte of the input chooses the size of
 * the pieces. Checked: the answers form whole lines and literals, every line that is no literal's is bounded and free of NUL,
 * memory and the input buffer stay within their limits, and the session always gets to a state where it waits.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log/log.h"
#include "imap/session.h"
#include "storage/txn.h"
#include "storage/vfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];
static struct vfs *vfs;
static struct account *acc;
static unsigned runs;

static uint64_t wall(void *arg)
{
    (void)arg;
    return UINT64_C(1790000000000);
}
static uint64_t mono(const struct session_host *h)
{
    (void)h;
    return 0;
}
static void wake(struct session_host *h)
{
    *(bool *)h->priv = true;
}
static void set_timeout(struct session_host *h, uint64_t ms)
{
    (void)h;
    (void)ms;
}

static void require(bool good)
{
    if (!good)
        abort();
}

static void open_account(void)
{
    static const struct auto_mailbox autos[] = {{"Sent", USE_SENT}, {"a/b", 0}};
    static const char mail[] = "From: a@b\r\nSubject: =?utf-8?q?x=C3=BC?=\r\nContent-Type: multipart/mixed; "
                               "boundary=q\r\n\r\n--q\r\n\r\nhello\r\n--q\r\n"
                               "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n--q--\r\n";
    struct account_params p = {.mailboxes_max = 100, .autos = autos, .nautos = 2, .now_ms = wall};

    snprintf(dir, sizeof(dir), "/tmp/culver-fuzz-XXXXXX");
    require(mkdtemp(dir) != NULL);
    require(vfs_posix_open(dir, &vfs) == 0);
    p.vfs = vfs;
    require(account_open(&p, &acc) == 0);
    for (int i = 0; i < 3; i++) {
        struct message_source src = {.parts = {view_str(mail)}, .fd = -1};
        struct append_options opt = {0};
        struct txn *t = txn_begin(acc);

        require(txn_append(t, account_find(acc, VIEW("INBOX")), &src, &opt) == 0);
        txn_commit(&t, NULL, NULL);
    }
    require(account_commit(acc) == 0);
}

static bool remove_file(void *arg, struct vfs_name name)
{
    (void)arg;
    return vfs_remove(vfs, name) == 0;
}

/* A fresh account now and then, so that what runs leave behind stays small. */
static void renew_account(void)
{
    if (acc != NULL && ++runs % 500 != 0)
        return;
    if (acc != NULL) {
        account_close(&acc);
        require(vfs_list(vfs, remove_file, NULL) == 0);
        vfs_free(&vfs);
    } else
        log_init("fuzz", open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC), LOG_SINK_STREAM, LOG_LVL_ERROR);
    open_account();
}

/* Lines and literals, down to the last byte. */
static void check_output(struct view v)
{
    while (v.len > 0) {
        size_t lf = view_find(v, '\n'), digits;
        uint64_t n = 0;

        require(lf < v.len && lf > 0 && v.ptr[lf - 1] == '\r');
        require(memchr(v.ptr, '\0', lf) == NULL);
        digits = lf - 1;
        if (digits > 1 && v.ptr[digits - 1] == '}') {
            size_t at = --digits;

            while (at > 0 && v.ptr[at - 1] >= '0' && v.ptr[at - 1] <= '9')
                at--;
            for (size_t i = at; i < digits; i++)
                n = n * 10 + (uint64_t)(v.ptr[i] - '0');
            require(at > 0 && v.ptr[at - 1] == '{');
        }
        v = view_sub(v, lf + 1, v.len);
        require(n <= v.len);
        v = view_sub(v, (size_t)n, v.len);
    }
}

static enum session_run settle(struct imap_session *s, struct session_host *h, struct buf *out)
{
    enum session_run run;
    bool *woken = h->priv;
    unsigned turns = 0;

    do {
        *woken = false;
        run = imap_session_run(s);
        (void)account_commit(acc);
        require(outq_ok(h->out));
        require(outq_drain(h->out, out) == 0);
        require(++turns < 100000);
    } while (run == SESSION_AGAIN || (*woken && run != SESSION_CLOSE));
    return run;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct set_worker set = {.imap_idle_timeout = 1000,
                                          .message_size_max = 300000,
                                          .imap_line_max = 2000,
                                          .imap_literal_max = 3000,
                                          .imap_bad_commands = 50,
                                          .imap_server_comment = "c",
                                          .imap_server_admin = "",
                                          .hierarchy_separator = '.'};
    struct view v = view_make(data, size);
    struct imap_session *s;
    enum session_run run;
    struct buf in, out;
    bool woken = false;
    struct session_host h = {.id = 1,
                             .in = &in,
                             .set = &set,
                             .hostname = "h",
                             .user = "u",
                             .now_ms = mono,
                             .wake = wake,
                             .set_timeout = set_timeout,
                             .priv = &woken};
    size_t piece;

    if (size == 0)
        return 0;
    renew_account();
    piece = (size_t)data[0] * 7 + 1;
    v = view_sub(v, 1, size);
    buf_init(&in, 4096);
    buf_init(&out, 64 * 1024 * 1024);
    h.out = outq_new(32 * 1024 * 1024);
    h.spool_dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    s = imap_session_new(&h, acc, VIEW("t"), (struct view){NULL, 0});
    buf_put_str(&in, "s SELECT INBOX\r\n");
    run = settle(s, &h, &out);
    while (v.len > 0 && run != SESSION_CLOSE) {
        size_t n = v.len < piece ? v.len : piece;

        if (n > in.max - buf_len(&in))
            n = in.max - buf_len(&in);
        require(n > 0); /* a session that waits has room for more input */
        buf_put(&in, v.ptr, n);
        v = view_sub(v, n, v.len);
        run = settle(s, &h, &out);
    }
    check_output(buf_view(&out));
    imap_session_free(&s);
    (void)account_commit(acc);
    outq_free(&h.out);
    buf_free(&in);
    buf_free(&out);
    close(h.spool_dir);
    return 0;
}
