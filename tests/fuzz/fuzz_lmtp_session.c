/* Whole LMTP sessions, with an auth and a master that say yes. Properties: the same octets get the same answers however they are
 * cut into pieces; every answer is a line of RFC 5321 4.2; a client that has said all it has to say is answered and let go. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/ipc/ipc.h"
#include "common/log/log.h"
#include "lmtp/conn.h"

#define ANSWERS_MAX ((size_t)8 * 1024 * 1024)
#define TURNS_MAX 100000

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct loop *loop;
    struct ipc *auth, *master;
    struct lmtp_conn *conn; /* NULL: it has ended */
    int client;
    unsigned deliveries;
};

static void on_auth(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct msg_rcpt_result result = {.result = RCPT_OK};
    struct msg_rcpt m;
    struct buf body;

    (void)arg;
    ASSERT(msg->kind == IPC_LCONN_RCPT && msg_rcpt_decode(msg->body, &m) == 0);
    result.rcpt_id = m.rcpt_id;
    if (view_find(m.address, '!') < m.address.len)
        result.result = RCPT_UNKNOWN;
    buf_init(&body, IPC_MAX_BODY);
    msg_rcpt_result_encode(&body, &result);
    ASSERT(ipc_send(ch, IPC_AUTH_RCPT, &body, NULL, 0) == 0);
    buf_free(&body);
}

/* Every fifth mailbox is full. */
static void answer_room(struct ipc *ch, struct view question)
{
    struct msg_room_ask ask;
    struct msg_room room = {.result = ROOM_FITS};
    struct buf body;

    ASSERT(msg_room_ask_decode(question, &ask) == 0);
    room.rcpt_id = ask.rcpt_id;
    if (ask.rcpt_id % 5 == 0)
        room.result = ask.size > 0 ? ROOM_FULL : ROOM_FULL_NOW;
    buf_init(&body, IPC_MAX_BODY);
    msg_room_encode(&body, &room);
    ASSERT(ipc_send(ch, IPC_MASTER_ROOM, &body, NULL, 0) == 0);
    buf_free(&body);
}

/* Every third recipient's worker dies. */
static void on_master(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    const struct msg_delivered delivered = {250, VIEW("2.1.5"), VIEW("delivered")};
    struct world *w = arg;
    struct msg_deliver m;
    struct buf body;

    if (msg->kind == IPC_LCONN_ROOM) {
        answer_room(ch, msg->body);
        return;
    }
    ASSERT(msg->kind == IPC_LCONN_DELIVER && msg_deliver_decode(msg->body, &m) == 0 && msg->nfds == 2);
    ASSERT((uint64_t)lseek(msg->fds[0], 0, SEEK_END) == m.size);
    if (++w->deliveries % 3 == 0)
        return;
    buf_init(&body, IPC_MAX_BODY);
    msg_delivered_encode(&body, &delivered);
    ASSERT(ipc_send_wait(msg->fds[1], ROLE_WORKER, ROLE_LCONN, IPC_WORKER_DELIVERED, &body, NULL, 0, 1000) == 0);
    buf_free(&body);
}

static void on_closed(void *arg, struct ipc *ch, int err)
{
    (void)arg;
    (void)ch;
    (void)err;
}

static void on_ended(void *arg, uint64_t conn_id)
{
    struct world *w = arg;

    (void)conn_id;
    lmtp_conn_free(w->conn);
    w->conn = NULL;
}

static void world_open(struct world *w)
{
    static const struct set_lmtp set = {.lmtp_timeout = 3600000,
                                        .lmtp_recipients_max = 100,
                                        .lmtp_line_max = 512,
                                        .lmtp_received = true,
                                        .lmtp_delivered_to = true};
    const struct lmtp_params params = {.set = &set, .message_size_max = 100000, .hostname = "host"};
    const struct msg_conn facts = {.conn_id = 1};
    struct conn_fds fds = {.keys = -1};
    int client[2], auth[2], master[2];

    *w = (struct world){.loop = loop_new()};
    ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, client) == 0);
    ASSERT(ipc_pair(auth) == 0 && ipc_pair(master) == 0);
    fds.client = client[0];
    fds.auth = auth[0];
    fds.master = master[0];
    w->client = client[1];
    w->auth = ipc_new(w->loop, auth[1], ROLE_AUTH, ROLE_LCONN, on_auth, on_closed, w);
    w->master = ipc_new(w->loop, master[1], ROLE_MASTER, ROLE_LCONN, on_master, on_closed, w);
    ipc_set_state(w->auth, IPC_STATE_READY);
    ipc_set_state(w->master, IPC_STATE_READY);
    w->conn = lmtp_conn_new(w->loop, &params, &facts, &fds, on_ended, w);
    ASSERT(w->conn != NULL);
    lmtp_conn_start(w->conn);
}

/* One turn, and what was answered. */
static void turn(struct world *w, struct buf *out)
{
    ssize_t n = 1;

    ASSERT(loop_turn(w->loop, 0) == 0);
    while (n > 0) {
        uint8_t *p = buf_reserve(out, 4096);

        ASSERT(p != NULL);
        n = recv(w->client, p, 4096, MSG_DONTWAIT);
        if (n > 0)
            buf_commit(out, (size_t)n);
    }
}

static void session(struct view in, size_t piece, struct buf *out)
{
    struct world w;
    unsigned turns = 0;

    world_open(&w);
    while (in.len > 0 && w.conn != NULL) {
        ssize_t n = send(w.client, in.ptr, MIN_OF(in.len, piece), MSG_DONTWAIT | MSG_NOSIGNAL);

        ASSERT(n > 0 || errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
        if (n > 0)
            in = view_sub(in, (size_t)n, in.len);
        turn(&w, out);
    }
    (void)shutdown(w.client, SHUT_WR);
    while (w.conn != NULL && ++turns < TURNS_MAX)
        turn(&w, out);
    ASSERT(w.conn == NULL);
    turn(&w, out);
    ipc_free(&w.auth);
    ipc_free(&w.master);
    close(w.client);
    loop_free(&w.loop);
}

static void check_answers(struct view answers)
{
    while (answers.len > 0) {
        size_t eol = view_find(answers, '\n');
        struct cursor c = cursor_make(view_sub(answers, 0, 3));

        ASSERT(eol > 4 && eol < answers.len && answers.ptr[eol - 1] == '\r' && (answers.ptr[3] == ' ' || answers.ptr[3] == '-'));
        ASSERT(cursor_dec(&c, 220, 555) > 0 && cursor_done(&c));
        for (size_t i = 0; i + 1 < eol; i++)
            ASSERT(answers.ptr[i] >= ' ' && answers.ptr[i] != 0x7f);
        answers = view_sub(answers, eol + 1, answers.len);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_init("fuzz", open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC), LOG_SINK_STREAM, LOG_LVL_ERROR);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view in = view_make(data, size);
    struct buf whole, pieces;

    buf_init(&whole, ANSWERS_MAX);
    buf_init(&pieces, ANSWERS_MAX);
    session(in, SIZE_MAX, &whole);
    session(in, size > 0 ? 1u + data[0] % 64 : 1, &pieces);
    check_answers(buf_view(&whole));
    ASSERT(view_eq(buf_view(&whole), buf_view(&pieces)));
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
