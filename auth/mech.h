/*
 * SASL mechanisms. A mechanism turns what the client says into challenges and, in the end, into a claim; it never looks anything
 * up and never answers: its caller (conn.c) does. One const table, one struct mech_exchange for each exchange.
 */
#ifndef CULVER_AUTH_MECH_H
#define CULVER_AUTH_MECH_H

#include "common/base/buf.h"
#include "common/ipc/proto.h"
#include "common/secret/secret.h"

enum mech_step {
    MECH_CHALLENGE, /* send x->out and call step again with the client's answer */
    MECH_PASSWORD,  /* check x->password of x->authcid; authenticated if it is right */
    MECH_PROVEN,    /* the mechanism itself proved x->authcid; x->out is data for the client's last message, sent with success */
    MECH_MALFORMED  /* not what the grammar allows */
};

/* A name as the client wrote it, at most PROTO_NAME_MAX bytes of UTF-8 without NUL. */
struct mech_name {
    uint8_t bytes[PROTO_NAME_MAX];
    size_t len;
};

struct mech_exchange {
    const struct mech *mech;
    void *state;              /* mech->state_size zeroed bytes */
    struct mech_name authcid; /* who logs in */
    struct mech_name authzid; /* as whom; empty: the same */
    struct secret *password;  /* of MECH_PASSWORD; owned by the exchange */
    struct buf out;           /* secret */
};

struct mech {
    const char *name;      /* "PLAIN" */
    bool needs_protection; /* the client's messages give the password away: only over TLS and the like */
    size_t state_size;
    /* data: the client's message, valid during the call; has_data false: the exchange begins and the client sent nothing yet. */
    enum mech_step (*step)(struct mech_exchange *x, bool has_data, struct view data);
};

extern const struct mech mech_plain, mech_login;

/* By name (any case); NULL when unknown. */
const struct mech *mech_find(struct view name);
void mech_exchange_init(struct mech_exchange *x, const struct mech *mech);
enum mech_step mech_exchange_step(struct mech_exchange *x, bool has_data, struct view data);
/* Wipes the password and the state. Accepts a zeroed struct. */
void mech_exchange_deinit(struct mech_exchange *x);
/* Sets a name; false when it is too long, holds a NUL or is not UTF-8. */
bool mech_name_set(struct mech_name *n, struct view v);
struct view mech_name_view(const struct mech_name *n);

/* RFC 4616 section 2: [authzid] NUL authcid NUL passwd. Views into message. ERR_SYNTAX. */
struct mech_plain_message {
    struct view authzid, authcid, password;
};
MUST_CHECK int mech_plain_parse(struct view message, struct mech_plain_message *out);

#endif
