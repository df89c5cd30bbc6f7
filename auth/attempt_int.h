/* Private to attempt*.c: one exchange, and how it goes on. Each function may end it and free the connection, as attempt.c says.
 */
#ifndef CULVER_AUTH_ATTEMPT_INT_H
#define CULVER_AUTH_ATTEMPT_INT_H

#include "auth/conn.h"
#include "auth/factor.h"
#include "auth/mech.h"
#include "auth/passdb.h"
#include "auth/userdb.h"

struct attempt {
    struct mech_exchange x;
    bool secured;
    bool disabled;      /* whoever proves to be this user may not log in */
    const char *reason; /* for the log, should a proof be wrong */
    unsigned steps;
    uint64_t started; /* when the client's last message came, or its turn */
    bool named;       /* name is set */
    bool master;      /* prover is a master user, who wants to be name; otherwise they are the same */
    struct auth_name name;
    struct auth_name prover; /* empty: nobody */
    bool folders;            /* the name may end with a folder (detail) */
    struct auth_detail detail;
    struct factor factor;
    struct gate_place place; /* among the attempts of its address that are being looked at */
    uint64_t give_up;        /* where it waits for one */
    bool keyed;              /* it has keys, and a proof is to come */
    bool keys_wait;          /* they are there, and not shown yet */
    bool admitted;           /* the client's next message needs no turn */
    bool proof_waits;        /* proof, the client's message, is looked at when its turn has come */
    struct buf proof;
    struct verify verify;
    struct lookup lookup;
    enum auth_fail code;          /* the held answer; */
    bool passed;                  /* or it is the other one */
    struct auth_request *request; /* a token is being checked, */
    struct db_question *question; /* or asked about */
    bool refused;                 /* its token was; the answer still waits for what the client says */
};

/* The end: an answer that is no guess. */
void attempt_fail(struct auth_conn *c, enum auth_fail code, const char *text, const char *reason);
/* The end: a wrong guess, counted and answered late. */
void attempt_fail_credentials(struct auth_conn *c, const char *reason);
/* The databases' answer when it is no PASSDB_MATCH: the failure that it is. */
void attempt_unproven(struct auth_conn *c, enum passdb_result result, const char *reason);
/* It is who it says; the user databases are next. */
void attempt_lookup(struct auth_conn *c);
/* One name of the claim. detail_out may be NULL. */
MUST_CHECK int attempt_name(const struct attempt *a, const struct set_auth *set, struct view raw, struct auth_name *out,
                            struct auth_detail *detail_out);
/* There are users who may act as others. */
bool attempt_has_masters(const struct set_auth *set);

/* attempt_cert.c: MECH_CERTIFICATE, once it is the attempt's turn. */
void attempt_certificate(struct auth_conn *c);

#endif
