/*
 * Both directions start and end at a flush. Output is flushed whenever the session has nothing more to say (Z_SYNC_FLUSH), so
 * each answer arrives whole; after that the compressor can be thrown away, because a new one refers to nothing that it did not
 * see, and its blocks go on where the old one's ended, at an octet. Input is inflated block by block (Z_BLOCK), so that we know
 * when only the window and the bits left of the last octet are what the rest depends on.
 *
 * The compressor's window and memory level cost 128 KiB while it lives; the largest possible ones twice that, for a few per cent.
 */
#include "worker/deflate.h"

#include <stdlib.h>
#include <zlib.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"

#define LEVEL 3
#define OUT_WINDOW_BITS 14
#define OUT_MEMORY_LEVEL 7
#define IN_WINDOW_BITS 15 /* what clients may use (RFC 1951 2) */
#define WINDOW_MAX ((size_t)1 << IN_WINDOW_BITS)
#define CHUNK ((size_t)16 * 1024)
#define WIRE_HIGH ((size_t)64 * 1024)    /* compressed octets that wait for the socket */
#define SEND_BUDGET ((size_t)256 * 1024) /* compressed in a turn: other sessions wait meanwhile */
#define WIRE_MAX ((size_t)128 * 1024 * 1024)
#define RECEIVED_MAX ((size_t)1024 * 1024) /* DEFLATE_RECEIVED_HIGH, or what an input buffer held */

struct deflate {
    struct buf received; /* compressed */
    struct outq *wire;   /* compressed, and before it what was said before compression */
    z_stream in, out;
    bool in_live, out_live;
    bool between;    /* input is between two blocks */
    bool more;       /* the decompressor may hold output back */
    bool ended;      /* the client's stream has had its last block */
    bool unflushed;  /* the compressor holds output back */
    unsigned bits;   /* between: so many high bits of `last` were not used */
    uint8_t last;    /* the last octet that the decompressor took */
    uint8_t *window; /* between, and in is not live: what the next block may refer to */
    size_t window_len;
};

static struct deflate *new_layer(struct outq *wire)
{
    struct deflate *d = xcalloc(1, sizeof(*d));

    buf_init(&d->received, RECEIVED_MAX);
    d->wire = wire;
    d->between = true;
    return d;
}

struct deflate *deflate_new(struct outq *before, struct buf *in)
{
    struct deflate *d = new_layer(before);

    buf_put_view(&d->received, buf_view(in));
    buf_consume(in, buf_len(in));
    return d;
}

static void end_out(struct deflate *d)
{
    if (d->out_live)
        (void)deflateEnd(&d->out); /* Z_DATA_ERROR: it held something back, which nobody wants any more */
    d->out_live = false;
    d->unflushed = false;
}

static void end_in(struct deflate *d)
{
    if (d->in_live)
        (void)inflateEnd(&d->in);
    d->in_live = false;
}

static void forget_window(struct deflate *d)
{
    free(d->window);
    d->window = NULL;
    d->window_len = 0;
}

void deflate_free(struct deflate **dp)
{
    struct deflate *d = *dp;

    if (d == NULL)
        return;
    *dp = NULL;
    end_in(d);
    end_out(d);
    forget_window(d);
    buf_free(&d->received);
    outq_free(&d->wire);
    free(d);
}

/* --- input ------------------------------------------------------------------------------------------------- */

struct buf *deflate_received(struct deflate *d)
{
    return &d->received;
}

bool deflate_has_input(const struct deflate *d)
{
    return !d->ended && (buf_len(&d->received) > 0 || d->more);
}

/* A decompressor that goes on where the last one stopped. */
static int begin_in(struct deflate *d)
{
    if (d->in_live)
        return 0;
    d->in = (z_stream){0};
    if (inflateInit2(&d->in, -IN_WINDOW_BITS) != Z_OK)
        return ERR_NOMEM;
    d->in_live = true;
    if (d->window_len > 0 && inflateSetDictionary(&d->in, d->window, (uInt)d->window_len) != Z_OK)
        return ERR_NOMEM;
    if (d->bits > 0 && inflatePrime(&d->in, (int)d->bits, d->last >> (8 - d->bits)) != Z_OK)
        return ERR_NOMEM;
    forget_window(d);
    return 0;
}

/* One call of zlib; *got_out octets came. */
static int inflate_some(struct deflate *d, uint8_t *to, size_t room, size_t *got_out)
{
    struct view from = buf_view(&d->received);
    size_t took;
    int r;

    d->in.next_in = (Bytef *)(uintptr_t)from.ptr;
    d->in.avail_in = (uInt)from.len;
    d->in.next_out = to;
    d->in.avail_out = (uInt)room;
    r = inflate(&d->in, Z_BLOCK);
    if (r == Z_MEM_ERROR)
        return ERR_NOMEM;
    if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
        return ERR_SYNTAX;
    took = from.len - d->in.avail_in;
    if (took > 0)
        d->last = from.ptr[took - 1];
    d->between = (d->in.data_type & 128) != 0;
    d->bits = (unsigned)d->in.data_type & 7;
    d->more = !d->between && d->in.avail_out == 0;
    d->ended = r == Z_STREAM_END || (d->between && (d->in.data_type & 64) != 0); /* 64: the block was the last */
    buf_consume(&d->received, took);
    *got_out = room - d->in.avail_out;
    return 0;
}

int deflate_input(struct deflate *d, struct buf *in, size_t max)
{
    int err = 0;

    while (err == 0 && max > 0 && deflate_has_input(d) && buf_len(in) < in->max) {
        size_t room = MIN_OF(MIN_OF(in->max - buf_len(in), max), CHUNK), got;
        uint8_t *to = buf_reserve(in, room);

        err = to == NULL ? ERR_NOMEM : begin_in(d);
        if (err == 0)
            err = inflate_some(d, to, room, &got);
        if (err == 0) {
            buf_commit(in, got);
            max -= got;
        }
    }
    if (buf_len(&d->received) == 0)
        buf_shrink(&d->received);
    return err == 0 && d->ended ? ERR_CLOSED : err;
}

/* --- output ------------------------------------------------------------------------------------------------ */

static int begin_out(struct deflate *d)
{
    if (d->out_live)
        return 0;
    d->out = (z_stream){0};
    if (deflateInit2(&d->out, LEVEL, Z_DEFLATED, -OUT_WINDOW_BITS, OUT_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return ERR_NOMEM;
    d->out_live = true;
    return 0;
}

static int compress_some(struct deflate *d, struct view v, int flush)
{
    int err = begin_out(d);

    if (err != 0)
        return err;
    d->out.next_in = (Bytef *)(uintptr_t)v.ptr;
    d->out.avail_in = (uInt)v.len;
    do {
        struct buf *wire = outq_buf(d->wire);
        uint8_t *room = buf_reserve(wire, CHUNK);

        if (room == NULL)
            return ERR_NOMEM;
        d->out.next_out = room;
        d->out.avail_out = (uInt)CHUNK;
        (void)deflate(&d->out, flush); /* Z_BUF_ERROR: nothing was left to be flushed; other errors cannot be */
        buf_commit(wire, CHUNK - d->out.avail_out);
    } while (d->out.avail_out == 0);
    d->unflushed = flush == Z_NO_FLUSH;
    return 0;
}

/* Compresses until enough waits for the socket. */
static int fill_wire(struct deflate *d, struct outq *from, size_t *budget)
{
    uint8_t chunk[CHUNK];
    size_t n;
    int err = 0;

    while (err == 0 && *budget > 0 && outq_len(d->wire) < WIRE_HIGH) {
        err = outq_take(from, chunk, MIN_OF(sizeof(chunk), *budget), &n);
        if (err != 0 || (n == 0 && !d->unflushed))
            break;
        err = compress_some(d, view_make(chunk, n), n == 0 ? Z_SYNC_FLUSH : Z_NO_FLUSH);
        *budget -= n;
    }
    return err;
}

int deflate_send(struct deflate *d, struct outq *from, int sock, uint64_t *sent_out)
{
    size_t budget = SEND_BUDGET;
    int err;

    for (;;) {
        err = fill_wire(d, from, &budget);
        if (err == 0)
            err = outq_flush(d->wire, sock, sent_out);
        if (err != 0)
            return err;
        if (outq_len(from) == 0 && !d->unflushed)
            return 0;
        if (budget == 0)
            return ERR_AGAIN;
    }
}

uint64_t deflate_unsent(const struct deflate *d)
{
    return outq_len(d->wire) + (d->unflushed ? 1 : 0);
}

bool deflate_ok(const struct deflate *d)
{
    return outq_ok(d->wire);
}

/* --- resting and moving ------------------------------------------------------------------------------------- */

/* Keeps the window instead of the decompressor. */
static void rest_in(struct deflate *d)
{
    uInt len = 0;

    if (!d->in_live || !d->between || inflateGetDictionary(&d->in, NULL, &len) != Z_OK)
        return;
    d->window = len == 0 ? NULL : xmalloc(len);
    if (len > 0 && inflateGetDictionary(&d->in, d->window, &len) != Z_OK) {
        forget_window(d);
        return;
    }
    d->window_len = len;
    end_in(d);
}

void deflate_rest(struct deflate *d)
{
    rest_in(d);
    if (!d->unflushed)
        end_out(d);
}

bool deflate_can_export(const struct deflate *d)
{
    return d->between && !d->ended;
}

int deflate_export(struct deflate *d, struct buf *out)
{
    struct buf unsent;
    int err = 0;

    if (!deflate_can_export(d))
        return ERR_STATE;
    if (d->unflushed)
        err = compress_some(d, (struct view){NULL, 0}, Z_FULL_FLUSH);
    if (err != 0)
        return err;
    deflate_rest(d);
    if (d->in_live)
        return ERR_NOMEM;
    buf_init(&unsent, WIRE_MAX);
    err = outq_drain(d->wire, &unsent);
    buf_put_u8(out, (uint8_t)d->bits);
    buf_put_u8(out, d->last);
    buf_put_view32(out, view_make(d->window, d->window_len));
    buf_put_view32(out, buf_view(&d->received));
    buf_put_view32(out, buf_view(&unsent));
    buf_free(&unsent);
    return err != 0 || buf_ok(out) ? err : ERR_LIMIT;
}

int deflate_import(struct view bytes, struct deflate **d_out)
{
    struct cursor c = cursor_make(bytes);
    uint8_t bits = cursor_u8(&c), last = cursor_u8(&c);
    struct view window = cursor_view32(&c, WINDOW_MAX);
    struct view received = cursor_view32(&c, RECEIVED_MAX);
    struct view unsent = cursor_view32(&c, WIRE_MAX);
    struct deflate *d;

    if (!cursor_done(&c) || bits > 7)
        return ERR_SYNTAX;
    d = new_layer(outq_new(WIRE_MAX));
    d->bits = bits;
    d->last = last;
    if (window.len > 0) {
        d->window = xmalloc(window.len);
        memcpy(d->window, window.ptr, window.len);
        d->window_len = window.len;
    }
    buf_put_view(&d->received, received);
    buf_put_view(outq_buf(d->wire), unsent);
    *d_out = d;
    return 0;
}
