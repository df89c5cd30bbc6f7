/*
 * SASL mechanisms. A mechanism turns what the client says into challenges and, in the end, into a claim; it never looks anything
 * up and never answers: its caller (conn.c) does. One const table, one struct mech_exchange for each exchange.
 */
#ifndef CULVER_AUTH_MECH_H
#define CULVER_AUTH_MECH_H

#include "common/base/buf.h"
#include "common/conf/settings.h"
#include "common/ipc/proto.h"
#include "common/secret/scram.h"
#include "common/secret/secret.h"

enum mech_step {
    MECH_CHALLENGE, /* send x->out and call step again with the client's answer */
    MECH_PASSWORD,  /* check x->password of x->authcid; authenticated if it is right */
    MECH_KEYS,      /* fill in x->keys of x->authcid, as mech->hash wants them, and call step again without data */
    MECH_TOKEN, /* check x->token; where it is not good for x->authcid (empty: whoever it is of), call step again without data */
    MECH_CERTIFICATE, /* find out whose certificate the client holds; as x->authzid, where that is not empty */
    MECH_PROVEN,      /* the mechanism itself proved x->authcid */
    MECH_WRONG,       /* it was shown to be somebody else */
    MECH_MALFORMED    /* not what the grammar allows */
};

/* A name as the client wrote it, at most PROTO_NAME_MAX bytes of UTF-8 without NUL. */
struct mech_name {
    uint8_t bytes[PROTO_NAME_MAX];
    size_t len;
};

struct mech_exchange {
    const struct mech *mech;
    void *state;                  /* mech->state_size zeroed bytes */
    struct mech_name authcid;     /* who logs in */
    struct mech_name authzid;     /* as whom; empty: the same */
    struct secret *password;      /* of MECH_PASSWORD; owned by the exchange */
    struct scram_keys keys;       /* of MECH_KEYS */
    bool keys_false;              /* no proof is good: the keys are made up, for a user who may not know it */
    uint8_t guess[SCRAM_KEY_MAX]; /* the proof that was wrong */
    size_t guess_len;
    struct secret *token;       /* of MECH_TOKEN; owned by the exchange */
    const struct set_auth *set; /* set by the caller; NULL: nothing is told of where tokens come from */
    struct secret *plain;       /* keys' two keys are still to be made from this password; owned by the exchange */
    /* Channel binding data of the connection, set by the caller; empty: none. */
    struct buf binding_exporter, binding_end_point;
    struct buf out; /* secret */
};

struct mech {
    const char *name;       /* "PLAIN" */
    const char *offered_as; /* the word of auth_mechanisms that it belongs to; NULL: name */
    bool needs_protection;  /* the client's messages give the password away: only over TLS and the like */
    bool binds;             /* channel binding is required */
    bool certificate;       /* a TLS handshake with a client's certificate is required */
    enum scram_hash hash;   /* of MECH_KEYS */
    size_t state_size;
    /* data: the client's message, valid during the call; has_data false: the exchange begins and the client sent nothing yet. */
    enum mech_step (*step)(struct mech_exchange *x, bool has_data, struct view data);
};

extern const struct mech mech_plain, mech_login, mech_scram[4], mech_oauthbearer, mech_xoauth2, mech_external;

/* By name (any case); NULL when unknown. */
const struct mech *mech_find(struct view name);
void mech_exchange_init(struct mech_exchange *x, const struct mech *mech);
enum mech_step mech_exchange_step(struct mech_exchange *x, bool has_data, struct view data);
/* The connection has data for a channel binding. */
bool mech_can_bind(const struct mech_exchange *x);
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
