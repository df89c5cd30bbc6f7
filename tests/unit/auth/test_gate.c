/* Attempts under way: few of one address at once, in their order, and nobody waits for who has left. */
#include "tests/unit/auth/world.h"

#include "auth/gate.h"
#include <sodium.h>

struct visitor {
    struct gate_place place;
    unsigned calls;
};

static void on_call(void *arg)
{
    ((struct visitor *)arg)->calls++;
}

static bool enters(struct gate *g, struct visitor *v, const struct penalty_source *sources, size_t n)
{
    v->place.call = on_call;
    v->place.arg = v;
    return gate_enter(g, sources, n, &v->place);
}

static void test_order(void **state)
{
    struct penalty_source one = {7, 2};
    struct visitor v[6] = {0};
    struct gate *g = gate_new();
    (void)state;
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(enters(g, &v[i], &one, 1), i < 2);
    gate_leave(g, &v[0].place);
    assert_int_equal(v[2].calls, 1);
    /* Who comes now does not get before who was called. */
    assert_false(enters(g, &v[0], &one, 1));
    assert_true(enters(g, &v[2], &one, 1));
    /* Called, and again when it was in vain. */
    assert_int_equal(v[3].calls, 1);
    assert_false(enters(g, &v[3], &one, 1));
    gate_leave(g, &v[1].place);
    assert_int_equal(v[3].calls, 2);
    /* It goes instead of coming: the next one is called. */
    gate_leave(g, &v[3].place);
    assert_int_equal(v[4].calls, 1);
    /* No room any more: there are turns now, and nobody waits here. */
    one.room = 0;
    assert_true(enters(g, &v[4], &one, 1));
    assert_int_equal(v[5].calls, 1);
    assert_true(enters(g, &v[5], &one, 1));
    assert_int_equal(v[0].calls, 1);
    for (size_t i = 0; i < 6; i++)
        gate_leave(g, &v[i].place);
    gate_free(&g);
}

/* An IPv6 address has two sources: the one that is full is waited for, then the other. */
static void test_two_sources(void **state)
{
    const struct penalty_source a[2] = {{1, 1}, {9, 2}}, b[2] = {{2, 1}, {9, 2}}, c[2] = {{3, 1}, {9, 2}};
    struct visitor v[5] = {0};
    struct gate *g = gate_new();
    (void)state;
    assert_true(enters(g, &v[0], a, 2));
    assert_false(enters(g, &v[1], a, 2));
    assert_true(enters(g, &v[2], b, 2));
    assert_false(enters(g, &v[3], c, 2));
    assert_true(enters(g, &v[4], NULL, 0));
    gate_leave(g, &v[0].place);
    assert_int_equal(v[1].calls, 1);
    assert_int_equal(v[3].calls, 1);
    assert_true(enters(g, &v[3], c, 2));
    assert_false(enters(g, &v[1], a, 2)); /* waits for the other source now */
    gate_leave(g, &v[2].place);
    assert_int_equal(v[1].calls, 2);
    assert_true(enters(g, &v[1], a, 2));
    for (size_t i = 0; i < 5; i++)
        gate_leave(g, &v[i].place);
    gate_free(&g);
}

static void test_many(void **state)
{
    static struct visitor v[2000];
    static bool inside[2000];
    struct gate *g = gate_new();
    unsigned n[20] = {0};
    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        unsigned k = randombytes_uniform(2000);
        const struct penalty_source source = {k % 20 + 1, 1 + k % 20 / 4};
        if (inside[k] || randombytes_uniform(3) == 0) {
            n[k % 20] -= inside[k];
            inside[k] = false;
            gate_leave(g, &v[k].place);
        } else if (enters(g, &v[k], &source, 1)) {
            inside[k] = true;
            assert_true(++n[k % 20] <= source.room);
        }
    }
    for (unsigned k = 0; k < 2000; k++)
        gate_leave(g, &v[k].place);
    gate_free(&g);
}

/* --- in the server ------------------------------------------------------------------------------------------------------- */

#define GUESSERS 40
#define SLOW_CONF FILE_CONF "auth_helpers_max = 30\nauth_helper_timeout = 20s\n"

static struct conn *guesser(enum proto_protocol protocol, uint8_t last)
{
    struct conn *c = xcalloc(1, sizeof(*c));
    c->id = ++w.next_id;
    struct msg_conn msg = conn_msg(c, protocol);
    msg.peer.ip[3] = last;
    conn_open(c, &msg);
    return c;
}

static unsigned count(struct conn *const *c, enum ipc_kind kind, enum auth_fail fail)
{
    unsigned n = 0;
    for (size_t i = 0; i < GUESSERS; i++)
        n += c[i]->last == kind && (kind != IPC_AUTH_FAIL || c[i]->fail == fail);
    return n;
}

/* Guesses that are all there before the first has failed. */
static void test_guesses_at_once(void **state)
{
    struct conn *c[GUESSERS], *other;
    char text[32];
    (void)state;
    world_new(SLOW_CONF, "alice:" SLOW_HASH "\n", ROLE_LOGIN);
    w.mode = MODE_HANG;
    for (unsigned i = 0; i < GUESSERS; i++) {
        c[i] = guesser(PROTO_IMAP, 1);
        struct view message = view_make(text, (size_t)snprintf(text, sizeof(text), "_alice_guess %u", i));
        text[0] = text[6] = '\0';
        send_auth(c[i], "PLAIN", true, &message);
    }
    turns(20);
    assert_int_equal(w.living, PENALTY_FREE);
    /* Another address does not wait for them. */
    w.mode = MODE_ANSWER;
    w.answer = (struct msg_helper_result){.result = HELPER_OK};
    other = guesser(PROTO_IMAP, 2);
    plain(other, BYTES("\0alice\0right"));
    assert_int_equal(other->last, IPC_AUTH_PASS);
    assert_int_equal(w.nhelpers, PENALTY_FREE + 1);
    /* They fail: one more is looked at, then there are turns. */
    for (unsigned i = 0; i < PENALTY_FREE; i++)
        helper_gone(&w.helpers[i]);
    w.answer = (struct msg_helper_result){.result = HELPER_WRONG};
    turns(300);
    assert_in_range(w.nhelpers, PENALTY_FREE + 1, 2 * PENALTY_FREE + 2);
    for (unsigned i = 0; i < GUESSERS; i++)
        conn_free(c[i]);
    conn_free(other);
    turns(20);
    world_free();
}

/* Right passwords of one address come in one after the other, and none is lost. */
static void test_log_ins_at_once(void **state)
{
    struct conn *c[GUESSERS];
    struct view right = BYTES("\0alice\0right");
    (void)state;
    world_new(SLOW_CONF, "alice:" SLOW_HASH "\n", ROLE_LOGIN);
    w.answer = (struct msg_helper_result){.result = HELPER_OK};
    for (unsigned i = 0; i < GUESSERS; i++) {
        c[i] = guesser(PROTO_IMAP, 1);
        send_auth(c[i], "PLAIN", true, &right);
    }
    conn_free(c[GUESSERS - 2]); /* gone while it waits */
    for (unsigned i = 0; i < GUESSERS; i++) {
        if (i != GUESSERS - 2)
            await(c[i], 1, 5000);
    }
    c[GUESSERS - 2] = c[0];
    assert_int_equal(count(c, IPC_AUTH_PASS, 0), GUESSERS);
    for (unsigned i = 0; i < GUESSERS; i++) {
        if (i != GUESSERS - 2)
            conn_free(c[i]);
    }
    world_free();
}

static unsigned in_state(enum conn_state state)
{
    unsigned n = 0;
    for (size_t i = 0; i < SERVER_CONN_BUCKETS; i++) {
        for (const struct auth_conn *c = w.server->conns[i]; c != NULL; c = c->next)
            n += c->state == state;
    }
    return n;
}

/* Exchanges with keys, all begun before the first proof is sent. */
static void test_proofs_at_once(void **state)
{
    struct conn *c[GUESSERS];
    struct view first = BYTES("n,,n=alice,r=abcdefghijklmnopqrstuv");
    char text[300];
    (void)state;
    world_new(FILE_CONF "auth_mechanisms = scram-sha-256\n", "alice:{PLAIN}pw\n", ROLE_LOGIN);
    for (unsigned i = 0; i < GUESSERS; i++) {
        c[i] = guesser(PROTO_IMAP, 1);
        send_auth(c[i], "SCRAM-SHA-256", true, &first);
        await(c[i], 1, 2000);
        assert_int_equal(c[i]->last, IPC_AUTH_CHALLENGE);
    }
    for (unsigned i = 0; i < GUESSERS; i++) {
        snprintf(text, sizeof(text), "c=biws,%.*s,p=%c%c%.41s=", (int)view_find(view_str(c[i]->data), ','), c[i]->data,
                 'A' + i % 26, 'A' + i / 26, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        send_response(c[i], view_str(text));
    }
    turns(20);
    /* The sixth took the first turn. */
    assert_int_equal(in_state(CONN_HOLDING) + count(c, IPC_AUTH_FAIL, AUTH_FAIL_CREDENTIALS), PENALTY_FREE + 1);
    assert_int_equal(in_state(CONN_WAITING), PENALTY_BACKLOG_MS / PENALTY_SPACE_MS);
    assert_int_equal(count(c, IPC_AUTH_FAIL, AUTH_FAIL_LIMIT),
                     GUESSERS - PENALTY_FREE - 1 - PENALTY_BACKLOG_MS / PENALTY_SPACE_MS);
    /* Its turn comes. */
    uint64_t end = loop_now(w.loop) + 10000;
    while (in_state(CONN_WAITING) == PENALTY_BACKLOG_MS / PENALTY_SPACE_MS && loop_now(w.loop) < end)
        assert_int_equal(loop_turn(w.loop, 20), 0);
    assert_int_equal(in_state(CONN_WAITING), PENALTY_BACKLOG_MS / PENALTY_SPACE_MS - 1);
    for (unsigned i = 0; i < GUESSERS; i++)
        conn_free(c[i]);
    world_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),           cmocka_unit_test(test_two_sources),     cmocka_unit_test(test_many),
        cmocka_unit_test(test_guesses_at_once), cmocka_unit_test(test_log_ins_at_once), cmocka_unit_test(test_proofs_at_once),
    };
    return world_main(tests, ARRAY_LEN(tests));
}
