/* The deflate layer: what goes in comes out whatever the pieces, the flushes, the rests and the moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "common/base/mem.h"
#include "worker/deflate.h"

#define IN_MAX 5000
#define OUT_MAX ((size_t)64 << 20)

static struct deflate *layer(void)
{
    struct buf none;

    buf_init(&none, 10);
    return deflate_new(outq_new(OUT_MAX), &none);
}

/* Commands of every length, in blocks that end as `flush` says; the last has a sync flush behind it. */
static void pack(struct buf *plain, struct buf *packed, int flush, unsigned commands)
{
    z_stream z = {0};

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    for (unsigned i = 0; i < commands; i++) {
        size_t at = buf_len(plain);
        uint8_t *room = buf_reserve(packed, 4096);

        buf_put_fmt(plain, "t%u UID FETCH %u:* (FLAGS %0*d)\r\n", i, i * 17, (int)(i % 300), 7);
        z.next_in = (Bytef *)(uintptr_t)buf_view(plain).ptr + at;
        z.avail_in = (uInt)(buf_len(plain) - at);
        z.next_out = room;
        z.avail_out = 4096;
        assert_int_equal(deflate(&z, i + 1 == commands ? Z_SYNC_FLUSH : flush), Z_OK);
        buf_commit(packed, 4096 - z.avail_out);
    }
    (void)deflateEnd(&z);
}

/* Writes itself down and is read back. */
static void move(struct deflate **d)
{
    struct buf form;

    buf_init(&form, OUT_MAX);
    assert_int_equal(deflate_export(*d, &form), 0);
    deflate_free(d);
    assert_int_equal(deflate_import(buf_view(&form), d), 0);
    buf_free(&form);
}

enum trick { NONE, REST, MOVE };

/* Feeds pieces and takes what comes through an input buffer that is small. */
static void feed(struct view packed, struct view plain, size_t piece, size_t slice, enum trick trick)
{
    struct deflate *d = layer();
    struct buf in, got;
    unsigned moves = 0;

    buf_init(&in, IN_MAX);
    buf_init(&got, OUT_MAX);
    while (packed.len > 0 || deflate_has_input(d)) {
        struct view next = view_sub(packed, 0, piece);

        buf_put_view(deflate_received(d), next);
        packed = view_sub(packed, next.len, packed.len);
        assert_int_equal(deflate_input(d, &in, slice), 0);
        assert_true(buf_len(&in) <= MIN_OF(slice, (size_t)IN_MAX));
        buf_put_view(&got, buf_view(&in));
        buf_reset(&in);
        if (trick == REST)
            deflate_rest(d);
        if (trick == MOVE && deflate_can_export(d)) {
            move(&d);
            moves++;
        }
    }
    assert_true(view_eq(buf_view(&got), plain));
    assert_true(trick != MOVE || moves > 0);
    assert_true(deflate_can_export(d));
    deflate_free(&d);
    buf_free(&in);
    buf_free(&got);
}

static void test_input(void **state)
{
    static const int flushes[] = {Z_NO_FLUSH, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_BLOCK};
    static const size_t pieces[] = {1, 2, 7, 333, 100000};

    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(flushes); f++) {
        struct buf plain, packed;

        buf_init(&plain, OUT_MAX);
        buf_init(&packed, OUT_MAX);
        pack(&plain, &packed, flushes[f], 400);
        for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
            for (enum trick trick = NONE; trick <= MOVE; trick++) {
                feed(buf_view(&packed), buf_view(&plain), pieces[i], IN_MAX, trick);
                feed(buf_view(&packed), buf_view(&plain), pieces[i], 1, trick);
            }
        buf_free(&plain);
        buf_free(&packed);
    }
}

/* A client that ends its stream, or sends none. */
static void test_input_ends(void **state)
{
    static const uint8_t ended[] = {0x01, 0x02, 0x00, 0xfd, 0xff, 'h', 'i', 'x', 'y'};
    struct deflate *d = layer();
    struct buf in;

    (void)state;
    buf_init(&in, IN_MAX);
    buf_put(deflate_received(d), ended, sizeof(ended));
    assert_int_equal(deflate_input(d, &in, IN_MAX), ERR_CLOSED);
    assert_true(view_eq(buf_view(&in), VIEW("hi")));
    assert_false(deflate_has_input(d));
    assert_false(deflate_can_export(d));
    deflate_free(&d);
    d = layer();
    buf_put_str(deflate_received(d), "\xff\xff\xff");
    assert_int_equal(deflate_input(d, &in, IN_MAX), ERR_SYNTAX);
    deflate_free(&d);
    buf_free(&in);
}

/* What came behind the command was in the session's buffer already. */
static void test_input_left(void **state)
{
    struct buf plain, packed, in;
    struct deflate *d;

    (void)state;
    buf_init(&plain, OUT_MAX);
    buf_init(&packed, OUT_MAX);
    buf_init(&in, OUT_MAX);
    pack(&plain, &packed, Z_SYNC_FLUSH, 20);
    buf_put_view(&in, buf_view(&packed));
    d = deflate_new(outq_new(OUT_MAX), &in);
    assert_int_equal(buf_len(&in), 0);
    assert_int_equal(deflate_input(d, &in, OUT_MAX), 0);
    assert_true(view_eq(buf_view(&in), buf_view(&plain)));
    deflate_free(&d);
    buf_free(&plain);
    buf_free(&packed);
    buf_free(&in);
}

/* A few octets that become many stay outside until there is room. */
static void test_bomb(void **state)
{
    size_t size = (size_t)32 << 20, total = 0;
    uint8_t *zeros = xcalloc(1, size), *packed = xmalloc(size / 100);
    z_stream z = {.next_in = zeros, .avail_in = (uInt)size, .next_out = packed, .avail_out = (uInt)(size / 100)};
    struct deflate *d = layer();
    struct buf in;

    (void)state;
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
    (void)deflateEnd(&z);
    buf_init(&in, IN_MAX);
    buf_put(deflate_received(d), packed, z.total_out);
    while (deflate_has_input(d)) {
        assert_int_equal(deflate_input(d, &in, SIZE_MAX), 0);
        assert_true(buf_len(&in) <= IN_MAX && in.cap <= (size_t)4 * IN_MAX);
        assert_int_equal(deflate_input(d, &in, SIZE_MAX), 0); /* no room, no change */
        total += buf_len(&in);
        buf_consume(&in, buf_len(&in));
    }
    assert_int_equal(total, size);
    deflate_free(&d);
    buf_free(&in);
    free(zeros);
    free(packed);
}

struct peer {
    int s[2];
    z_stream z;
    struct buf got;
};

static void peer_open(struct peer *p)
{
    p->z = (z_stream){0};
    assert_int_equal(inflateInit2(&p->z, -15), Z_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->s), 0);
    buf_init(&p->got, OUT_MAX);
}

/* Reads what has come, `plain` octets as they are. */
static void peer_read(struct peer *p, size_t plain)
{
    uint8_t raw[8192], text[8192];
    ssize_t n;

    while ((n = recv(p->s[1], raw, plain > 0 ? plain : sizeof(raw), 0)) > 0) {
        if (plain > 0) {
            buf_put(&p->got, raw, (size_t)n);
            plain -= (size_t)n;
            continue;
        }
        p->z.next_in = raw;
        p->z.avail_in = (uInt)n;
        do {
            int r;

            p->z.next_out = text;
            p->z.avail_out = sizeof(text);
            r = inflate(&p->z, Z_SYNC_FLUSH);
            assert_true(r == Z_OK || r == Z_BUF_ERROR);
            buf_put(&p->got, text, sizeof(text) - p->z.avail_out);
        } while (p->z.avail_out == 0);
    }
}

static void peer_close(struct peer *p)
{
    (void)inflateEnd(&p->z);
    close(p->s[0]);
    close(p->s[1]);
    buf_free(&p->got);
}

/* Uncompressed words first, then text and a range of a file, through a socket that takes little, with a rest or a move between.
 */
static void send_all(enum trick trick)
{
    static const char hello[] = "t OK DEFLATE active\r\n";
    int file = memfd_create("deflate", MFD_CLOEXEC);
    struct outq *before = outq_new(OUT_MAX), *from = outq_new(OUT_MAX);
    struct buf none, want;
    struct deflate *d;
    struct peer p;
    int err;

    buf_init(&none, 1);
    buf_init(&want, OUT_MAX);
    peer_open(&p);
    buf_put_str(outq_buf(before), hello);
    d = deflate_new(before, &none);
    buf_put_str(&want, hello);
    for (unsigned round = 0; round < 4; round++) {
        uint8_t noise[100000];

        for (size_t i = 0; i < sizeof(noise); i++)
            noise[i] = (uint8_t)((i * 2654435761u) >> (round + 9));
        assert_int_equal(pwrite(file, noise, sizeof(noise), 0), sizeof(noise));
        for (unsigned i = 0; i < 4000; i++) {
            buf_put_fmt(&want, "* %u FETCH (FLAGS (\\Seen))\r\n", i);
            buf_put_fmt(outq_buf(from), "* %u FETCH (FLAGS (\\Seen))\r\n", i);
        }
        assert_int_equal(outq_put_file(from, file, 0, sizeof(noise)), 0);
        buf_put(&want, noise, sizeof(noise));
        do {
            err = deflate_send(d, from, p.s[0], NULL);
            assert_true(err == 0 || err == ERR_AGAIN);
            if (trick == MOVE)
                move(&d);
            peer_read(&p, buf_len(&p.got) < sizeof(hello) - 1 ? sizeof(hello) - 1 : 0);
        } while (err != 0 || deflate_unsent(d) > 0);
        assert_true(view_eq(buf_view(&p.got), buf_view(&want)));
        if (trick == REST)
            deflate_rest(d);
    }
    assert_int_equal(deflate_unsent(d), 0);
    deflate_free(&d);
    outq_free(&from);
    peer_close(&p);
    buf_free(&want);
    close(file);
}

static void test_output(void **state)
{
    (void)state;
    send_all(NONE);
    send_all(REST);
    send_all(MOVE);
}

static void test_output_fails(void **state)
{
    struct deflate *d = layer();
    struct outq *from = outq_new(OUT_MAX);
    int file = memfd_create("deflate", MFD_CLOEXEC);
    struct peer p;

    (void)state;
    peer_open(&p);
    assert_int_equal(outq_put_file(from, file, 0, 10), 0); /* which the file does not have */
    assert_int_equal(deflate_send(d, from, p.s[0], NULL), ERR_IO);
    deflate_free(&d);
    outq_free(&from);
    peer_close(&p);
    close(file);
}

static void test_import_refuses(void **state)
{
    struct deflate *d = layer(), *other = NULL;
    struct buf form;
    uint8_t wrong;

    (void)state;
    buf_init(&form, OUT_MAX);
    buf_put_str(deflate_received(d), "rest");
    assert_int_equal(deflate_export(d, &form), 0);
    for (size_t n = 0; n < buf_len(&form); n++)
        assert_int_equal(deflate_import(view_sub(buf_view(&form), 0, n), &other), ERR_SYNTAX);
    wrong = form.data[0];
    form.data[0] = 8;
    assert_int_equal(deflate_import(buf_view(&form), &other), ERR_SYNTAX);
    form.data[0] = wrong;
    buf_put_byte(&form, 0);
    assert_int_equal(deflate_import(buf_view(&form), &other), ERR_SYNTAX);
    assert_null(other);
    deflate_free(&d);
    buf_free(&form);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_input),          cmocka_unit_test(test_input_ends), cmocka_unit_test(test_input_left),
        cmocka_unit_test(test_bomb),           cmocka_unit_test(test_output),     cmocka_unit_test(test_output_fails),
        cmocka_unit_test(test_import_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
