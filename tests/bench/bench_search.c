/*
 * bench_search DIR [LARGEST]: what searching costs. One line a figure: its name, its value, and in parentheses what it should be.
 *
 * An IMAP session runs here over an account in DIR, with nothing in between. The mail is made up: long texts in the encodings
 * that occur, and LARGEST (1000000) messages that are copies of some thousand short ones. Everything is in the page cache,
 * and what is measured is the time of the processor.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log/log.h"
#include "common/text/text.h"
#include "imap/session.h"
#include "storage/mailbox_view.h"
#include "storage/vfs.h"
#include "tests/bench/bench.h"
#include "tests/unit/support/still_host.h"

#define TEXTS 400  /* long messages of one kind */
#define SHORT 2000 /* different short messages */
#define TEXT_SIZE (64 * 1024)

struct bench {
    char path[512];
    struct vfs *vfs;
    struct account *acc;
    struct set_worker set;
    struct session_host host;
    struct buf in, out;
    struct imap_session *session;
};

static double now(void)
{
    return bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
}

/* --- mail ---------------------------------------------------------------------------------------------------------------------
 */

static uint32_t seed = 1;

static uint32_t rnd(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

/* Lines of made-up words. */
static void put_text(struct buf *out, size_t size)
{
    static const char letters[] = "eeeeeeetttttaaaaooooiiinnnnsssshhhrrrrdddlllcuumwfgypbvk";
    size_t line = 0;

    while (size > 0) {
        size_t n = 2 + rnd() % 8;

        for (size_t i = 0; i < n; i++)
            buf_put_byte(out, (uint8_t)letters[rnd() % (sizeof(letters) - 1)]);
        line += n + 1;
        buf_put_str(out, line > 70 ? "\r\n" : " ");
        line = line > 70 ? 0 : line;
        size = size > n + 1 ? size - n - 1 : 0;
    }
    buf_put_str(out, "\r\n");
}

static void put_header(struct buf *out, unsigned n)
{
    buf_put_fmt(
        out,
        "Return-Path: <bounce-%u@lists.example.org>\r\nReceived: from mx%u.example.org (mx%u.example.org [192.0.2.%u])\r\n"
        "\tby mail.example.net with ESMTPS id %08x\r\n\tfor <alice@example.net>; Mon, 23 Nov 2026 10:00:00 +0100\r\n"
        "From: Sender Number %u <sender%u@example.org>\r\nTo: Alice Example <alice@example.net>\r\n"
        "Subject: Message %u of many\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\nMessage-ID: <%u.%08x@example.org>\r\n"
        "List-Id: Many <many.lists.example.org>\r\nMIME-Version: 1.0\r\n",
        n, n % 7, n % 7, n % 250, rnd(), n % 50, n % 50, n, n, rnd());
}

enum kind { KIND_PLAIN, KIND_BASE64, KIND_QUOTED, KIND_UTF8, KIND_ATTACHMENT };

static void put_base64(struct buf *out, struct view v)
{
    struct buf all;
    struct view rest;

    buf_init(&all, 2 * v.len + 64);
    base64_encode(&all, v);
    for (rest = buf_view(&all); rest.len > 0; rest = view_sub(rest, 76, rest.len)) {
        buf_put_view(out, view_sub(rest, 0, 76));
        buf_put_str(out, "\r\n");
    }
    buf_free(&all);
}

static void put_quoted(struct buf *out, struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == 'k')
            buf_put_str(out, "=C3=A9");
        else
            buf_put_byte(out, v.ptr[i]);
    }
}

static void put_utf8(struct buf *out, struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == 'u')
            buf_put_str(out, "\xc3\xbc");
        else
            buf_put_byte(out, v.ptr[i]);
    }
}

static void put_message(struct buf *out, enum kind kind, unsigned n, size_t size)
{
    struct buf text;

    put_header(out, n);
    buf_init(&text, 2 * size + 4096);
    put_text(&text, size);
    switch (kind) {
    case KIND_PLAIN:
        buf_put_str(out, "Content-Type: text/plain; charset=us-ascii\r\n\r\n");
        buf_put_view(out, buf_view(&text));
        break;
    case KIND_BASE64:
        buf_put_str(out, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
        put_base64(out, buf_view(&text));
        break;
    case KIND_QUOTED:
        buf_put_str(out, "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
        put_quoted(out, buf_view(&text));
        break;
    case KIND_UTF8:
        buf_put_str(out, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
        put_utf8(out, buf_view(&text));
        break;
    case KIND_ATTACHMENT:
        buf_put_str(out, "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee there.\r\n--b\r\nContent-Type: "
                         "application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n");
        put_base64(out, buf_view(&text));
        buf_put_str(out, "--b--\r\n");
        break;
    }
    buf_free(&text);
}

/* --- the account and its session ----------------------------------------------------------------------------------------------
 */

static void bench_open(struct bench *b, const char *dir)
{
    struct account_params p = {.flag_sync_ms = 1000, .mailboxes_max = 1000, .now_ms = bench_wall};

    snprintf(b->path, sizeof(b->path), "%s/search", dir);
    must(vfs_posix_open(b->path, &b->vfs), b->path);
    p.vfs = b->vfs;
    must(account_open(&p, &b->acc), "open");
    b->set = (struct set_worker){.imap_idle_timeout = 1800000,
                                 .message_size_max = 64 * 1024 * 1024,
                                 .imap_line_max = 65536,
                                 .imap_literal_max = 262144,
                                 .imap_bad_commands = 20,
                                 .hierarchy_separator = '/'};
    buf_init(&b->in, 4096);
    buf_init(&b->out, 64 * 1024 * 1024);
    b->host = (struct session_host){.id = 1,
                                    .in = &b->in,
                                    .out = outq_new(64 * 1024 * 1024),
                                    .set = &b->set,
                                    .hostname = "bench",
                                    .user = "bench",
                                    .spool_dir = -1,
                                    .now_ms = still_now,
                                    .wake = still_wake,
                                    .set_timeout = still_timeout};
    b->session = imap_session_new(&b->host, b->acc, VIEW("l"), (struct view){NULL, 0});
}

static bool remove_file(void *arg, struct vfs_name name)
{
    return vfs_remove(arg, name) == 0;
}

static void bench_close(struct bench *b)
{
    char lock[600];

    imap_session_free(&b->session);
    outq_free(&b->host.out);
    buf_free(&b->in);
    buf_free(&b->out);
    account_close(&b->acc);
    must(vfs_list(b->vfs, remove_file, b->vfs), "remove");
    vfs_free(&b->vfs);
    snprintf(lock, sizeof(lock), "%s/lock", b->path);
    unlink(lock);
    rmdir(b->path);
}

static bool answered(const struct buf *out)
{
    struct view v = buf_view(out);

    return v.len > 0 && memmem(v.ptr, v.len, "\r\nt OK", 6) != NULL;
}

/* Runs one command to its tagged answer. */
static void command(struct bench *b, const char *text)
{
    unsigned waits = 0;

    buf_reset(&b->out);
    buf_put_str(&b->out, "\r\n");
    buf_put_str(&b->in, "t ");
    buf_put_str(&b->in, text);
    buf_put_str(&b->in, "\r\n");
    while (!answered(&b->out)) {
        if (imap_session_run(b->session) != SESSION_AGAIN && ++waits > 100000)
            break;
        (void)account_commit(b->acc);
        must(outq_drain(b->host.out, &b->out), "output");
    }
    if (!answered(&b->out)) {
        fprintf(stderr, "%s: no OK\n", text);
        exit(1);
    }
}

/* Seconds of the fastest of some runs. */
static double timed(struct bench *b, const char *text)
{
    double best = 1e9;

    for (int i = 0; i < 4; i++) {
        double begin = now(), took;

        command(b, text);
        took = now() - begin;
        best = took < best ? took : best;
    }
    return best;
}

static void select_box(struct bench *b, const char *name)
{
    char text[64];

    snprintf(text, sizeof(text), "SELECT %s", name);
    command(b, text);
}

static struct mailbox *box(struct bench *b, const char *name)
{
    struct txn *t;

    if (account_find(b->acc, view_str(name)) == NULL) {
        t = txn_begin(b->acc);
        must(txn_create(t, view_str(name), 0), "create");
        txn_commit(&t, bench_committed, NULL);
        must(account_commit(b->acc), "commit");
    }
    return account_find(b->acc, view_str(name));
}

static uint64_t fill(struct bench *b, const char *name, enum kind kind, unsigned n, size_t size)
{
    struct mailbox *m = box(b, name);
    struct mailbox_status status;

    for (unsigned i = 0; i < n; i++) {
        struct message_source src = {.fd = -1};
        struct append_options opt = {0};
        struct txn *t = txn_begin(b->acc);
        struct buf mail;

        buf_init(&mail, 4 * size + 65536);
        put_message(&mail, kind, i, size / 2 + rnd() % size);
        src.parts[0] = buf_view(&mail);
        must(txn_append(t, m, &src, &opt), "append");
        txn_commit(&t, bench_committed, NULL);
        if (i % 50 == 49 || i + 1 == n)
            must(account_commit(b->acc), "commit");
        buf_free(&mail);
    }
    mailbox_status(m, &status);
    return status.size;
}

/* --- figures -------------------------------------------------------------------------------------------------------------------
 */

static void bench_texts(struct bench *b)
{
    static const char *const names[] = {"plain", "base64", "quoted_printable", "utf8", "attachment"};

    for (unsigned kind = KIND_PLAIN; kind <= KIND_ATTACHMENT; kind++) {
        double octets = (double)fill(b, names[kind], (enum kind)kind, TEXTS, TEXT_SIZE);

        select_box(b, names[kind]);
        printf("search_body_%s_mb_s %.0f (500)\n", names[kind], octets / 1e6 / timed(b, "SEARCH BODY \"never written\""));
        printf("search_text_%s_mb_s %.0f (500)\n", names[kind], octets / 1e6 / timed(b, "SEARCH TEXT \"never written\""));
        printf("search_body_eaccent_%s_mb_s %.0f (500)\n", names[kind],
               octets / 1e6 / timed(b, "SEARCH CHARSET UTF-8 BODY {14+}\r\nnie g\xc3\xa9schrieb"));
    }
}

static void bench_large(struct bench *b, unsigned largest)
{
    static const struct {
        const char *name, *text, *want;
    } figures[] = {
        {"unseen", "SEARCH UNSEEN", "50"},
        {"unseen_count", "SEARCH RETURN (COUNT) UNSEEN", "50"},
        {"seen", "SEARCH RETURN (COUNT) SEEN FLAGGED", "50"},
        {"since", "SEARCH RETURN (COUNT) SINCE 1-Jan-2030", "50"},
        {"larger", "SEARCH RETURN (COUNT) LARGER 1000000", "50"},
        {"uid", "SEARCH RETURN (COUNT) UID 1:1000,5000:*", "50"},
        {"partial", "UID SEARCH RETURN (PARTIAL -1:-50) UNDELETED", "1"},
        {"from", "SEARCH RETURN (COUNT) FROM nobody", "1000"},
        {"subject", "SEARCH RETURN (COUNT) SUBJECT never", "1000"},
        {"header_subject", "SEARCH RETURN (COUNT) HEADER Subject never", "1000"},
        {"header_message_id", "SEARCH RETURN (COUNT) HEADER Message-ID never", "1000"},
        {"header_list_id", "SEARCH RETURN (COUNT) HEADER List-Id never", "1000"},
        {"header_absent", "SEARCH RETURN (COUNT) HEADER X-Spam-Flag YES", "1000"},
        {"sentsince", "SEARCH RETURN (COUNT) SENTSINCE 1-Jan-2030", "1000"},
        {"body_short", "SEARCH RETURN (COUNT) BODY never", "5000"},
    };
    struct mailbox *m = box(b, "INBOX"), *all = box(b, "all");
    struct uid_range r = {1, SHORT};
    struct uidset s = {&r, 1, 1};

    fill(b, "INBOX", KIND_PLAIN, SHORT, 2000);
    for (unsigned n = 0; n < largest; n += SHORT) {
        struct txn *t = txn_begin(b->acc);

        must(txn_copy(t, m, &s, all, false), "copy");
        txn_commit(&t, bench_committed, NULL);
        if (n / SHORT % 20 == 19 || n + SHORT >= largest)
            must(account_commit(b->acc), "commit");
    }
    for (int i = 0; i < 1000000 && account_background(b->acc) == 0; i++)
        continue;
    select_box(b, "all");
    command(b, "STORE 1:* +FLAGS.SILENT (\\Seen)");
    command(b, "STORE 1:1000,2000 -FLAGS.SILENT (\\Seen)");
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
        printf("search_%s_%u_ms %.1f (%s)\n", figures[i].name, largest, timed(b, figures[i].text) * 1000, figures[i].want);
}

int main(int argc, char **argv)
{
    unsigned largest = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000000;
    struct bench b = {.vfs = NULL};

    if (argc < 2)
        return 2;
    log_init("bench", 2, LOG_SINK_STREAM, LOG_LVL_ERROR);
    (void)mkdir(argv[1], 0700);
    setvbuf(stdout, NULL, _IOLBF, 0);
    bench_open(&b, argv[1]);
    bench_texts(&b);
    bench_large(&b, largest);
    bench_close(&b);
    return 0;
}
