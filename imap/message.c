#include "imap/message.h"

void imap_message_open(struct imap_session *s, struct imap_message *m, uint32_t seq)
{
    *m = (struct imap_message){.seq = seq};
    mailbox_view_info(s->view, seq, &m->info);
    m->info.recent = m->info.recent && imap_session_recent(s);
}

void imap_message_close(struct imap_message *m)
{
    if (m->has_digest)
        digest_free(&m->digest);
    if (m->has_data)
        msg_data_close(&m->data);
    buf_free(&m->digest_bytes);
    *m = (struct imap_message){0};
}

int imap_message_data(struct imap_session *s, struct imap_message *m)
{
    if (m->has_data || m->data_err != 0)
        return m->data_err;
    m->data_err = mailbox_view_data(s->view, m->seq, &m->data);
    m->has_data = m->data_err == 0;
    return m->data_err;
}

static int rebuild(struct imap_session *s, struct imap_message *m)
{
    int err = imap_message_data(s, m);

    if (err != 0)
        return err;
    buf_free(&m->digest_bytes);
    buf_init(&m->digest_bytes, IMAP_DIGEST_MAX);
    digest_build(m->data.bytes, &message_limits_default, &m->digest_bytes);
    if (!buf_ok(&m->digest_bytes))
        return ERR_LIMIT;
    return digest_decode(buf_view(&m->digest_bytes), &m->digest);
}

int imap_message_digest(struct imap_session *s, struct imap_message *m)
{
    struct view bytes;
    int err;

    if (m->has_digest || m->digest_err != 0)
        return m->digest_err;
    err = mailbox_view_digest(s->view, m->seq, &bytes);
    if (err == 0) { /* the bytes are the account's until its next call: keep our own */
        buf_init(&m->digest_bytes, bytes.len + 1);
        buf_put_view(&m->digest_bytes, bytes);
        err = digest_decode(buf_view(&m->digest_bytes), &m->digest);
    }
    if (err != 0)
        err = rebuild(s, m);
    m->digest_err = err;
    m->has_digest = err == 0;
    return err;
}

int imap_message_summary(struct imap_session *s, struct imap_message *m, struct digest *out)
{
    struct view bytes;
    int err;

    if (!m->has_digest && mailbox_view_digest(s->view, m->seq, &bytes) == 0 && digest_decode_summary(bytes, out) == 0)
        return 0;
    err = imap_message_digest(s, m);
    if (err == 0)
        *out = m->digest;
    return err;
}

struct view imap_message_range(const struct imap_message *m, uint64_t off, uint64_t len)
{
    uint64_t size = m->data.bytes.len;

    if (off >= size)
        return VIEW("");
    return view_sub(m->data.bytes, (size_t)off, (size_t)(len < size - off ? len : size - off));
}
