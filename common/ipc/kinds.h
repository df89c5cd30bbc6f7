/* The roles, channel states and message kinds between processes. Their table is in proto.c, the payloads in proto.h. */
#ifndef CULVER_COMMON_IPC_KINDS_H
#define CULVER_COMMON_IPC_KINDS_H

enum ipc_role {
    ROLE_MASTER,
    ROLE_AUTH,
    ROLE_HELPER, /* auth helper: one request, or a connection to a database */
    ROLE_KEYS,
    ROLE_LOGIN, /* parent of a login service: accepts, never reads from a client */
    ROLE_CONN,  /* one client connection before log-in (a child of ROLE_LOGIN) */
    ROLE_LMTP,  /* parent of the LMTP service */
    ROLE_LCONN, /* one LMTP client connection */
    ROLE_WORKER,
    ROLE_CTL,
    ROLE_SMTP,  /* the socket on which MTAs ask for authentication */
    ROLE_SCONN, /* one authentication of an MTA's client (a channel of ROLE_SMTP's) */
    ROLE_COUNT
};

/* What a channel allows its peer at this moment. The owner of the receiving end moves it. */
enum ipc_state {
    IPC_STATE_NEW,   /* start-up of a service; on a connection's channel: nothing said yet */
    IPC_STATE_READY, /* idle: the next request may come */
    IPC_STATE_BUSY,  /* a request is under way (SASL exchange, look-up) */
    IPC_STATE_DONE   /* nothing more may come */
};

enum ipc_kind {
    /* master -> every service it starts */
    IPC_MASTER_CONFIG = 1, /* +fd memfd: the service's part of the configuration; always the first message */
    IPC_MASTER_PEER,       /* +fd: the channel to another service (again after that service was restarted) */
    IPC_MASTER_LISTENER,   /* +fd: a listening socket */
    IPC_MASTER_CERT,       /* +fd: certificate chain file (PEM), for login, lmtp, auth */
    IPC_MASTER_KEY,        /* +fd: private key file (PEM), for keys */
    IPC_MASTER_GO,         /* everything for the start was sent: enter the sandbox and serve */
    IPC_MASTER_LOG,        /* +fd: log here from now on */
    IPC_MASTER_STOP,       /* login, lmtp: accept no more, end when the last child ended. worker, auth, keys: finish and exit */
    IPC_MASTER_TAKEN,      /* login: this connection was handed over (no longer counts as before log-in) */
    IPC_MASTER_HELPER,     /* -> helper: unused slot of the start sequence carries its channel to auth (+fd) */
    /* every service -> master */
    IPC_SERVICE_READY, /* in the sandbox and serving */

    /* login or lmtp parent -> auth, master, keys */
    IPC_LOGIN_CONN, /* +fd: the channel of a new connection */

    /* smtp -> auth */
    IPC_SMTP_CONN, /* +fd: the channel of an authentication that an MTA wants */

    /* connection -> auth, master: who the client is according to the PROXY header; once, before anything else */
    IPC_CONN_PROXIED,

    /* connection <-> auth */
    IPC_CONN_AUTH,      /* start a SASL exchange */
    IPC_CONN_RESPONSE,  /* the client's answer to a challenge */
    IPC_CONN_CANCEL,    /* the client gave up with "*" */
    IPC_CONN_NONCE,     /* the client will be asked for a certificate: what its handshake must hold */
    IPC_AUTH_NONCE,     /* this */
    IPC_CONN_HANDSHAKE, /* a piece of the client's TLS handshake, before the IPC_CONN_AUTH that it is to prove */
    IPC_AUTH_CHALLENGE,
    IPC_AUTH_FAIL,
    IPC_AUTH_PASS,  /* authenticated: no name, no uid, no token */
    IPC_AUTH_NAMED, /* the same for an MTA, which is told who it was; nobody gets a session */
    IPC_LCONN_RCPT, /* lmtp: does this recipient exist? */
    IPC_AUTH_RCPT,  /* the answer */

    /* auth <-> master */
    IPC_AUTH_GRANT,    /* this connection (or this recipient of it) belongs to this user */
    IPC_MASTER_LOOKUP, /* who is this user? For culverctl */
    IPC_AUTH_FOUND,
    IPC_MASTER_CREDENTIAL, /* what an administrator wants of a user's app passwords and second factor */
    IPC_AUTH_CREDENTIAL,   /* what came of it */
    IPC_AUTH_HELPER,       /* +fd: start a helper of this kind on this channel */

    /* auth <-> helper */
    IPC_AUTH_CHECK_PAM,
    IPC_AUTH_CHECK_HASH,
    IPC_AUTH_LOOKUP_NSS,
    IPC_AUTH_CHECK_TOKEN,
    IPC_AUTH_HANDSHAKE,  /* a piece of a TLS handshake, */
    IPC_AUTH_CHECK_CERT, /* which is whole now: whose certificate does it prove? */
    IPC_HELPER_RESULT,
    IPC_AUTH_ASK_DB, /* to a helper that holds a connection to a database: any number, one after the other */
    IPC_HELPER_DB,   /* the answer */

    /* connection <-> master */
    IPC_CONN_TAKE, /* +fd: hand this client over to its worker */
    IPC_MASTER_TAKE_OK,
    IPC_MASTER_TAKE_FAIL,
    IPC_LCONN_ROOM,    /* lmtp: as far as is known, would a message fit into this recipient's quota? */
    IPC_MASTER_ROOM,   /* the answer */
    IPC_LCONN_DELIVER, /* +2 fds: sealed memfd with the message, reply channel (its other end speaks IPC_WORKER_DELIVERED) */

    /* master <-> worker */
    IPC_MASTER_USER,    /* whom the worker serves; once, before GO */
    IPC_MASTER_SESSION, /* +fd: a client connection */
    IPC_MASTER_DELIVER, /* +2 fds: memfd, reply channel */
    IPC_MASTER_KICK,    /* end one session (or all: id 0) */
    IPC_MASTER_UPGRADE, /* hand over every session, then leave: a fresh worker takes your place */
    IPC_MASTER_THAW,    /* +3 fds, as of IPC_WORKER_FROZEN: a session of your predecessor */
    IPC_WORKER_FROZEN, /* +3 fds: its record in a sealed memfd; the client's connection; a file of its own, or the record again */
    IPC_WORKER_THAWED, /* this session goes on here */
    IPC_WORKER_ENDED,  /* this session is over */
    IPC_WORKER_ROOM,   /* what is left of the user's quota */
    IPC_WORKER_IDLE,   /* no session left; leaving after the linger time unless a session comes */
    /* worker (or master, when it cannot reach one) -> lmtp connection, on the reply channel of a delivery */
    IPC_WORKER_DELIVERED,
    /* connection <-> keys */
    IPC_CONN_SIGN,
    IPC_KEYS_SIGNED,

    /* culverctl <-> master (control socket, peer checked with SO_PEERCRED) */
    IPC_CTL_REQUEST,
    IPC_CTL_CREDENTIAL, /* IPC_MASTER_CREDENTIAL on its way there */
    IPC_CTL_LINE,
    IPC_CTL_END,
    IPC_KIND_COUNT
};

#endif
