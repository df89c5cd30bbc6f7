/* SCRAM. What the grammar accepts is what was sent, cut at the right places; a whole exchange with keys that nobody knows never
 * succeeds; a stored form that is accepted is written back as it means. */
#include <stdlib.h>

#include "auth/scram.h"
#include "common/secret/password.h"
#include "common/text/text.h"

static bool joined(struct view whole, struct view a, struct view b, struct view c)
{
    struct buf j;
    buf_init(&j, whole.len + a.len + b.len + c.len);
    buf_put_view(&j, a);
    buf_put_view(&j, b);
    buf_put_view(&j, c);
    bool same = view_eq(buf_view(&j), whole);
    buf_free(&j);
    return same;
}

static void check_parsers(struct view v)
{
    struct scram_client_first first;
    struct scram_client_final final;
    if (scram_client_first_parse(v, &first) == 0 &&
        (!joined(v, first.gs2_header, first.bare, view_make(NULL, 0)) || first.authcid.len == 0 || first.nonce.len == 0 ||
         first.nonce.len > SCRAM_NONCE_MAX || !utf8_valid(mech_name_view(&first.authcid)) ||
         !utf8_valid(mech_name_view(&first.authzid)) || (first.binding.len > 0) != (first.flag == SCRAM_BINDING_USED)))
        abort();
    if (scram_client_final_parse(v, &final) == 0 &&
        (!joined(v, final.without_proof, VIEW(",p="), final.proof) || final.nonce.len == 0 || final.binding.len == 0))
        abort();
}

static void check_stored(struct view v)
{
    struct scram_keys keys, again;
    struct buf b;
    if (scram_keys_parse(SCRAM_SHA256, v, &keys) != 0)
        return;
    buf_init(&b, PASSWORD_HASH_MAX);
    scram_keys_put(&keys, &b);
    if (!buf_ok(&b) || scram_keys_parse(SCRAM_SHA256, buf_view(&b), &again) != 0 || again.rounds != keys.rounds ||
        again.salt_len != keys.salt_len || memcmp(again.salt, keys.salt, keys.salt_len) != 0)
        abort();
    buf_free(&b);
}

static void check_prepare(struct view v)
{
    struct buf b;
    buf_init_secret(&b, 12 * PASSWORD_MAX);
    if (v.len <= PASSWORD_MAX && (scram_password_prepare(v, &b) != 0 || (v.len > 0 && buf_len(&b) == 0)))
        abort();
    buf_free(&b);
}

/* Messages are lines; "%" in the second stands for the nonce that the server chose. */
static void run_exchange(const char *name, struct view v)
{
    struct mech_exchange x;
    struct buf final;
    size_t n = view_find(v, '\n');
    struct view rest = view_sub(v, n + 1, v.len);
    mech_exchange_init(&x, mech_find(view_str(name)));
    buf_put_str(&x.binding_exporter, v.len % 2 == 0 ? "exporter" : "");
    buf_init_secret(&final, SCRAM_MESSAGE_MAX);
    enum mech_step step = mech_exchange_step(&x, true, view_sub(v, 0, n));
    if (step == MECH_KEYS) {
        x.keys = (struct scram_keys){.hash = x.mech->hash, .rounds = SCRAM_ROUNDS_MIN, .salt_len = 16};
        memset(x.keys.stored_key, 7, sizeof(x.keys.stored_key));
        if (mech_exchange_step(&x, false, VIEW("")) != MECH_CHALLENGE)
            abort();
        struct view nonce = view_sub(buf_view(&x.out), 2, view_find(buf_view(&x.out), ',') - 2);
        size_t at = view_find(rest, '%');
        buf_put_view(&final, view_sub(rest, 0, at));
        if (at < rest.len)
            buf_put_view(&final, nonce);
        buf_put_view(&final, view_sub(rest, at + 1, rest.len));
        step = mech_exchange_step(&x, true, buf_view(&final));
    }
    if (step != MECH_MALFORMED && step != MECH_WRONG)
        abort();
    mech_exchange_deinit(&x);
    buf_free(&final);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view v = view_make(data, size);
    if (size > 2 * SCRAM_MESSAGE_MAX)
        return 0;
    check_parsers(v);
    check_stored(v);
    check_prepare(v);
    run_exchange("SCRAM-SHA-256", v);
    run_exchange("SCRAM-SHA-256-PLUS", v);
    run_exchange("SCRAM-SHA-1", v);
    return 0;
}
