/*
 * Every codec behind one function type: decode, encode again, return the new encoding. Used by the fuzz target and by the unit
 * test of the messages.
 */
#ifndef CULVER_TESTS_FUZZ_PROTO_CODECS_H
#define CULVER_TESTS_FUZZ_PROTO_CODECS_H

#include "common/ipc/proto.h"

typedef int proto_again_fn(struct view body, struct buf *out);

#define AGAIN(name)                                            \
    static int again_##name(struct view body, struct buf *out) \
    {                                                          \
        struct msg_##name m;                                   \
        int err = msg_##name##_decode(body, &m);               \
        if (err == 0)                                          \
            msg_##name##_encode(out, &m);                      \
        return err;                                            \
    }
AGAIN(config)
AGAIN(peer)
AGAIN(listener)
AGAIN(cert)
AGAIN(id)
AGAIN(conn)
AGAIN(smtp_conn)
AGAIN(proxied)
AGAIN(auth)
AGAIN(sasl)
AGAIN(named)
AGAIN(nonce)
AGAIN(handshake)
AGAIN(auth_fail)
AGAIN(rcpt)
AGAIN(rcpt_result)
AGAIN(room_ask)
AGAIN(room)
AGAIN(worker_room)
AGAIN(grant)
AGAIN(lookup)
AGAIN(found)
AGAIN(credential)
AGAIN(credential_done)
AGAIN(user)
AGAIN(helper)
AGAIN(check_pam)
AGAIN(check_hash)
AGAIN(lookup_nss)
AGAIN(check_token)
AGAIN(check_cert)
AGAIN(helper_result)
AGAIN(ask_db)
AGAIN(helper_db)
AGAIN(take)
AGAIN(take_fail)
AGAIN(session)
AGAIN(frozen)
AGAIN(thaw)
AGAIN(deliver)
AGAIN(delivered)
AGAIN(sign)
AGAIN(signed)
AGAIN(ctl_request)
AGAIN(ctl_line)
AGAIN(ctl_end)

/* By kind; NULL: the message has no body. */
static proto_again_fn *const proto_codecs[IPC_KIND_COUNT] = {
    [IPC_MASTER_CONFIG] = again_config,
    [IPC_MASTER_PEER] = again_peer,
    [IPC_MASTER_LISTENER] = again_listener,
    [IPC_MASTER_CERT] = again_cert,
    [IPC_MASTER_KEY] = again_cert,
    [IPC_MASTER_TAKEN] = again_id,
    [IPC_MASTER_HELPER] = again_helper,
    [IPC_LOGIN_CONN] = again_conn,
    [IPC_SMTP_CONN] = again_smtp_conn,
    [IPC_CONN_PROXIED] = again_proxied,
    [IPC_CONN_AUTH] = again_auth,
    [IPC_CONN_RESPONSE] = again_sasl,
    [IPC_AUTH_CHALLENGE] = again_sasl,
    [IPC_AUTH_FAIL] = again_auth_fail,
    [IPC_AUTH_PASS] = again_sasl,
    [IPC_AUTH_NAMED] = again_named,
    [IPC_AUTH_NONCE] = again_nonce,
    [IPC_CONN_HANDSHAKE] = again_handshake,
    [IPC_LCONN_RCPT] = again_rcpt,
    [IPC_AUTH_RCPT] = again_rcpt_result,
    [IPC_AUTH_GRANT] = again_grant,
    [IPC_MASTER_LOOKUP] = again_lookup,
    [IPC_AUTH_FOUND] = again_found,
    [IPC_MASTER_CREDENTIAL] = again_credential,
    [IPC_AUTH_CREDENTIAL] = again_credential_done,
    [IPC_CTL_CREDENTIAL] = again_credential,
    [IPC_AUTH_HELPER] = again_helper,
    [IPC_AUTH_CHECK_PAM] = again_check_pam,
    [IPC_AUTH_CHECK_HASH] = again_check_hash,
    [IPC_AUTH_LOOKUP_NSS] = again_lookup_nss,
    [IPC_AUTH_CHECK_TOKEN] = again_check_token,
    [IPC_AUTH_HANDSHAKE] = again_handshake,
    [IPC_AUTH_CHECK_CERT] = again_check_cert,
    [IPC_HELPER_RESULT] = again_helper_result,
    [IPC_AUTH_ASK_DB] = again_ask_db,
    [IPC_HELPER_DB] = again_helper_db,
    [IPC_CONN_TAKE] = again_take,
    [IPC_MASTER_TAKE_FAIL] = again_take_fail,
    [IPC_LCONN_ROOM] = again_room_ask,
    [IPC_MASTER_ROOM] = again_room,
    [IPC_LCONN_DELIVER] = again_deliver,
    [IPC_MASTER_USER] = again_user,
    [IPC_MASTER_SESSION] = again_session,
    [IPC_MASTER_DELIVER] = again_deliver,
    [IPC_MASTER_KICK] = again_id,
    [IPC_MASTER_THAW] = again_thaw,
    [IPC_WORKER_FROZEN] = again_frozen,
    [IPC_WORKER_THAWED] = again_id,
    [IPC_WORKER_ENDED] = again_id,
    [IPC_WORKER_ROOM] = again_worker_room,
    [IPC_WORKER_DELIVERED] = again_delivered,
    [IPC_CONN_SIGN] = again_sign,
    [IPC_KEYS_SIGNED] = again_signed,
    [IPC_CTL_REQUEST] = again_ctl_request,
    [IPC_CTL_LINE] = again_ctl_line,
    [IPC_CTL_END] = again_ctl_end,
};

#endif
