/*
 * A list of nodes, each either bytes or a file range; the last node takes what outq_buf() appends. Ranges of one file share one
 * duplicate of its descriptor: a FETCH of a thousand messages costs one, not a thousand.
 */
#include "common/io/outq.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

#define FLUSH_BUDGET (1024 * 1024) /* bytes a flush: a fast reader of a big message does not hold up the other sessions */
#define KEEP_CAP 4096              /* memory that an empty queue keeps */
#define COPY_CHUNK 16384           /* where the kernel cannot send from a file */

struct shared_file {
    int fd;
    unsigned refs;
    dev_t dev;
    ino_t ino;
};

struct node {
    struct node *next;
    struct shared_file *file; /* NULL: bytes */
    uint64_t offset, left;    /* of a file range */
    struct buf bytes;
};

struct outq {
    struct node *first, *last;
    struct shared_file *recent; /* of the last range that was put; holds a reference */
    size_t memory_max;
    size_t memory_before; /* bytes in memory in all nodes but the last */
    uint64_t file_left;
    bool failed;
};

struct outq *outq_new(size_t memory_max)
{
    struct outq *q = xcalloc(1, sizeof(*q));
    q->memory_max = memory_max;
    return q;
}

static void file_unref(struct shared_file *file)
{
    if (file == NULL || --file->refs > 0)
        return;
    close(file->fd);
    free(file);
}

static void node_free(struct node *n)
{
    file_unref(n->file);
    buf_free(&n->bytes);
    free(n);
}

/* Nodes and descriptors; a failure stays. */
static void clear(struct outq *q)
{
    q->failed = !outq_ok(q);
    while (q->first != NULL) {
        struct node *n = q->first;
        q->first = n->next;
        node_free(n);
    }
    q->last = NULL;
    q->memory_before = 0;
    q->file_left = 0;
    file_unref(q->recent);
    q->recent = NULL;
}

void outq_free(struct outq **qp)
{
    if (*qp == NULL)
        return;
    clear(*qp);
    free(*qp);
    *qp = NULL;
}

bool outq_ok(const struct outq *q)
{
    return !q->failed && (q->last == NULL || buf_ok(&q->last->bytes));
}

uint64_t outq_len(const struct outq *q)
{
    return q->file_left + q->memory_before + (q->last == NULL ? 0 : buf_len(&q->last->bytes));
}

static struct node *append_node(struct outq *q)
{
    struct node *n = xcalloc(1, sizeof(*n));
    if (q->last == NULL) {
        q->first = n;
    } else {
        q->failed = !outq_ok(q);
        q->memory_before += buf_len(&q->last->bytes);
        q->last->next = n;
    }
    q->last = n;
    return n;
}

struct buf *outq_buf(struct outq *q)
{
    if (q->last == NULL || q->last->file != NULL)
        buf_init(&append_node(q)->bytes, 0);
    q->last->bytes.max = q->memory_max > q->memory_before ? q->memory_max - q->memory_before : 0;
    return &q->last->bytes;
}

/* A reference to the file behind fd, with a descriptor of our own. NULL when there is none to be had. */
static struct shared_file *file_ref(struct outq *q, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return NULL;
    struct shared_file *file = q->recent;
    if (file == NULL || file->dev != st.st_dev || file->ino != st.st_ino) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (copy < 0)
            return NULL;
        file = xcalloc(1, sizeof(*file));
        *file = (struct shared_file){.fd = copy, .refs = 1, .dev = st.st_dev, .ino = st.st_ino};
        file_unref(q->recent);
        q->recent = file;
    }
    file->refs++;
    return file;
}

int outq_put_file(struct outq *q, int fd, uint64_t offset, uint64_t len)
{
    if (len == 0)
        return 0;
    if (offset > INT64_MAX || len > INT64_MAX - offset)
        return ERR_RANGE;
    struct shared_file *file = file_ref(q, fd);
    if (file == NULL)
        return ERR_SYSTEM;
    struct node *n = append_node(q);
    n->file = file;
    n->offset = offset;
    n->left = len;
    q->file_left += len;
    return 0;
}

static int send_error(int errnum)
{
    if (errnum == EAGAIN || errnum == ENOBUFS)
        return ERR_AGAIN;
    return ERR_CLOSED;
}

/* The send functions give the number of bytes that went, or one of enum err. */
static ssize_t send_bytes(int sock, struct view v, bool more)
{
    ssize_t n;
    do {
        n = send(sock, v.ptr, v.len, MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    } while (n < 0 && errno == EINTR);
    return n < 0 ? send_error(errno) : n;
}

static ssize_t send_copied(int sock, const struct node *n, size_t want)
{
    uint8_t chunk[COPY_CHUNK];
    ssize_t got;
    do {
        got = pread(n->file->fd, chunk, MIN_OF(want, sizeof(chunk)), (off_t)n->offset);
    } while (got < 0 && errno == EINTR);
    return got <= 0 ? ERR_IO : send_bytes(sock, view_make(chunk, (size_t)got), (uint64_t)got < n->left || n->next != NULL);
}

static ssize_t send_range(int sock, const struct node *n, size_t want)
{
    off_t at = (off_t)n->offset;
    ssize_t sent;
    do {
        sent = sendfile(sock, n->file->fd, &at, want);
    } while (sent < 0 && errno == EINTR);
    if (sent > 0)
        return sent;
    /* The file is shorter than the range. */
    if (sent == 0)
        return ERR_IO;
    if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
        return send_copied(sock, n, want);
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN || errno == EAGAIN || errno == ENOBUFS)
        return send_error(errno);
    return errno == ETIMEDOUT || errno == EHOSTUNREACH || errno == ENETUNREACH ? ERR_CLOSED : ERR_IO;
}

/* Takes the first node off, once it is sent; the last one stays to be written to. */
static void drop_sent(struct outq *q)
{
    struct node *n = q->first;
    if (n == q->last && n->file == NULL) {
        if (n->bytes.cap > KEEP_CAP)
            buf_shrink(&n->bytes);
        return;
    }
    q->first = n->next;
    if (q->first == NULL)
        q->last = NULL;
    node_free(n);
}

static void account(struct outq *q, struct node *n, size_t sent)
{
    if (n->file != NULL) {
        n->offset += sent;
        n->left -= sent;
        q->file_left -= sent;
        return;
    }
    if (n != q->last)
        q->memory_before -= sent;
    buf_consume(&n->bytes, sent);
}

/* Nothing is left but used-up nodes; of these a last one of bytes stays. */
static void settle(struct outq *q)
{
    while (q->first != NULL && (q->first != q->last || q->first->file != NULL))
        drop_sent(q);
    if (q->first != NULL)
        drop_sent(q);
    file_unref(q->recent);
    q->recent = NULL;
}

int outq_flush(struct outq *q, int sock, uint64_t *sent_out)
{
    size_t budget = FLUSH_BUDGET;
    while (outq_len(q) > 0) {
        struct node *n = q->first;
        uint64_t left = n->file != NULL ? n->left : buf_len(&n->bytes);
        if (left == 0) {
            drop_sent(q);
            continue;
        }
        if (budget == 0)
            return ERR_AGAIN;
        size_t want = left < budget ? (size_t)left : budget;
        ssize_t sent = n->file != NULL ? send_range(sock, n, want)
                                       : send_bytes(sock, view_sub(buf_view(&n->bytes), 0, want), n->next != NULL);
        if (sent < 0)
            return (int)sent;
        account(q, n, (size_t)sent);
        budget -= (size_t)sent;
        if (sent_out != NULL)
            *sent_out += (uint64_t)sent;
    }
    settle(q);
    return 0;
}

int outq_take(struct outq *q, void *into, size_t max, size_t *taken_out)
{
    ssize_t n = 0;

    while (n == 0 && max > 0 && outq_len(q) > 0) {
        struct node *first = q->first;
        uint64_t left = first->file != NULL ? first->left : buf_len(&first->bytes);
        size_t want = left < max ? (size_t)left : max;
        if (left == 0) {
            drop_sent(q);
            continue;
        }
        if (first->file == NULL) {
            memcpy(into, buf_view(&first->bytes).ptr, want);
            n = (ssize_t)want;
        } else {
            do {
                n = pread(first->file->fd, into, want, (off_t)first->offset);
            } while (n < 0 && errno == EINTR);
            if (n <= 0)
                return ERR_IO;
        }
        account(q, first, (size_t)n);
    }
    if (outq_len(q) == 0)
        settle(q);
    *taken_out = (size_t)n;
    return 0;
}

static int write_all(int file, struct view v)
{
    while (v.len > 0) {
        ssize_t n = write(file, v.ptr, v.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? err_from_errno(errno) : ERR_IO;
        v = view_sub(v, (size_t)n, v.len);
    }
    return 0;
}

static int copy_range(const struct node *n, int file)
{
    uint64_t offset = n->offset, left = n->left;
    while (left > 0) {
        uint8_t chunk[COPY_CHUNK];
        ssize_t got = pread(n->file->fd, chunk, MIN_OF(left, (uint64_t)sizeof(chunk)), (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        int err = got <= 0 ? ERR_IO : write_all(file, view_make(chunk, (size_t)got));
        if (err != 0)
            return err;
        offset += (uint64_t)got;
        left -= (uint64_t)got;
    }
    return 0;
}

int outq_write(const struct outq *q, int file)
{
    int err = 0;
    for (const struct node *n = q->first; n != NULL && err == 0; n = n->next)
        err = n->file != NULL ? copy_range(n, file) : write_all(file, buf_view(&n->bytes));
    return err;
}

static int read_range(const struct node *n, struct buf *into)
{
    uint64_t offset = n->offset, left = n->left;
    while (left > 0) {
        size_t want = left < COPY_CHUNK ? (size_t)left : COPY_CHUNK;
        uint8_t *room = buf_reserve(into, want);
        if (room == NULL)
            return ERR_LIMIT;
        ssize_t got = pread(n->file->fd, room, want, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ERR_IO;
        buf_commit(into, (size_t)got);
        offset += (uint64_t)got;
        left -= (uint64_t)got;
    }
    return 0;
}

int outq_drain(struct outq *q, struct buf *into)
{
    size_t before = buf_len(into);
    int err = 0;
    /* What does not fit stays queued as a whole. */
    if (!buf_ok(into) || before > into->max || outq_len(q) > into->max - before)
        return ERR_LIMIT;
    for (const struct node *n = q->first; n != NULL && err == 0; n = n->next) {
        if (n->file != NULL)
            err = read_range(n, into);
        else
            buf_put_view(into, buf_view(&n->bytes));
    }
    if (err == 0 && !buf_ok(into))
        err = ERR_NOMEM;
    if (err != 0)
        buf_truncate(into, before);
    clear(q);
    return err;
}
