/*
 * SCRAM-SHA-256, SCRAM-SHA-1 and their -PLUS forms (RFC 5802, RFC 7677), server side.
 *
 *   client-first -> [MECH_KEYS: the caller finds or feigns keys] -> server-first
 *   client-final -> server-final, or MECH_WRONG
 *   ""           -> MECH_PROVEN
 *
 * IMAP and POP3 have no place for data beside their success, so that server-final is a challenge of its own, to be answered with
 * nothing (RFC 5802 section 5, RFC 9051 section 6.2.2). A failure is told without "e=": what it says would differ for users who
 * exist.
 *
 * Channel binding data come from our end of TLS, never from the client; what the client claims is compared with them.
 */
#include <sodium.h>

#include "auth/scram.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/secret/password.h"
#include "common/text/text.h"

#define SERVER_NONCE_BYTES 18
#define PROOF_TEXT_MAX 64

enum scram_stage { STAGE_FIRST, STAGE_KEYS, STAGE_FINAL, STAGE_DONE };

struct scram_text {
    uint8_t bytes[SCRAM_MESSAGE_MAX];
    size_t len;
};

struct scram_state {
    enum scram_stage stage;
    struct scram_text gs2, bare, first; /* parts of the AuthMessage; first: server-first-message */
    uint8_t nonce[SCRAM_NONCE_MAX + 2 * SERVER_NONCE_BYTES];
    size_t nonce_len;
    enum scram_binding_flag flag;
    bool exporter; /* SCRAM_BINDING_USED: of tls-exporter, else tls-server-end-point */
};

static void text_set(struct scram_text *t, struct view v)
{
    ASSERT(v.len <= sizeof(t->bytes));
    if (v.len > 0)
        memcpy(t->bytes, v.ptr, v.len);
    t->len = v.len;
}

static struct view text_view(const struct scram_text *t)
{
    return view_make(t->bytes, t->len);
}

static struct view binding_data(const struct mech_exchange *x, const struct scram_state *s)
{
    return s->exporter ? buf_view(&x->binding_exporter) : buf_view(&x->binding_end_point);
}

/* RFC 5802 section 6: what the flag may be with this mechanism on this connection. */
static bool binding_acceptable(struct mech_exchange *x, struct scram_state *s, const struct scram_client_first *m)
{
    s->flag = m->flag;
    if (!x->mech->binds)
        /* "y" where binding is on offer: somebody has taken the -PLUS out of what the client was shown. */
        return m->flag == SCRAM_BINDING_NONE || (m->flag == SCRAM_BINDING_WRONGED && !mech_can_bind(x));
    if (m->flag != SCRAM_BINDING_USED)
        return false;
    s->exporter = view_eq(m->binding, VIEW("tls-exporter"));
    return (s->exporter || view_eq(m->binding, VIEW("tls-server-end-point"))) && binding_data(x, s).len > 0;
}

static enum mech_step client_first(struct mech_exchange *x, struct scram_state *s, struct view data)
{
    struct scram_client_first m;
    if (scram_client_first_parse(data, &m) != 0 || !binding_acceptable(x, s, &m))
        return MECH_MALFORMED;
    x->authcid = m.authcid;
    x->authzid = m.authzid;
    text_set(&s->gs2, m.gs2_header);
    text_set(&s->bare, m.bare);
    memcpy(s->nonce, m.nonce.ptr, m.nonce.len);
    s->nonce_len = m.nonce.len;
    s->stage = STAGE_KEYS;
    return MECH_KEYS;
}

static enum mech_step server_first(struct mech_exchange *x, struct scram_state *s)
{
    uint8_t random[SERVER_NONCE_BYTES];
    char text[sodium_base64_ENCODED_LEN(sizeof(random), sodium_base64_VARIANT_ORIGINAL)];
    randombytes_buf(random, sizeof(random));
    sodium_bin2base64(text, sizeof(text), random, sizeof(random), sodium_base64_VARIANT_ORIGINAL);
    memcpy(s->nonce + s->nonce_len, text, strlen(text));
    s->nonce_len += strlen(text);
    buf_put_str(&x->out, "r=");
    buf_put(&x->out, s->nonce, s->nonce_len);
    buf_put_str(&x->out, ",s=");
    base64_encode(&x->out, view_make(x->keys.salt, x->keys.salt_len));
    buf_put_str(&x->out, ",i=");
    buf_put_dec(&x->out, x->keys.rounds);
    text_set(&s->first, buf_view(&x->out));
    s->stage = STAGE_FINAL;
    return MECH_CHALLENGE;
}

/* c= must be the header that the client began with, and our binding data behind it. */
static bool binding_matches(const struct mech_exchange *x, const struct scram_state *s, struct view claimed)
{
    struct buf got, want;
    buf_init_secret(&got, SCRAM_MESSAGE_MAX);
    buf_init_secret(&want, SCRAM_MESSAGE_MAX + PROTO_BINDING_MAX);
    buf_put_view(&want, text_view(&s->gs2));
    if (s->flag == SCRAM_BINDING_USED)
        buf_put_view(&want, binding_data(x, s));
    bool good = base64_decode(&got, claimed) == 0 && secret_equal(buf_view(&got), buf_view(&want));
    buf_free(&got);
    buf_free(&want);
    return good;
}

/* Keys of a password that is stored as it is are made only now: the answer to a failure waits, and so hides the time. */
static bool keys_ready(struct mech_exchange *x)
{
    if (x->plain == NULL)
        return true;
    int err = scram_keys_derive(&x->keys, secret_view(x->plain));
    secret_free(&x->plain);
    return err == 0;
}

static enum mech_step client_final(struct mech_exchange *x, struct scram_state *s, struct view data)
{
    struct scram_client_final m;
    uint8_t signature[SCRAM_KEY_MAX];
    struct buf message, proof;
    enum mech_step step = MECH_MALFORMED;
    buf_init_secret(&message, 3 * SCRAM_MESSAGE_MAX);
    buf_init_secret(&proof, SCRAM_KEY_MAX);
    if (scram_client_final_parse(data, &m) != 0 || !view_eq(m.nonce, view_make(s->nonce, s->nonce_len)) ||
        m.proof.len > PROOF_TEXT_MAX || base64_decode(&proof, m.proof) != 0 || buf_len(&proof) != scram_hash_size(x->keys.hash) ||
        !keys_ready(x))
        goto out;
    buf_put_view(&message, text_view(&s->bare));
    buf_put_byte(&message, ',');
    buf_put_view(&message, text_view(&s->first));
    buf_put_byte(&message, ',');
    buf_put_view(&message, m.without_proof);
    step = MECH_WRONG;
    x->guess_len = buf_len(&proof);
    memcpy(x->guess, buf_view(&proof).ptr, x->guess_len);
    bool proven = scram_proof_check(&x->keys, buf_view(&message), buf_view(&proof));
    if (!binding_matches(x, s, m.binding) || !proven || x->keys_false)
        goto out;
    if (!scram_server_signature(&x->keys, buf_view(&message), signature))
        goto out;
    buf_put_str(&x->out, "v=");
    base64_encode(&x->out, view_make(signature, scram_hash_size(x->keys.hash)));
    s->stage = STAGE_DONE;
    step = MECH_CHALLENGE;
out:
    buf_free(&message);
    buf_free(&proof);
    return step;
}

static enum mech_step scram_step(struct mech_exchange *x, bool has_data, struct view data)
{
    struct scram_state *s = x->state;
    switch (s->stage) {
    case STAGE_FIRST:
        return has_data ? client_first(x, s, data) : MECH_CHALLENGE; /* an empty one */
    case STAGE_KEYS:
        return server_first(x, s);
    case STAGE_FINAL:
        return client_final(x, s, data);
    case STAGE_DONE:
        break;
    }
    return data.len == 0 ? MECH_PROVEN : MECH_MALFORMED;
}

#define SCRAM(mech_name, offered, hash_id, binding)                                          \
    {                                                                                        \
        .name = (mech_name), .offered_as = (offered), .hash = (hash_id), .binds = (binding), \
        .state_size = sizeof(struct scram_state), .step = scram_step                         \
    }

const struct mech mech_scram[4] = {
    SCRAM("SCRAM-SHA-256", "SCRAM-SHA-256", SCRAM_SHA256, false),
    SCRAM("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", SCRAM_SHA256, true),
    SCRAM("SCRAM-SHA-1", "SCRAM-SHA-1", SCRAM_SHA1, false),
    SCRAM("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", SCRAM_SHA1, true),
};
