/* The messages of SCRAM (RFC 5802 section 7) taken apart; mech_scram.c is the mechanism. */
#ifndef CULVER_AUTH_SCRAM_H
#define CULVER_AUTH_SCRAM_H

#include "auth/mech.h"

/* What a client's nonce may have; ours is added to it. */
#define SCRAM_NONCE_MAX 256
#define SCRAM_MESSAGE_MAX 2048

enum scram_binding_flag {
    SCRAM_BINDING_NONE,    /* n: the client knows none */
    SCRAM_BINDING_WRONGED, /* y: the client knows it and believes that we do not */
    SCRAM_BINDING_USED     /* p: required */
};

struct scram_client_first { /* views into the message */
    struct view gs2_header; /* with its commas */
    enum scram_binding_flag flag;
    struct view binding;               /* the type's name with SCRAM_BINDING_USED */
    struct mech_name authzid, authcid; /* decoded */
    struct view bare;                  /* client-first-message-bare */
    struct view nonce;
};
/* ERR_SYNTAX; an extension that must be understood (m=) is one. */
MUST_CHECK int scram_client_first_parse(struct view message, struct scram_client_first *out);

struct scram_client_final {
    struct view without_proof;
    struct view binding, nonce, proof; /* base64 where the grammar has it */
};
MUST_CHECK int scram_client_final_parse(struct view message, struct scram_client_final *out);

#endif
