/*
 * The client's end of a compressed connection is anything. What is inflated is the same in one piece and in many, with rests and
 * moves to another process between the blocks; the buffer's bound holds; and what a move reads is refused or used.
 */
#include <stdlib.h>

#include "worker/deflate.h"

#define IN_MAX 4096
#define ALL_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct deflate *layer(void)
{
    struct buf none;

    buf_init(&none, 1);
    return deflate_new(outq_new(ALL_MAX), &none);
}

static void move(struct deflate **d)
{
    struct buf form;

    buf_init(&form, ALL_MAX);
    if (deflate_export(*d, &form) != 0)
        abort();
    deflate_free(d);
    if (deflate_import(buf_view(&form), d) != 0)
        abort();
    buf_free(&form);
}

static int run(struct view packed, size_t piece, unsigned trick, struct buf *got)
{
    struct deflate *d = layer();
    struct buf in;
    int err = 0;

    buf_init(&in, IN_MAX);
    while (err == 0 && (packed.len > 0 || deflate_has_input(d)) && buf_len(got) < ALL_MAX / 2) {
        struct view next = view_sub(packed, 0, piece);

        buf_put_view(deflate_received(d), next);
        packed = view_sub(packed, next.len, packed.len);
        err = deflate_input(d, &in, IN_MAX);
        if (buf_len(&in) > IN_MAX)
            abort();
        buf_put_view(got, buf_view(&in));
        buf_reset(&in);
        if (trick == 1)
            deflate_rest(d);
        if (trick == 2 && deflate_can_export(d))
            move(&d);
    }
    deflate_free(&d);
    buf_free(&in);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view packed = view_make(data, size);
    struct deflate *d = NULL;
    struct buf whole;
    int err;

    if (size > 20000)
        return 0;
    buf_init(&whole, ALL_MAX);
    err = run(packed, SIZE_MAX, 0, &whole);
    for (unsigned trick = 0; trick <= 2; trick++) {
        struct buf got;

        buf_init(&got, ALL_MAX);
        if (run(packed, trick == 0 ? 1 : 5, trick, &got) != err)
            abort();
        /* What came before an error depends on the pieces. */
        if (err != ERR_SYNTAX && buf_len(&whole) < ALL_MAX / 2 && !view_eq(buf_view(&got), buf_view(&whole)))
            abort();
        buf_free(&got);
    }
    buf_free(&whole);
    if (deflate_import(packed, &d) == 0)
        move(&d);
    deflate_free(&d);
    return 0;
}
