/* mbox files as a source of an import: no message is larger than the file, and what is given is as the interface says. */
#include <sys/mman.h>
#include <unistd.h>

#include "common/log/log.h"
#include "worker/tool.h"

struct check {
    struct tool_sink base;
    uint32_t last_uid;
    uint64_t octets;
    unsigned mailboxes, ends;
};

static int on_mailbox(struct tool_sink *s, const struct tool_mailbox *m)
{
    (void)m;
    ((struct check *)s)->mailboxes++;
    return 0;
}

static int on_message(struct tool_sink *s, const struct tool_message *m)
{
    struct check *c = (struct check *)s;

    ASSERT(c->mailboxes == 1);
    ASSERT(m->uid == 0 || m->uid > c->last_uid);
    if (m->uid != 0)
        c->last_uid = m->uid;
    for (size_t i = 0; i < m->nkeywords; i++)
        ASSERT(m->keywords[i].len > 0 && m->keywords[i].len <= KEYWORD_LEN_MAX);
    for (size_t i = 0; i < m->bytes.len; i++)
        ASSERT(m->bytes.ptr[i] != '\n' || (i > 0 && m->bytes.ptr[i - 1] == '\r'));
    c->octets += m->bytes.len;
    return 0;
}

static int on_end(struct tool_sink *s)
{
    ((struct check *)s)->ends++;
    return 0;
}

static const struct tool_sink_ops ops = {on_mailbox, on_message, on_end, NULL, on_end, NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tool tool = {0};
    struct check c = {.base = {&ops, &tool}};
    int fd = memfd_create("mbox", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        PANIC("cannot write a file");
    if (tool_source_mbox(&tool, fd, VIEW("INBOX"), &c.base) == 0)
        ASSERT(c.mailboxes == 1 && c.ends == 1);
    /* Each line end can become two octets. */
    ASSERT(c.octets <= 2 * (uint64_t)size + 2);
    close(fd);
    return 0;
}
