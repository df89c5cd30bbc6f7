/*
 * The BIO between OpenSSL and our buffers. A pair of memory BIOs would copy every byte once more and grow without bound when a
 * peer does not read; here a read finds what the caller has, a write finds the room that the caller left.
 */

#include "common/base/mem.h"
#include "common/tls/tls_int.h"

static int bufbio_read(BIO *bio, char *data, size_t len, size_t *done)
{
    struct tls_bufbio *bufs = BIO_get_data(bio);
    struct view have;

    *done = 0;
    BIO_clear_retry_flags(bio);
    if (bufs->in == NULL || buf_len(bufs->in) == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    have = view_sub(buf_view(bufs->in), 0, len);
    memcpy(data, have.ptr, have.len);
    *done = have.len;
    buf_consume(bufs->in, have.len);
    return 1;
}

static int bufbio_write(BIO *bio, const char *data, size_t len, size_t *done)
{
    struct tls_bufbio *bufs = BIO_get_data(bio);
    size_t room = 0;

    *done = 0;
    BIO_clear_retry_flags(bio);
    if (bufs->out != NULL && buf_ok(bufs->out))
        room = bufs->out->max - buf_len(bufs->out);
    if (room == 0) {
        BIO_set_retry_write(bio);
        return 0;
    }
    len = MIN_OF(len, room);
    buf_put(bufs->out, data, len);
    if (!buf_ok(bufs->out))
        return 0;
    *done = len;
    return 1;
}

static long bufbio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *tls_bufbio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "struct buf");

    if (method == NULL)
        return NULL;
    if (BIO_meth_set_read_ex(method, bufbio_read) != 1 || BIO_meth_set_write_ex(method, bufbio_write) != 1 ||
        BIO_meth_set_ctrl(method, bufbio_ctrl) != 1) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

BIO *tls_bufbio_new(const BIO_METHOD *method, struct tls_bufbio *bufs)
{
    BIO *bio = BIO_new(method);

    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, bufs);
    BIO_set_init(bio, 1);
    return bio;
}
