#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "master/grants.h"

#define NOW 1000000u

static struct msg_conn conn_msg(uint64_t id, enum proto_protocol p)
{
    return (struct msg_conn){.conn_id = id, .protocol = p, .peer = {.family = 4, .ip = {192, 0, 2, 1}, .port = 4000}};
}

static struct msg_grant grant_msg(uint64_t id, uint32_t rcpt, const char *name)
{
    return (struct msg_grant){
        .conn_id = id, .rcpt_id = rcpt, .user = {.name = view_str(name), .uid = 1000, .gid = 1000, .mail_path = VIEW("/m")}};
}

static struct conn *add(struct grants *g, uint64_t id, enum proto_protocol p)
{
    struct msg_conn m = conn_msg(id, p);
    struct conn *c = NULL;

    assert_int_equal(grants_conn_add(g, &m, p == PROTO_LMTP ? ROLE_LCONN : ROLE_CONN, NOW, &c), 0);
    return c;
}

static int grant(struct grants *g, uint64_t id, uint32_t rcpt, const char *name)
{
    struct msg_grant m = grant_msg(id, rcpt, name);

    return grants_add(g, &m, NOW);
}

static void test_take_once(void **state)
{
    struct grants *g = grants_new(10, 10);
    struct conn *c = add(g, 7, PROTO_IMAP);
    struct user *u;

    (void)state;
    assert_null(grants_take(g, c, 0, NOW));
    assert_int_equal(grant(g, 7, 0, "alice"), 0);
    u = grants_take(g, c, 0, NOW + 1);
    assert_non_null(u);
    assert_string_equal(u->name, "alice");
    user_free(&u);
    /* Replay: neither the same grant again, nor a second one for the same connection. */
    assert_null(grants_take(g, c, 0, NOW + 2));
    assert_int_equal(grant(g, 7, 0, "bob"), ERR_EXISTS);
    assert_null(grants_take(g, c, 0, NOW + 3));
    assert_int_equal(grants_count(g), 0);
    grants_free(&g);
}

static void test_expiry(void **state)
{
    struct grants *g = grants_new(10, 10);
    struct conn *a = add(g, 1, PROTO_IMAP), *b = add(g, 2, PROTO_POP3), *l = add(g, 3, PROTO_LMTP);
    struct user *u;

    (void)state;
    assert_int_equal(grant(g, 1, 0, "alice"), 0);
    assert_int_equal(grant(g, 2, 0, "bob"), 0);
    assert_int_equal(grant(g, 3, 1, "carol"), 0);
    assert_null(grants_take(g, a, 0, NOW + GRANT_LIFE_MS));
    assert_true(a->login_taken);
    assert_int_equal(grants_expire(g, NOW + GRANT_LIFE_MS - 1), 0);
    assert_int_equal(grants_expire(g, NOW + GRANT_LIFE_MS), 1);
    assert_null(grants_take(g, b, 0, NOW));
    assert_int_equal(grant(g, 2, 0, "bob"), ERR_EXISTS);
    /* A recipient's grant lives with its connection. */
    u = grants_take(g, l, 1, NOW + 100 * GRANT_LIFE_MS);
    assert_non_null(u);
    user_free(&u);
    grants_free(&g);
}

static void test_kinds(void **state)
{
    struct grants *g = grants_new(10, 10);
    struct conn *c = add(g, 1, PROTO_IMAP), *l = add(g, 2, PROTO_LMTP);
    struct msg_conn bad = conn_msg(3, PROTO_LMTP);
    struct conn *out = NULL;

    (void)state;
    assert_int_equal(grant(g, 1, 5, "alice"), ERR_DENIED);
    assert_int_equal(grant(g, 2, 0, "alice"), ERR_DENIED);
    assert_int_equal(grant(g, 99, 0, "alice"), ERR_NOTFOUND);
    assert_int_equal(grant(g, 2, 5, "alice"), 0);
    assert_int_equal(grant(g, 2, 5, "bob"), ERR_EXISTS);
    assert_null(grants_take(g, l, 6, NOW));
    assert_null(grants_take(g, c, 5, NOW));
    assert_int_equal(grants_conn_add(g, &bad, ROLE_CONN, NOW, &out), ERR_RANGE);
    bad.protocol = PROTO_IMAP;
    assert_int_equal(grants_conn_add(g, &bad, ROLE_LCONN, NOW, &out), ERR_RANGE);
    bad.conn_id = 0;
    assert_int_equal(grants_conn_add(g, &bad, ROLE_CONN, NOW, &out), ERR_RANGE);
    bad.conn_id = 1;
    assert_int_equal(grants_conn_add(g, &bad, ROLE_CONN, NOW, &out), ERR_EXISTS);
    assert_null(out);
    grants_free(&g);
}

static void test_bounds(void **state)
{
    struct grants *g = grants_new(2, 3);
    struct conn *l = add(g, 1, PROTO_LMTP), *c = add(g, 2, PROTO_IMAP);
    struct msg_conn m = conn_msg(3, PROTO_IMAP);
    struct conn *out = NULL;
    struct user *u;

    (void)state;
    assert_int_equal(grants_conn_add(g, &m, ROLE_CONN, NOW, &out), ERR_LIMIT);
    for (uint32_t i = 1; i <= 3; i++)
        assert_int_equal(grant(g, 1, i, "alice"), 0);
    assert_int_equal(grant(g, 1, 4, "alice"), ERR_LIMIT);
    u = grants_take(g, l, 2, NOW);
    user_free(&u);
    assert_int_equal(grant(g, 1, 4, "alice"), 0);
    assert_int_equal(grant(g, 2, 0, "alice"), 0);
    assert_true(c->login_granted);
    /* The end of a connection gives everything of it back, and its id may come again. */
    grants_conn_remove(g, &l);
    assert_null(l);
    assert_int_equal(grants_count(g), 1);
    assert_null(grants_conn_find(g, 1));
    (void)add(g, 1, PROTO_IMAP);
    assert_int_equal(grants_conn_count(g), 2);
    grants_free(&g);
}

static void test_proxied(void **state)
{
    struct grants *g = grants_new(10, 10);
    struct msg_conn m = conn_msg(1, PROTO_IMAP);
    struct msg_proxied p = {.peer = {.family = 4, .ip = {198, 51, 100, 9}}, .tls = true};
    struct conn *c = NULL, *d = add(g, 2, PROTO_IMAP);

    (void)state;
    m.proxy = true;
    assert_int_equal(grants_conn_add(g, &m, ROLE_CONN, NOW, &c), 0);
    assert_int_equal(grants_conn_proxied(d, &p), ERR_STATE);
    assert_int_equal(d->peer.ip[0], 192);
    assert_int_equal(grants_conn_proxied(c, &p), 0);
    assert_int_equal(c->peer.ip[0], 198);
    assert_true(c->proxy_tls);
    assert_int_equal(grants_conn_proxied(c, &p), ERR_STATE);
    grants_free(&g);
}

/* A connection that looks up recipients for ever holds a bounded number, the latest, and never keeps others from logging in. */
static void test_recipients_are_bounded(void **state)
{
    struct grants *g = grants_new(10, 2 * GRANTS_A_CONN);
    struct conn *greedy = add(g, 1, PROTO_LMTP), *second = add(g, 2, PROTO_LMTP), *third = add(g, 3, PROTO_LMTP);
    struct user *u;

    (void)state;
    for (uint32_t i = 1; i <= GRANTS_A_CONN + 5; i++)
        assert_int_equal(grant(g, 1, i, "alice"), 0);
    assert_int_equal(grants_count(g), GRANTS_A_CONN);
    assert_null(grants_take(g, greedy, 5, NOW));
    u = grants_take(g, greedy, 6, NOW);
    assert_non_null(u);
    user_free(&u);
    assert_int_equal(grant(g, 1, 99999, "alice"), 0);
    for (uint32_t i = 1; i <= GRANTS_A_CONN; i++)
        assert_int_equal(grant(g, 2, i, "alice"), 0);
    assert_int_equal(grant(g, 3, 1, "alice"), ERR_LIMIT);
    (void)add(g, 4, PROTO_IMAP);
    assert_int_equal(grant(g, 4, 0, "bob"), 0);
    grants_conn_remove(g, &greedy);
    assert_int_equal(grant(g, 3, 1, "alice"), 0);
    grants_conn_remove(g, &second);
    grants_conn_remove(g, &third);
    assert_int_equal(grants_count(g), 1);
    grants_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_once),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_recipients_are_bounded),
        cmocka_unit_test(test_proxied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
