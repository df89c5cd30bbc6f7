/*
 * The bytes of messages that are files. A file is always read into memory and never mapped: another program may cut it short at
 * any time. What is served has CRLF line ends, as RFC822.SIZE counted them; a file that has them already can also be sent from
 * its descriptor.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/maildir_int.h"

#define FILE_MAX ((size_t)1 << 30)

static size_t count_lone_lf(struct view v)
{
    const uint8_t *p = v.ptr, *end = v.ptr + v.len;
    size_t n = 0;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        n += p == v.ptr || p[-1] != '\r';
        p++;
    }
    return n;
}

struct view md_to_crlf(struct view file, uint8_t **owned_out)
{
    size_t lone = file.len > 0 ? count_lone_lf(file) : 0;
    uint8_t *out, *to;

    *owned_out = NULL;
    if (lone == 0)
        return file;
    out = to = xmalloc(file.len + lone);
    for (size_t i = 0; i < file.len;) {
        size_t len = view_find(view_sub(file, i, file.len), '\n');

        memcpy(to, file.ptr + i, len);
        to += len;
        i += len;
        if (i < file.len) {
            if (i == 0 || file.ptr[i - 1] != '\r')
                *to++ = '\r';
            *to++ = '\n';
            i++;
        }
    }
    *owned_out = out;
    return view_make(out, (size_t)(to - out));
}

struct view md_to_file(struct view message, uint8_t **owned_out)
{
    uint8_t *out, *to;

    *owned_out = NULL;
    if (message.len == 0)
        return message;
    /* A CR before a CRLF would be taken for part of the line end; a lone LF would become one. Such a message is stored as it is.
     */
    for (size_t i = 0; i < message.len; i++) {
        if (message.ptr[i] == '\n' && (i == 0 || message.ptr[i - 1] != '\r' || (i > 1 && message.ptr[i - 2] == '\r')))
            return message;
    }
    out = to = xmalloc(message.len);
    for (size_t i = 0; i < message.len; i++) {
        if (message.ptr[i] != '\r' || i + 1 == message.len || message.ptr[i + 1] != '\n')
            *to++ = message.ptr[i];
    }
    *owned_out = out;
    return view_make(out, (size_t)(to - out));
}

static int read_file(const struct maildir *md, int dirfd, const char *name, uint8_t **mem_out, struct view *out, int *fd_out)
{
    struct stat st;
    size_t done = 0, size;
    uint8_t *mem;
    int fd, err = md_file_open(md, dirfd, name, &fd, &st);

    if (err != 0)
        return err;
    size = (size_t)st.st_size;
    mem = (uint64_t)st.st_size > FILE_MAX ? NULL : malloc(size > 0 ? size : 1);
    if (mem == NULL)
        err = (uint64_t)st.st_size > FILE_MAX ? ERR_LIMIT : ERR_NOMEM;
    while (err == 0 && done < size) {
        ssize_t n = md->disk->ops->read(md->disk, fd, mem + done, size - done, done);

        if (n < 0)
            err = ERR_IO;
        else if (n == 0)
            size = done;
        else
            done += (size_t)n;
    }
    if (err != 0) {
        free(mem);
        (void)md_close(md->disk, fd);
        return err;
    }
    *mem_out = mem; /* transferred */
    *out = view_make(mem, size);
    *fd_out = fd;
    return 0;
}

int md_message_read(const struct maildir *md, int dirfd, const char *name, uint8_t **mem_out, struct view *out, int *fd_out)
{
    struct view file;
    uint8_t *mem, *converted;
    int fd, err = read_file(md, dirfd, name, &mem, &file, &fd);

    if (err != 0)
        return err;
    *out = md_to_crlf(file, &converted);
    if (converted != NULL) {
        free(mem);
        (void)md_close(md->disk, fd);
        mem = converted;
        fd = -1;
    }
    *mem_out = mem; /* transferred */
    *fd_out = fd;
    return 0;
}

/* Messages do not change (RFC 9051 2.3.1.1), so this is another one now: under another name the file is found as a new message,
 * and the old one as gone. */
static void give_new_name(struct mailbox *m, struct md_file *f, int dirfd)
{
    struct maildir *md = m->acc->md;
    char *name = md_unique_like(md, f->name);

    LOG_WARN(0, "a file of the Maildir was changed: its message is a new one", F_STR("folder", md_box_dir(m)),
             F_STR("file", f->name));
    if (name == NULL || md_rename(md, dirfd, f->name, dirfd, name) != 0)
        LOG_WARN(0, "cannot rename it", F_STR("file", f->name));
    md_box_touch(m, 1u << MD_NEW | 1u << MD_CUR);
    free(name);
}

struct view md_message_name(struct account *acc, const struct msg_rec *rec)
{
    struct mailbox *m = account_find_id(acc, (uint32_t)rec->off);
    const struct md_file *f = m != NULL ? md_box_file(m, rec->file) : NULL;
    struct md_name n;

    return f != NULL && md_name_parse(view_str(f->name), &n) ? n.base : view_make(NULL, 0);
}

int md_message_data(struct account *acc, const struct msg_rec *rec, struct msg_data *out)
{
    struct mailbox *m = account_find_id(acc, (uint32_t)rec->off);
    struct md_file *f = m != NULL ? md_box_file(m, rec->file) : NULL;
    struct view bytes;
    uint8_t *mem;
    int dirfd, fd, err;

    if (f == NULL)
        return ERR_NOTFOUND;
    err = md_dir_open(acc->md, md_box_dir(m), (enum md_place)f->place, &dirfd);
    if (err != 0)
        return err;
    err = md_message_read(acc->md, dirfd, f->name, &mem, &bytes, &fd);
    if (err == 0 && bytes.len != rec->size) {
        give_new_name(m, f, dirfd);
        free(mem);
        if (fd >= 0)
            (void)md_close(acc->md->disk, fd);
        err = ERR_NOTFOUND;
    } else if (err == ERR_NOTFOUND) {
        md_box_touch(m, 1u << MD_NEW | 1u << MD_CUR);
    }
    (void)md_close(acc->md->disk, dirfd);
    if (err != 0)
        return err;
    msg_data_own(acc, mem, bytes, fd >= 0 ? acc->md->disk->ops->sendable(acc->md->disk, fd) : -1, out); /* transferred */
    return 0;
}
