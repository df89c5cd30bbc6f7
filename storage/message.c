/*
 * The bytes of a message and its digest. Small ones are read into memory, large ones are mapped; either way they are checked
 * against their checksum before anybody sees them, so that what is served is what was stored or an error. A page of a mapping
 * that the device cannot give (any more) reads as zeros (guard.h): the checksum finds it, and msg_data_good() when it is later.
 */
#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/account_int.h"
#include "storage/maildir_hooks_int.h"
#include "storage/message/digest.h"

#define READ_MAX ((uint64_t)1 << 20) /* larger messages are mapped */

struct data_handle {
    struct account *acc;
    struct seg *seg; /* NULL: it was a file of a Maildir */
    int fd;          /* of that; owned */
    uint8_t *mem;    /* owned; NULL: mapped */
    void *map;
    uint64_t map_off;
    size_t map_len;
};

static void handle_free(struct data_handle *h)
{
    if (h->fd >= 0)
        close(h->fd);
    free(h->mem);
    vfs_unmap(h->acc->vfs, h->map, h->map_off, h->map_len);
    free(h);
}

/* Header and data of the blob, in memory or mapped. */
static int blob_fetch(struct data_handle *h, struct vfs_file *file, const struct msg_rec *rec, const uint8_t **out)
{
    uint64_t len = BLOB_HEADER_SIZE + rec->size;
    int err;

    if (rec->off > h->seg->size || len > h->seg->size - rec->off)
        return ERR_CORRUPT;
    if (len <= READ_MAX) {
        h->mem = xmalloc((size_t)len);
        err = vfs_read(file, rec->off, h->mem, (size_t)len);
        *out = h->mem;
        return err;
    }
    h->map_off = rec->off;
    h->map_len = (size_t)len;
    err = vfs_map(file, h->map_off, h->map_len, false, &h->map);
    *out = h->map;
    return err;
}

int message_data(struct account *acc, const struct msg_rec *rec, struct msg_data *out)
{
    struct seg *s = txlog_seg(&acc->log, rec->seg);
    struct data_handle *h;
    const uint8_t *bytes = NULL;
    struct vfs_file *file;
    struct blob_head head;
    int err;

    if (rec->seg == 0)
        return acc->md != NULL ? md_message_data(acc, rec, out) : ERR_UNSUPPORTED;
    if (s == NULL || rec->size > SIZE_MAX - BLOB_HEADER_SIZE)
        return ERR_CORRUPT;
    err = txlog_seg_file(&acc->log, s, &file);
    if (err != 0)
        return err == ERR_NOTFOUND ? ERR_CORRUPT : err;
    h = xcalloc(1, sizeof(*h));
    h->acc = acc;
    h->seg = s;
    h->fd = -1;
    err = blob_fetch(h, file, rec, &bytes);
    if (err == 0)
        err = blob_head_parse(view_make(bytes, BLOB_HEADER_SIZE), &head);
    if (err == 0 && (head.kind != BLOB_MESSAGE || head.len != rec->size))
        err = ERR_CORRUPT;
    if (err == 0)
        err = blob_check(bytes, &head, view_make(bytes + BLOB_HEADER_SIZE, (size_t)rec->size));
    if (!vfs_map_good(acc->vfs, h->map))
        err = ERR_IO;
    if (err != 0) {
        LOG_ERROR(0, "message cannot be read", F_UINT("segment", rec->seg), F_UINT("offset", rec->off), F_ERR(err));
        handle_free(h);
        return err;
    }
    s->users++;
    out->bytes = view_make(bytes + BLOB_HEADER_SIZE, (size_t)rec->size);
    out->fd = vfs_fd(file);
    out->fd_offset = rec->off + BLOB_HEADER_SIZE;
    out->handle = h;
    return 0;
}

bool msg_data_good(const struct msg_data *d)
{
    const struct data_handle *h = d->handle;

    return h == NULL || vfs_map_good(h->acc->vfs, h->map);
}

void msg_data_own(struct account *acc, uint8_t *mem, struct view bytes, int fd, struct msg_data *out)
{
    struct data_handle *h = xcalloc(1, sizeof(*h));

    h->acc = acc;
    h->fd = fd;
    h->mem = mem;
    out->bytes = bytes;
    out->fd = fd;
    out->fd_offset = 0;
    out->handle = h;
}

void msg_data_close(struct msg_data *d)
{
    struct data_handle *h = d->handle;

    if (h == NULL)
        return;
    if (h->seg != NULL)
        h->seg->users--;
    handle_free(h);
    memset(d, 0, sizeof(*d));
    d->fd = -1;
}

/* There is none, or it is damaged: make it again from the message. */
static int digest_again(struct account *acc, const struct msg_rec *rec, struct view *out)
{
    struct msg_data data;
    int err = message_data(acc, rec, &data);

    if (err != 0)
        return err;
    buf_reset(&acc->scratch);
    digest_build(data.bytes, &message_limits_default, &acc->scratch);
    msg_data_close(&data);
    if (!buf_ok(&acc->scratch))
        return ERR_LIMIT;
    *out = buf_view(&acc->scratch);
    return 0;
}

int message_digest(struct account *acc, const struct msg_rec *rec, struct view *out)
{
    struct blob_head head;
    int err;

    if (rec->dig_len == 0)
        return digest_again(acc, rec, out);
    if (rec->dig_mbox != 0) {
        err = digfile_read(acc, rec, out);
        if (err != 0) {
            LOG_ERROR(0, "digest cannot be read", F_UINT("mailbox", rec->dig_mbox), F_UINT("file", rec->dig_num), F_ERR(err));
            return digest_again(acc, rec, out);
        }
        return 0;
    }
    buf_reset(&acc->scratch);
    err = txlog_read_blob(&acc->log, rec->dig_num, rec->dig_off, &head, &acc->scratch);
    if (err == 0 && (head.kind != BLOB_DIGEST || head.len != rec->dig_len))
        err = ERR_CORRUPT;
    if (err != 0) {
        LOG_ERROR(0, "digest cannot be read", F_UINT("segment", rec->dig_num), F_UINT("offset", rec->dig_off), F_ERR(err));
        return digest_again(acc, rec, out);
    }
    *out = buf_view(&acc->scratch);
    return 0;
}
