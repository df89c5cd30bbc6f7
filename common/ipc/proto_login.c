/* A new connection, who its client is, and the signatures that its TLS handshake needs. */
#include "common/ipc/proto_int.h"

void msg_conn_encode(struct buf *out, const struct msg_conn *m)
{
    field_put_id64(out, m->conn_id);
    field_put_enum(out, m->protocol, PROTO_IMAP, PROTO_LMTP);
    buf_put_u32(out, m->listener);
    field_put_bool(out, m->proxy);
    field_put_addr(out, &m->peer);
    field_put_addr(out, &m->local);
}

int msg_conn_decode(struct view body, struct msg_conn *out)
{
    struct cursor c = cursor_make(body);
    struct msg_conn m = {0};
    m.conn_id = field_get_id64(&c);
    m.protocol = (enum proto_protocol)field_get_enum(&c, PROTO_IMAP, PROTO_LMTP);
    m.listener = cursor_u32(&c);
    m.proxy = field_get_bool(&c);
    m.peer = field_get_addr(&c);
    m.local = field_get_addr(&c);
    FIELD_END(&c, m, out);
}

void msg_smtp_conn_encode(struct buf *out, const struct msg_smtp_conn *m)
{
    field_put_id64(out, m->conn_id);
    field_put_bool(out, m->counted);
    field_put_addr(out, &m->peer);
    field_put_addr(out, &m->local);
}

int msg_smtp_conn_decode(struct view body, struct msg_smtp_conn *out)
{
    struct cursor c = cursor_make(body);
    struct msg_smtp_conn m = {0};
    m.conn_id = field_get_id64(&c);
    m.counted = field_get_bool(&c);
    m.peer = field_get_addr(&c);
    m.local = field_get_addr(&c);
    FIELD_END(&c, m, out);
}

void msg_proxied_encode(struct buf *out, const struct msg_proxied *m)
{
    field_put_addr(out, &m->peer);
    field_put_addr(out, &m->local);
    field_put_bool(out, m->tls);
}

int msg_proxied_decode(struct view body, struct msg_proxied *out)
{
    struct cursor c = cursor_make(body);
    struct msg_proxied m = {0};
    m.peer = field_get_addr(&c);
    m.local = field_get_addr(&c);
    m.tls = field_get_bool(&c);
    FIELD_END(&c, m, out);
}

/* Only what a TLS handshake signs: a digest of the length of its hash, or for EdDSA (which hashes itself) a bounded input. */
static bool tbs_fits(const struct msg_sign *m)
{
    static const unsigned digest_len[] = {[SIGN_SHA1] = 20, [SIGN_SHA256] = 32, [SIGN_SHA384] = 48, [SIGN_SHA512] = 64};
    if (m->scheme == SIGN_EDDSA || m->hash == SIGN_NONE)
        return m->scheme == SIGN_EDDSA && m->hash == SIGN_NONE;
    return m->hash >= SIGN_SHA1 && m->hash <= SIGN_SHA512 && m->tbs.len == digest_len[m->hash];
}

void msg_sign_encode(struct buf *out, const struct msg_sign *m)
{
    if (!tbs_fits(m))
        out->failed = true;
    buf_put_u32(out, m->key);
    field_put_enum(out, m->scheme, SIGN_RSA_PKCS1, SIGN_EDDSA);
    field_put_enum(out, m->hash, SIGN_SHA1, SIGN_NONE);
    field_put_view(out, m->tbs, FIELD_BYTES, 1, PROTO_TBS_MAX);
}

int msg_sign_decode(struct view body, struct msg_sign *out)
{
    struct cursor c = cursor_make(body);
    struct msg_sign m = {0};
    m.key = cursor_u32(&c);
    m.scheme = (enum sign_scheme)field_get_enum(&c, SIGN_RSA_PKCS1, SIGN_EDDSA);
    m.hash = (enum sign_hash)field_get_enum(&c, SIGN_SHA1, SIGN_NONE);
    m.tbs = field_get_view(&c, FIELD_BYTES, 1, PROTO_TBS_MAX);
    if (!tbs_fits(&m))
        cursor_fail(&c);
    FIELD_END(&c, m, out);
}

void msg_signed_encode(struct buf *out, const struct msg_signed *m)
{
    field_put_view(out, m->signature, FIELD_BYTES, 0, PROTO_SIG_MAX);
}

int msg_signed_decode(struct view body, struct msg_signed *out)
{
    struct cursor c = cursor_make(body);
    struct msg_signed m = {0};
    m.signature = field_get_view(&c, FIELD_BYTES, 0, PROTO_SIG_MAX);
    FIELD_END(&c, m, out);
}
