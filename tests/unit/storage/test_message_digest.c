/* Digests: what they hold, that damage is refused, and that every message there is survives the round trip. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/storage/message_check.h"

static const char sample[] = "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
                             "From: Terry Gray <gray@cac.washington.edu>\r\n"
                             "Subject: Re: IMAP4rev2 WG mtg summary and minutes\r\n"
                             "To: imap@cac.washington.edu\r\n"
                             "cc: minutes@CNRI.Reston.VA.US,\r\n   John Klensin <KLENSIN@MIT.EDU>\r\n"
                             "Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
                             "References: <a@b>\r\n\t<c@d>\r\n"
                             "In-Reply-To: <c@d>\r\n"
                             "MIME-Version: 1.0\r\n"
                             "Content-Type: multipart/mixed; boundary=\"b1\"\r\n"
                             "\r\n"
                             "--b1\r\n"
                             "Content-Type: text/plain; charset=utf-8\r\n"
                             "\r\n"
                             "On Monday someone wrote:\r\n> old\r\n\r\nThe   answer.\r\n-- \r\nTerry\r\n"
                             "--b1\r\n"
                             "Content-Type: message/rfc822\r\n"
                             "Content-Disposition: attachment; filename=x.eml\r\n"
                             "\r\n"
                             "From: inner@example.org\r\nSubject: inner\r\n\r\nbody\r\n"
                             "--b1--\r\n";

static void build(struct view message, struct buf *out)
{
    buf_init(out, 2 << 20);
    digest_build(message, &message_limits_default, out);
    assert_true(buf_ok(out));
}

static void assert_view(struct view v, const char *want)
{
    if (!view_eq(v, view_str(want)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)v.len, (const char *)v.ptr, want);
}

static void test_content(void **state)
{
    (void)state;
    struct buf b;
    struct digest d;
    build(view_str(sample), &b);
    assert_true(buf_len(&b) < 700);
    assert_int_equal(digest_decode(buf_view(&b), &d), 0);
    assert_int_equal(d.sent_date, 837595405);
    assert_int_equal(d.sent_zone, -420);
    assert_view(d.base_subject, "IMAP4REV2 WG MTG SUMMARY AND MINUTES");
    assert_true(d.subject_is_reply);
    assert_view(d.references, "<a@b> <c@d>");
    assert_view(d.preview, "The answer.");
    assert_true(d.preview_ok);
    assert_int_equal(d.mime.nparts, 4);
    assert_int_equal(d.nnested, 1);
    assert_view(d.nested[0].subject, "inner");
    assert_view(d.envelope.cc.items[1].name, "John Klensin");
    assert_ptr_equal(d.envelope.sender.items, d.envelope.from.items);
    digest_free(&d);
    buf_free(&b);
    assert_null(check_message(view_str(sample), &message_limits_default, NULL));
}

static void test_references(void **state)
{
    (void)state;
    static const struct {
        const char *header, *want;
    } cases[] = {
        {"In-Reply-To: text <a@b> <c@d>\r\n", "<a@b>"},
        {"References: none\r\nIn-Reply-To: <a@b>\r\n", "<a@b>"},
        {"References: <x@y>\r\nIn-Reply-To: <a@b>\r\n", "<x@y>"},
        {"Subject: x\r\n", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b;
        struct digest d;
        build(view_str(cases[i].header), &b);
        assert_int_equal(digest_decode(buf_view(&b), &d), 0);
        assert_view(d.references, cases[i].want);
        digest_free(&d);
        buf_free(&b);
    }
}

/* What older programs have written: no header_once, no names. */
static void test_version_1(void **state)
{
    (void)state;
    struct buf b, old;
    struct digest d, e;
    build(view_str(sample), &b);
    buf_init(&old, 100000);
    struct view v = buf_view(&b);
    assert_int_equal(v.ptr[0], 2);
    assert_true(v.ptr[1] >= 16 && v.ptr[1] < 32 && v.ptr[2] != 255);
    buf_put_u8(&old, 1);
    buf_put_u8(&old, (uint8_t)(v.ptr[1] - 16));
    buf_put_view(&old, view_sub(v, 3 + 2 * (size_t)v.ptr[2], v.len));
    assert_int_equal(digest_decode(v, &d), 0);
    assert_int_equal(digest_decode(buf_view(&old), &e), 0);
    assert_true(d.header_once && d.names_known);
    assert_false(e.header_once || e.names_known);
    assert_true(digest_has_name(&d, digest_name_hash(VIEW("subject"))));
    assert_false(digest_has_name(&d, digest_name_hash(VIEW("X-Not-There"))));
    assert_true(digest_has_name(&e, digest_name_hash(VIEW("X-Not-There"))));
    assert_view(e.preview, "The answer.");
    assert_int_equal(e.mime.nparts, d.mime.nparts);
    digest_free(&d);
    digest_free(&e);
    old.data[old.off + 1] |= 16;
    assert_int_equal(digest_decode(buf_view(&old), &e), ERR_CORRUPT);
    buf_free(&b);
    buf_free(&old);
}

static bool join_address(void *arg, const struct address *a)
{
    buf_put_view(arg, a->mailbox);
    buf_put_byte(arg, ' ');
    return true;
}

static void join_list(struct address_list list, struct buf *out)
{
    for (size_t i = 0; i < list.n; i++)
        (void)join_address(out, &list.items[i]);
}

/* One list at a time is what all at once are. */
static void test_addresses(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "From: a@x, b@x\r\nTo: c@x\r\nCc: d@x, e@x\r\nBcc: f@x\r\n\r\n",
        "From: a@x\r\nSender: s@x\r\nReply-To: r@x, q@x\r\nCc: d@x\r\n\r\n",
        "From: a@x\r\nReply-To: r@x\r\nTo: g: h@x;\r\n\r\n",
        "Subject: none\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        struct buf b;
        struct digest d;
        build(view_str(headers[i]), &b);
        assert_int_equal(digest_decode(buf_view(&b), &d), 0);
        const struct address_list lists[] = {d.envelope.from, d.envelope.sender, d.envelope.reply_to,
                                             d.envelope.to,   d.envelope.cc,     d.envelope.bcc};
        for (unsigned which = DIGEST_FROM; which <= DIGEST_BCC; which++) {
            struct buf want, got;
            buf_init(&want, 1000);
            buf_init(&got, 1000);
            join_list(lists[which], &want);
            assert_int_equal(digest_each_address(buf_view(&b), (enum digest_addresses)which, join_address, &got), 0);
            assert_true(view_eq(buf_view(&want), buf_view(&got)));
            buf_free(&want);
            buf_free(&got);
        }
        digest_free(&d);
        buf_free(&b);
    }
}

static void test_refused(void **state)
{
    (void)state;
    struct buf b;
    struct digest d;
    build(view_str(sample), &b);
    for (size_t n = 0; n < buf_len(&b); n++)
        assert_int_equal(digest_decode(view_sub(buf_view(&b), 0, n), &d), ERR_CORRUPT);
    buf_put_byte(&b, 0);
    assert_int_equal(digest_decode(buf_view(&b), &d), ERR_CORRUPT);
    b.data[b.off] = DIGEST_VERSION + 1;
    assert_int_equal(digest_decode(buf_view(&b), &d), ERR_UNSUPPORTED);
    b.data[b.off] = 0;
    assert_int_equal(digest_decode(buf_view(&b), &d), ERR_CORRUPT);
    assert_int_equal(digest_decode_summary(buf_view(&b), &d), ERR_CORRUPT);
    buf_free(&b);
}

static uint64_t random_next(uint64_t *seed)
{
    *seed += 0x9e3779b97f4a7c15u;
    uint64_t z = *seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* What is accepted after damage must still be a tree. */
static const char *check_tree(const struct mime_msg *m)
{
    for (size_t i = 0; i < m->nparts; i++) {
        if (i > 0 && m->parts[i].parent >= i)
            return "parent behind child";
        const char *why = check_children(m, i);
        if (why != NULL)
            return why;
    }
    return NULL;
}

static void test_damage(void **state)
{
    (void)state;
    uint64_t seed = 1;
    unsigned accepted = 0;
    struct buf b, damaged;
    build(view_str(sample), &b);
    buf_init(&damaged, buf_len(&b));
    for (unsigned i = 0; i < 20000; i++) {
        struct digest d;
        buf_reset(&damaged);
        buf_put_view(&damaged, buf_view(&b));
        for (unsigned n = (unsigned)(random_next(&seed) % 3) + 1; n > 0; n--)
            damaged.data[damaged.off + random_next(&seed) % buf_len(&b)] = (uint8_t)random_next(&seed);
        if (digest_decode(buf_view(&damaged), &d) != 0)
            continue;
        accepted++;
        const char *why = check_tree(&d.mime);
        if (why != NULL)
            fail_msg("damage %u: %s", i, why);
        digest_free(&d);
    }
    assert_true(accepted > 0);
    buf_free(&b);
    buf_free(&damaged);
}

/* A message whose full digest would be too large gets a smaller one. */
static void test_reduced(void **state)
{
    (void)state;
    struct buf message, b;
    struct digest d;
    buf_init(&message, 64 << 20);
    buf_put_str(&message, "Subject: many\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n");
    for (unsigned i = 0; i < 9000; i++) {
        buf_put_str(&message, "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: ");
        for (unsigned n = 0; n < 40; n++)
            buf_put_str(&message, "0123456789");
        buf_put_str(&message, "\r\n\r\n");
    }
    build(buf_view(&message), &b);
    assert_int_equal(digest_decode(buf_view(&b), &d), 0);
    assert_true(d.mime.truncated);
    assert_int_equal(d.mime.nparts, 200);
    assert_view(d.envelope.subject, "many");
    digest_free(&d);
    buf_free(&b);
    buf_free(&message);
}

/* --- every file of a corpus --- */

static void check_file(int dir, const char *name, size_t *bytes, size_t *digests)
{
    struct stat st;
    struct buf b;
    size_t digest_len = 0;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    if (S_ISREG(st.st_mode)) {
        buf_init(&b, (size_t)st.st_size + 1);
        uint8_t *room = buf_reserve(&b, (size_t)st.st_size + 1);
        ssize_t n = read(fd, room, (size_t)st.st_size);
        assert_int_equal(n, st.st_size);
        buf_commit(&b, (size_t)n);
        const char *why = check_message(buf_view(&b), &message_limits_default, &digest_len);
        if (why != NULL)
            fail_msg("%s: %s", name, why);
        *bytes += buf_len(&b);
        *digests += digest_len;
        buf_free(&b);
    }
    close(fd);
}

static void test_corpus(void **state)
{
    (void)state;
    const char *folder = getenv("CULVER_CORPUS");
    size_t files = 0, bytes = 0, digests = 0;
    if (folder == NULL) {
        skip();
        return;
    }
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (e->d_name[0] == '.')
            continue;
        check_file(dirfd(dir), e->d_name, &bytes, &digests);
        files++;
    }
    closedir(dir);
    print_message("  %zu files of %zu octets, %zu octets of digest each\n", files, bytes, digests / files);
}

/* --- generated messages --- */

static void put_random(struct buf *b, uint64_t *seed, const char *const *from, size_t n)
{
    buf_put_str(b, from[random_next(seed) % n]);
}

static void put_generated(struct buf *b, uint64_t *seed)
{
    static const char *const pieces[] = {
        "\r\n",
        "\n",
        "\r",
        "\r\n\r\n",
        "\n\n",
        " ",
        "\t",
        ":",
        ";",
        "=",
        "\"",
        "--",
        "--a",
        "--ab",
        "--b",
        "--a--",
        "--b--",
        "\r\n--a\r\n",
        "\r\n--b\r\n",
        "\r\n--a--\r\n",
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n",
        "Content-Type: multipart/digest; boundary=\"b\"\r\n\r\n",
        "Content-Type: multipart/alternative; boundary=ab\n\n",
        "Content-Type: message/rfc822\r\n\r\n",
        "Content-Type: text/html; charset=",
        "Content-Type: text/plain; charset=koi8-r; name*0*=utf-8''%e2; name*1*=%82%ac\r\n",
        "Content-Transfer-Encoding: base64\r\n",
        "Content-Transfer-Encoding: quoted-printable\r\n",
        "Content-Disposition: attachment; filename=",
        "Content-ID: <a@b>\r\n",
        "Content-Language: de, en\r\n",
        "From: Fred <a@b>\r\n",
        "To: a@b, G: c@d",
        "Cc: \"x",
        "Subject: Re: [x] =?utf-8?q?=C3=BC?=",
        "Date: Fri, 21 Nov 1997 09:55:06 -0600\r\n",
        "Message-ID: <",
        "References: <a@b> <c@d>\r\n",
        "text",
        "=3D",
        "=C3=BC",
        "QUJD",
        "<b>",
        "&amp;",
        "> quoted",
        "\xc3\xbc",
        "\xff",
        "(",
        ")",
        "<",
        ">",
        "@",
        ",",
        "*0*=",
        "%41",
    };
    static const char *const starts[] = {"", "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n",
                                         "Content-Type: message/rfc822\r\n\r\n", "Subject: x\r\n"};
    put_random(b, seed, starts, ARRAY_LEN(starts));
    for (uint64_t n = random_next(seed) % 60; n > 0; n--) {
        if (random_next(seed) % 16 == 0)
            buf_put_byte(b, (uint8_t)random_next(seed));
        else
            put_random(b, seed, pieces, ARRAY_LEN(pieces));
    }
}

static void test_generated(void **state)
{
    (void)state;
    static const struct message_limits tight = {
        .depth = 2, .parts = 5, .params = 2, .addresses = 1000, .header_kept = 400, .boundary = 1};
    uint64_t seed = 42;
    struct buf b;
    buf_init(&b, 100000);
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t was = seed;
        buf_reset(&b);
        put_generated(&b, &seed);
        const char *why = check_message(buf_view(&b), &message_limits_default, NULL);
        why = why != NULL ? why : check_pieces(buf_view(&b), &tight, i);
        if (why != NULL)
            fail_msg("message %u (seed %llu): %s", i, (unsigned long long)was, why);
    }
    buf_free(&b);
}

/* Only so much of a header is looked at, however often; the message's structure is whole all the same. */
static void test_endless_header(void **state)
{
    (void)state;
    struct buf b, coded;
    struct digest d;
    buf_init(&b, 8 << 20);
    buf_init(&coded, 4 << 20);
    buf_put_str(&b, "Subject: kept\r\n");
    while (buf_len(&b) < message_limits_default.header_kept * 4)
        buf_put_str(&b, "X-Filler: some value of a field\r\n");
    buf_put_str(&b, "From: late@example.org\r\n\r\nbody\r\n");
    assert_true(buf_ok(&b));
    digest_build(buf_view(&b), &message_limits_default, &coded);
    assert_int_equal(digest_decode(buf_view(&coded), &d), 0);
    assert_true(view_eq(d.envelope.subject, VIEW("kept")));
    assert_int_equal(d.envelope.from.n, 0);
    assert_true(d.mime.truncated);
    assert_false(d.names_known);
    assert_int_equal(d.mime.parts[0].body_len, 6);
    digest_free(&d);
    buf_free(&coded);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content),        cmocka_unit_test(test_references), cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_addresses),      cmocka_unit_test(test_refused),    cmocka_unit_test(test_damage),
        cmocka_unit_test(test_reduced),        cmocka_unit_test(test_corpus),     cmocka_unit_test(test_generated),
        cmocka_unit_test(test_endless_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
