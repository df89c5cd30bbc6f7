/* Log-ins, recipients, grants and the helpers of auth. */
#include "common/ipc/proto_int.h"

#define PASSWORD_MAX 1024

void msg_auth_encode(struct buf *out, const struct msg_auth *m)
{
    if (!m->has_initial && m->initial.len > 0)
        out->failed = true;
    field_put_bool(out, m->secured);
    field_put_bool(out, m->has_initial);
    field_put_view(out, m->mechanism, FIELD_WORD, 1, 32);
    field_put_view(out, m->initial, FIELD_BYTES, 0, PROTO_SASL_MAX);
    field_put_view(out, m->client_id, FIELD_TEXT, 0, 255);
    field_put_view(out, m->binding_exporter, FIELD_BYTES, 0, PROTO_BINDING_MAX);
    field_put_view(out, m->binding_end_point, FIELD_BYTES, 0, PROTO_BINDING_MAX);
}

int msg_auth_decode(struct view body, struct msg_auth *out)
{
    struct cursor c = cursor_make(body);
    struct msg_auth m = {0};
    m.secured = field_get_bool(&c);
    m.has_initial = field_get_bool(&c);
    m.mechanism = field_get_view(&c, FIELD_WORD, 1, 32);
    m.initial = field_get_view(&c, FIELD_BYTES, 0, PROTO_SASL_MAX);
    m.client_id = field_get_view(&c, FIELD_TEXT, 0, 255);
    m.binding_exporter = field_get_view(&c, FIELD_BYTES, 0, PROTO_BINDING_MAX);
    m.binding_end_point = field_get_view(&c, FIELD_BYTES, 0, PROTO_BINDING_MAX);
    if (!m.has_initial && m.initial.len > 0)
        cursor_fail(&c);
    FIELD_END(&c, m, out);
}

void msg_sasl_encode(struct buf *out, const struct msg_sasl *m)
{
    field_put_view(out, m->data, FIELD_BYTES, 0, PROTO_SASL_MAX);
}

int msg_sasl_decode(struct view body, struct msg_sasl *out)
{
    struct cursor c = cursor_make(body);
    struct msg_sasl m = {0};
    m.data = field_get_view(&c, FIELD_BYTES, 0, PROTO_SASL_MAX);
    FIELD_END(&c, m, out);
}

void msg_named_encode(struct buf *out, const struct msg_named *m)
{
    field_put_view(out, m->name, FIELD_TEXT, 1, PROTO_NAME_MAX);
    field_put_view(out, m->data, FIELD_BYTES, 0, PROTO_SASL_MAX);
}

int msg_named_decode(struct view body, struct msg_named *out)
{
    struct cursor c = cursor_make(body);
    struct msg_named m = {0};
    m.name = field_get_view(&c, FIELD_TEXT, 1, PROTO_NAME_MAX);
    m.data = field_get_view(&c, FIELD_BYTES, 0, PROTO_SASL_MAX);
    FIELD_END(&c, m, out);
}

void msg_nonce_encode(struct buf *out, const struct msg_nonce *m)
{
    field_put_view(out, m->nonce, FIELD_BYTES, PROTO_NONCE_LEN, PROTO_NONCE_LEN);
}

int msg_nonce_decode(struct view body, struct msg_nonce *out)
{
    struct cursor c = cursor_make(body);
    struct msg_nonce m = {0};
    m.nonce = field_get_view(&c, FIELD_BYTES, PROTO_NONCE_LEN, PROTO_NONCE_LEN);
    FIELD_END(&c, m, out);
}

void msg_handshake_encode(struct buf *out, const struct msg_handshake *m)
{
    field_put_view(out, m->piece, FIELD_BYTES, 1, PROTO_PIECE_MAX);
}

int msg_handshake_decode(struct view body, struct msg_handshake *out)
{
    struct cursor c = cursor_make(body);
    struct msg_handshake m = {0};
    m.piece = field_get_view(&c, FIELD_BYTES, 1, PROTO_PIECE_MAX);
    FIELD_END(&c, m, out);
}

void msg_auth_fail_encode(struct buf *out, const struct msg_auth_fail *m)
{
    field_put_enum(out, m->code, AUTH_FAIL_CREDENTIALS, AUTH_FAIL_LIMIT);
    field_put_view(out, m->text, FIELD_TEXT, 0, PROTO_TEXT_MAX);
}

int msg_auth_fail_decode(struct view body, struct msg_auth_fail *out)
{
    struct cursor c = cursor_make(body);
    struct msg_auth_fail m = {0};
    m.code = (enum auth_fail)field_get_enum(&c, AUTH_FAIL_CREDENTIALS, AUTH_FAIL_LIMIT);
    m.text = field_get_view(&c, FIELD_TEXT, 0, PROTO_TEXT_MAX);
    FIELD_END(&c, m, out);
}

void msg_rcpt_encode(struct buf *out, const struct msg_rcpt *m)
{
    field_put_id32(out, m->rcpt_id);
    field_put_view(out, m->address, FIELD_TEXT, 1, PROTO_ADDR_MAX);
}

int msg_rcpt_decode(struct view body, struct msg_rcpt *out)
{
    struct cursor c = cursor_make(body);
    struct msg_rcpt m = {0};
    m.rcpt_id = field_get_id32(&c);
    m.address = field_get_view(&c, FIELD_TEXT, 1, PROTO_ADDR_MAX);
    FIELD_END(&c, m, out);
}

void msg_rcpt_result_encode(struct buf *out, const struct msg_rcpt_result *m)
{
    field_put_id32(out, m->rcpt_id);
    field_put_enum(out, m->result, RCPT_OK, RCPT_DISABLED);
}

int msg_rcpt_result_decode(struct view body, struct msg_rcpt_result *out)
{
    struct cursor c = cursor_make(body);
    struct msg_rcpt_result m = {0};
    m.rcpt_id = field_get_id32(&c);
    m.result = (enum rcpt_result)field_get_enum(&c, RCPT_OK, RCPT_DISABLED);
    FIELD_END(&c, m, out);
}

void msg_room_ask_encode(struct buf *out, const struct msg_room_ask *m)
{
    field_put_id32(out, m->rcpt_id);
    buf_put_u64(out, m->size);
}

int msg_room_ask_decode(struct view body, struct msg_room_ask *out)
{
    struct cursor c = cursor_make(body);
    struct msg_room_ask m = {0};
    m.rcpt_id = field_get_id32(&c);
    m.size = cursor_u64(&c);
    FIELD_END(&c, m, out);
}

void msg_room_encode(struct buf *out, const struct msg_room *m)
{
    field_put_id32(out, m->rcpt_id);
    field_put_enum(out, m->result, ROOM_FITS, ROOM_FULL_NOW);
}

int msg_room_decode(struct view body, struct msg_room *out)
{
    struct cursor c = cursor_make(body);
    struct msg_room m = {0};
    m.rcpt_id = field_get_id32(&c);
    m.result = (enum room_result)field_get_enum(&c, ROOM_FITS, ROOM_FULL_NOW);
    FIELD_END(&c, m, out);
}

void msg_worker_room_encode(struct buf *out, const struct msg_worker_room *m)
{
    buf_put_u64(out, m->bytes);
    buf_put_u64(out, m->messages);
}

int msg_worker_room_decode(struct view body, struct msg_worker_room *out)
{
    struct cursor c = cursor_make(body);
    struct msg_worker_room m = {0};
    m.bytes = cursor_u64(&c);
    m.messages = cursor_u64(&c);
    FIELD_END(&c, m, out);
}

void msg_grant_encode(struct buf *out, const struct msg_grant *m)
{
    if (m->admin && m->rcpt_id != 0)
        out->failed = true;
    field_put_id64(out, m->conn_id);
    buf_put_u32(out, m->rcpt_id);
    field_put_view(out, m->detail, FIELD_TEXT, 0, PROTO_DETAIL_MAX);
    field_put_bool(out, m->admin);
    field_put_user(out, &m->user);
}

int msg_grant_decode(struct view body, struct msg_grant *out)
{
    struct cursor c = cursor_make(body);
    struct msg_grant m = {0};
    m.conn_id = field_get_id64(&c);
    m.rcpt_id = cursor_u32(&c);
    m.detail = field_get_view(&c, FIELD_TEXT, 0, PROTO_DETAIL_MAX);
    m.admin = field_get_bool(&c);
    m.user = field_get_user(&c);
    if (m.admin && m.rcpt_id != 0)
        cursor_fail(&c);
    FIELD_END(&c, m, out);
}

void msg_lookup_encode(struct buf *out, const struct msg_lookup *m)
{
    field_put_id32(out, m->id);
    field_put_view(out, m->name, FIELD_TEXT, 1, PROTO_NAME_MAX);
}

int msg_lookup_decode(struct view body, struct msg_lookup *out)
{
    struct cursor c = cursor_make(body);
    struct msg_lookup m = {0};
    m.id = field_get_id32(&c);
    m.name = field_get_view(&c, FIELD_TEXT, 1, PROTO_NAME_MAX);
    FIELD_END(&c, m, out);
}

void msg_found_encode(struct buf *out, const struct msg_found *m)
{
    field_put_id32(out, m->id);
    field_put_enum(out, m->result, RCPT_OK, RCPT_DISABLED);
    if (m->result == RCPT_OK)
        field_put_user(out, &m->user);
}

int msg_found_decode(struct view body, struct msg_found *out)
{
    struct cursor c = cursor_make(body);
    struct msg_found m = {0};
    m.id = field_get_id32(&c);
    m.result = (enum rcpt_result)field_get_enum(&c, RCPT_OK, RCPT_DISABLED);
    if (m.result == RCPT_OK)
        m.user = field_get_user(&c);
    FIELD_END(&c, m, out);
}

void msg_credential_encode(struct buf *out, const struct msg_credential *m)
{
    buf_put_u32(out, m->id);
    field_put_enum(out, m->verb, CREDENTIAL_ADD, CREDENTIAL_REMOVE);
    field_put_view(out, m->user, FIELD_TEXT, 1, PROTO_NAME_MAX);
    field_put_view(out, m->label, FIELD_TEXT, 0, 64);
    field_put_view(out, m->secret, FIELD_BYTES, 0, 32);
    field_put_view(out, m->code, FIELD_TEXT, 0, 16);
    buf_put_u8(out, m->scopes);
    buf_put_u64(out, m->expires);
}

int msg_credential_decode(struct view body, struct msg_credential *out)
{
    struct cursor c = cursor_make(body);
    struct msg_credential m = {0};
    m.id = cursor_u32(&c);
    m.verb = (enum credential_verb)field_get_enum(&c, CREDENTIAL_ADD, CREDENTIAL_REMOVE);
    m.user = field_get_view(&c, FIELD_TEXT, 1, PROTO_NAME_MAX);
    m.label = field_get_view(&c, FIELD_TEXT, 0, 64);
    m.secret = field_get_view(&c, FIELD_BYTES, 0, 32);
    m.code = field_get_view(&c, FIELD_TEXT, 0, 16);
    m.scopes = cursor_u8(&c);
    m.expires = cursor_u64(&c);
    FIELD_END(&c, m, out);
}

void msg_credential_done_encode(struct buf *out, const struct msg_credential_done *m)
{
    buf_put_u32(out, m->id);
    buf_put_u8(out, m->status);
    field_put_view(out, m->text, FIELD_NO_NUL, 0, PROTO_LINES_MAX);
}

int msg_credential_done_decode(struct view body, struct msg_credential_done *out)
{
    struct cursor c = cursor_make(body);
    struct msg_credential_done m = {0};
    m.id = cursor_u32(&c);
    m.status = cursor_u8(&c);
    m.text = field_get_view(&c, FIELD_NO_NUL, 0, PROTO_LINES_MAX);
    FIELD_END(&c, m, out);
}

void msg_helper_encode(struct buf *out, const struct msg_helper *m)
{
    field_put_enum(out, m->kind, HELPER_PAM, HELPER_CERT);
    field_put_view(out, m->database, FIELD_TEXT, 0, PROTO_LABEL_MAX);
}

int msg_helper_decode(struct view body, struct msg_helper *out)
{
    struct cursor c = cursor_make(body);
    struct msg_helper m = {0};
    m.kind = (enum helper_kind)field_get_enum(&c, HELPER_PAM, HELPER_CERT);
    m.database = field_get_view(&c, FIELD_TEXT, 0, PROTO_LABEL_MAX);
    FIELD_END(&c, m, out);
}

void msg_check_pam_encode(struct buf *out, const struct msg_check_pam *m)
{
    field_put_view(out, m->service, FIELD_TEXT, 1, 64);
    field_put_view(out, m->user, FIELD_NO_NUL, 1, PROTO_NAME_MAX);
    field_put_view(out, m->rhost, FIELD_TEXT, 0, 64);
    field_put_view(out, m->password, FIELD_NO_NUL, 0, PASSWORD_MAX);
    field_put_bool(out, m->account);
}

int msg_check_pam_decode(struct view body, struct msg_check_pam *out)
{
    struct cursor c = cursor_make(body);
    struct msg_check_pam m = {0};
    m.service = field_get_view(&c, FIELD_TEXT, 1, 64);
    m.user = field_get_view(&c, FIELD_NO_NUL, 1, PROTO_NAME_MAX);
    m.rhost = field_get_view(&c, FIELD_TEXT, 0, 64);
    m.password = field_get_view(&c, FIELD_NO_NUL, 0, PASSWORD_MAX);
    m.account = field_get_bool(&c);
    FIELD_END(&c, m, out);
}

void msg_check_hash_encode(struct buf *out, const struct msg_check_hash *m)
{
    field_put_view(out, m->hash, FIELD_NO_NUL, 0, 1024);
    field_put_view(out, m->scheme, FIELD_TEXT, 0, 32);
    field_put_view(out, m->password, FIELD_BYTES, 0, PASSWORD_MAX);
}

int msg_check_hash_decode(struct view body, struct msg_check_hash *out)
{
    struct cursor c = cursor_make(body);
    struct msg_check_hash m = {0};
    m.hash = field_get_view(&c, FIELD_NO_NUL, 0, 1024);
    m.scheme = field_get_view(&c, FIELD_TEXT, 0, 32);
    m.password = field_get_view(&c, FIELD_BYTES, 0, PASSWORD_MAX);
    FIELD_END(&c, m, out);
}

void msg_lookup_nss_encode(struct buf *out, const struct msg_lookup_nss *m)
{
    field_put_view(out, m->user, FIELD_NO_NUL, 1, PROTO_NAME_MAX);
}

int msg_lookup_nss_decode(struct view body, struct msg_lookup_nss *out)
{
    struct cursor c = cursor_make(body);
    struct msg_lookup_nss m = {0};
    m.user = field_get_view(&c, FIELD_NO_NUL, 1, PROTO_NAME_MAX);
    FIELD_END(&c, m, out);
}

void msg_check_token_encode(struct buf *out, const struct msg_check_token *m)
{
    field_put_view(out, m->token, FIELD_TEXT, 1, PROTO_TOKEN_MAX);
}

int msg_check_token_decode(struct view body, struct msg_check_token *out)
{
    struct cursor c = cursor_make(body);
    struct msg_check_token m = {0};
    m.token = field_get_view(&c, FIELD_TEXT, 1, PROTO_TOKEN_MAX);
    FIELD_END(&c, m, out);
}

void msg_check_cert_encode(struct buf *out, const struct msg_check_cert *m)
{
    if (m->digests.len % PROTO_DIGEST_LEN != 0)
        out->failed = true;
    field_put_view(out, m->nonce, FIELD_BYTES, PROTO_NONCE_LEN, PROTO_NONCE_LEN);
    field_put_view(out, m->digests, FIELD_BYTES, PROTO_DIGEST_LEN, PROTO_DIGESTS_MAX);
}

int msg_check_cert_decode(struct view body, struct msg_check_cert *out)
{
    struct cursor c = cursor_make(body);
    struct msg_check_cert m = {0};
    m.nonce = field_get_view(&c, FIELD_BYTES, PROTO_NONCE_LEN, PROTO_NONCE_LEN);
    m.digests = field_get_view(&c, FIELD_BYTES, PROTO_DIGEST_LEN, PROTO_DIGESTS_MAX);
    if (m.digests.len % PROTO_DIGEST_LEN != 0)
        cursor_fail(&c);
    FIELD_END(&c, m, out);
}

void msg_helper_result_encode(struct buf *out, const struct msg_helper_result *m)
{
    field_put_enum(out, m->result, HELPER_OK, HELPER_TEMPORARY);
    buf_put_u32(out, m->uid);
    buf_put_u32(out, m->gid);
    field_put_view(out, m->name, FIELD_TEXT, 0, PROTO_NAME_MAX);
    field_put_view(out, m->home, FIELD_PATH, 0, PROTO_PATH_MAX);
}

int msg_helper_result_decode(struct view body, struct msg_helper_result *out)
{
    struct cursor c = cursor_make(body);
    struct msg_helper_result m = {0};
    m.result = (enum helper_result)field_get_enum(&c, HELPER_OK, HELPER_TEMPORARY);
    m.uid = cursor_u32(&c);
    m.gid = cursor_u32(&c);
    m.name = field_get_view(&c, FIELD_TEXT, 0, PROTO_NAME_MAX);
    m.home = field_get_view(&c, FIELD_PATH, 0, PROTO_PATH_MAX);
    FIELD_END(&c, m, out);
}
