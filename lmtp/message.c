/* The bytes of a message go straight into a memfd: nothing here looks at them but for line ends and the dot that ends them. */
#include "lmtp/lmtp_int.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"

/* Input octets of one step. */
#define STEP_OCTETS (32 * 1024)

static void open_memfd(struct lmtp_conn *c)
{
    if (c->message)
        return;
    c->message = true;
    c->size = 0;
    c->data_err = 0;
    dotstream_init(&c->dots);
    c->memfd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (c->memfd < 0) {
        LOG_ERROR(c->id, "no memory for a message", F_ERRNO(errno));
        c->data_err = ERR_NOSPACE;
    }
}

void lmtp_data_start(struct lmtp_conn *c)
{
    open_memfd(c);
    lmtp_enter(c, LMTP_DATA);
}

void lmtp_chunk_start(struct lmtp_conn *c, uint64_t size, bool last)
{
    open_memfd(c);
    c->chunk_left = size;
    c->chunk_last = last;
    lmtp_enter(c, LMTP_CHUNK);
}

/* Keeps the octets unless the message has failed already: the rest of a refused one is read and forgotten. */
static void store(struct lmtp_conn *c, struct view v)
{
    if (c->data_err != 0)
        return;
    if (v.len > c->p.message_size_max - MIN_OF(c->size, c->p.message_size_max)) {
        c->data_err = ERR_LIMIT;
        return;
    }
    while (v.len > 0) {
        ssize_t n = write(c->memfd, v.ptr, v.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            LOG_ERROR(c->id, "no memory for a message", F_ERRNO(errno));
            c->data_err = ERR_NOSPACE;
            return;
        }
        c->size += (uint64_t)n;
        v = view_sub(v, (size_t)n, v.len);
    }
}

static bool take_data(struct lmtp_conn *c, struct buf *out)
{
    struct view in = view_sub(buf_view(&c->in), 0, STEP_OCTETS);
    size_t taken = dotstream_data(&c->dots, in, out);

    store(c, buf_view(out));
    buf_consume(&c->in, taken);
    if (dotstream_ended(&c->dots))
        lmtp_deliver(c);
    return taken > 0;
}

/* RFC 3030 2: every chunk is answered; the last one's answers are those of the recipients. */
static void chunk_done(struct lmtp_conn *c)
{
    lmtp_enter(c, LMTP_COMMAND);
    if (c->chunk_last)
        lmtp_deliver(c);
    else if (c->nrcpts == 0) { /* nor may recipients come after the first chunk */
        lmtp_reply(c, 503, "5.5.1", "No valid recipients.");
        lmtp_reset(c);
    } else if (c->data_err == ERR_LIMIT)
        lmtp_reply(c, 552, "5.3.4", "The message is too large.");
    else if (c->data_err != 0)
        lmtp_reply(c, 452, "4.3.1", "Insufficient system storage.");
    else
        lmtp_reply(c, 250, "2.0.0", "Chunk received.");
}

static bool take_chunk(struct lmtp_conn *c, struct buf *out)
{
    struct view in = view_sub(buf_view(&c->in), 0, STEP_OCTETS);

    in = view_sub(in, 0, (size_t)MIN_OF(c->chunk_left, (uint64_t)STEP_OCTETS));
    dotstream_chunk(&c->dots, in, out);
    c->chunk_left -= in.len;
    if (c->chunk_left == 0 && c->chunk_last)
        dotstream_finish(&c->dots, out);
    store(c, buf_view(out));
    buf_consume(&c->in, in.len);
    if (c->chunk_left > 0)
        return in.len > 0;
    chunk_done(c);
    return true;
}

bool lmtp_take_message(struct lmtp_conn *c)
{
    struct buf out;
    bool more;

    buf_init(&out, 2 * STEP_OCTETS + 16);
    more = c->state == LMTP_DATA ? take_data(c, &out) : take_chunk(c, &out);
    buf_free(&out);
    return more;
}
