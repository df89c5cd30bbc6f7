#include "imap/message.h"

#define BASE_SUBJECT_MAX (64 * 1024)

void imap_message_open_in(struct imap_session *s, struct mailbox_view *view, struct imap_message *m, uint32_t seq)
{
    m->view = view;
    m->seq = seq;
    mailbox_view_info(view, seq, &m->info);
    m->info.recent = m->info.recent && imap_session_recent(s);
}

void imap_message_open(struct imap_session *s, struct imap_message *m, uint32_t seq)
{
    imap_message_open_in(s, s->view, m, seq);
}

/* What a message of a search did not use needs no tidying: that is most of them. */
void imap_message_close(struct imap_message *m)
{
    m->seq = 0;
    if (m->has_digest)
        digest_free(&m->digest);
    if (m->has_data)
        msg_data_close(&m->data);
    if (m->digest_bytes.cap > 0)
        buf_free(&m->digest_bytes);
    m->has_digest = m->has_data = false;
    m->digest_err = m->data_err = 0;
}

int imap_message_data(struct imap_session *s, struct imap_message *m)
{
    (void)s;
    if (m->has_data || m->data_err != 0)
        return m->data_err;
    m->data_err = mailbox_view_data(m->view, m->seq, &m->data);
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
    err = mailbox_view_digest(m->view, m->seq, &bytes);
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

    if (!m->has_digest && mailbox_view_digest(m->view, m->seq, &bytes) == 0 && digest_decode_summary(bytes, out) == 0)
        return 0;
    err = imap_message_digest(s, m);
    if (err == 0)
        *out = m->digest;
    return err;
}

int imap_message_digest_bytes(struct imap_session *s, struct imap_message *m, struct view *out)
{
    int err;

    if (!m->has_digest && mailbox_view_digest(m->view, m->seq, out) == 0)
        return 0;
    err = imap_message_digest(s, m); /* keeps the bytes */
    if (err == 0)
        *out = buf_view(&m->digest_bytes);
    return err;
}

struct view imap_message_subject(const struct digest *summary, enum collation collation, struct buf *text)
{
    struct buf plain;
    bool reply;

    if (collation == COLLATION_UNICODE_CASEMAP)
        return summary->base_subject;
    buf_init(&plain, BASE_SUBJECT_MAX);
    buf_init(text, BASE_SUBJECT_MAX);
    subject_base_text(&plain, summary->envelope.subject, &reply);
    collation_put(collation, text, buf_view(&plain));
    buf_free(&plain);
    return buf_view(text);
}

struct view imap_message_range(const struct imap_message *m, uint64_t off, uint64_t len)
{
    uint64_t size = m->data.bytes.len;

    if (off >= size)
        return VIEW("");
    return view_sub(m->data.bytes, (size_t)off, (size_t)(len < size - off ? len : size - off));
}
