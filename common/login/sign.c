/* The signature of a TLS handshake, from culver-keys: for all processes that end TLS. */
#include "common/login/serve.h"

#include "common/ipc/ipc.h"
#include "common/log/log.h"

#define SIGN_TIMEOUT_MS 5000

int serve_sign(int keys_fd, enum ipc_role role, uint64_t conn_id, const struct msg_sign *request, struct buf *sig)
{
    uint8_t storage[IPC_MAX_MSG];
    struct msg_signed answer;
    struct ipc_msg msg;
    struct buf body;
    int r;

    if (keys_fd < 0)
        return ERR_CLOSED;
    buf_init(&body, IPC_MAX_BODY);
    msg_sign_encode(&body, request);
    r = ipc_send_wait(keys_fd, role, ROLE_KEYS, IPC_CONN_SIGN, &body, NULL, 0, SIGN_TIMEOUT_MS);
    buf_free(&body);
    if (r == 0)
        r = ipc_recv_wait(keys_fd, role, ROLE_KEYS, IPC_STATE_BUSY, storage, &msg, SIGN_TIMEOUT_MS);
    if (r == 0) {
        r = msg_signed_decode(msg.body, &answer);
        if (r == 0 && answer.signature.len == 0)
            r = ERR_DENIED;
        if (r == 0)
            buf_put_view(sig, answer.signature);
        ipc_msg_close_fds(&msg);
    }
    if (r < 0)
        LOG_ERROR(conn_id, "no signature for the TLS handshake", F_ERR(r));
    return r;
}
