/*
 * Several sessions on one mailbox. A model of what each client knows (its number of messages) follows the untagged responses;
 * whatever the sessions do, the numbers must stay consistent with it, and after a NOOP all clients must know the same messages.
 */
#include "tests/unit/imap/imap_fixture.h"

#include "common/io/outq.h"

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    fixture_open(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

#define CLIENTS 3
static struct client clients[CLIENTS];
static unsigned known[CLIENTS];

static uint32_t seed;
static unsigned pick(unsigned n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

/* Applies "* n EXPUNGE" and "* n EXISTS". */
static void follow(unsigned who, const char *text, bool may_expunge)
{
    for (const char *at = text; *at != '\0'; at = strchr(at, '\n') + 1) {
        unsigned n;
        char *end;

        if (strncmp(at, "* ", 2) != 0)
            continue;
        n = (unsigned)strtoul(at + 2, &end, 10);
        if (end == at + 2)
            continue;
        if (strncmp(end, " EXPUNGE\r\n", 10) == 0) {
            if (!may_expunge || n == 0 || n > known[who])
                fail_msg("client %u knows %u: %s", who, known[who], text);
            known[who]--;
        } else if (strncmp(end, " EXISTS\r\n", 9) == 0) {
            if (n < known[who])
                fail_msg("client %u knows %u: %s", who, known[who], text);
            known[who] = n;
        } else if (strncmp(end, " FETCH ", 7) == 0 && (n == 0 || n > known[who]))
            fail_msg("client %u knows %u: %s", who, known[who], text);
    }
}

static void act(unsigned who)
{
    struct client *c = &clients[who];
    unsigned n = known[who] == 0 ? 0 : pick(known[who]) + 1, op = pick(9);
    bool may_expunge = op >= 4;
    char cmd[200];

    if (n == 0 && op < 6)
        op = 8;
    switch (op) {
    case 0:
        snprintf(cmd, sizeof(cmd), "x STORE %u:%u +FLAGS (\\Deleted)\r\n", n, known[who]);
        break;
    case 1:
        snprintf(cmd, sizeof(cmd), "x STORE %u -FLAGS.SILENT (\\Deleted)\r\n", n);
        break;
    case 2:
        snprintf(cmd, sizeof(cmd), "x FETCH 1:%u (UID BODY[])\r\n", n);
        break;
    case 3:
        snprintf(cmd, sizeof(cmd), "x SEARCH DELETED\r\n");
        break;
    case 4:
        snprintf(cmd, sizeof(cmd), "x COPY %u INBOX\r\n", n);
        break;
    case 5:
        snprintf(cmd, sizeof(cmd), "x MOVE %u Trash\r\n", n);
        break;
    case 6:
        snprintf(cmd, sizeof(cmd), "x EXPUNGE\r\n");
        break;
    case 7:
        snprintf(cmd, sizeof(cmd), "x NOOP\r\n");
        break;
    default:
        snprintf(cmd, sizeof(cmd), "x APPEND INBOX {5+}\r\nA: b\n\r\n");
        may_expunge = true;
    }
    client_send(c, cmd);
    follow(who, client_received(c), may_expunge);
}

static char *uids_of(struct client *c)
{
    client_send(c, "u UID SEARCH ALL\r\n");
    return strdup(client_received(c));
}

static void test_numbers_stay_consistent(void **state)
{
    seed = 7;
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], *state);
        client_send(&clients[i], "s SELECT INBOX\r\n");
        known[i] = 0;
        follow(i, client_received(&clients[i]), false);
    }
    for (unsigned step = 0; step < 3000; step++) {
        act(pick(CLIENTS));
        if (step % 100 == 99) {
            char *first = NULL;

            for (unsigned i = 0; i < CLIENTS; i++) {
                char *uids;

                client_send(&clients[i], "n NOOP\r\n");
                follow(i, client_received(&clients[i]), true);
                uids = uids_of(&clients[i]);
                if (first != NULL) {
                    assert_string_equal(first, uids);
                    assert_int_equal(known[0], known[i]);
                    free(uids);
                } else
                    first = uids;
            }
            free(first);
        }
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        client_close(&clients[i]);
}

/* A client that does not read: the session stops producing soon after the high-water mark, and goes on where it was. */
static void test_back_pressure(void **state)
{
    char message[20001];
    struct client c;
    uint64_t highest = 0;
    size_t total;
    unsigned stops = 0;

    client_open(&c, *state);
    memset(message, 'x', 20000);
    memcpy(message, "A: b\r\n\r\n", 8);
    message[20000] = '\0';
    for (int i = 0; i < 100; i++)
        client_append(&c, "INBOX", message);
    client_send(&c, "s SELECT INBOX\r\n");
    client_received(&c);
    buf_put_str(&c.in, "f FETCH 1:* BODY[]\r\n");
    for (;;) {
        enum session_run run = imap_session_run(c.session);

        account_commit(c.f->acc);
        if (outq_len(c.host.out) > highest)
            highest = outq_len(c.host.out);
        if (run == SESSION_AGAIN)
            continue;
        if (outq_len(c.host.out) <= SESSION_OUT_HIGH && !c.woken)
            break;
        c.woken = false;
        stops++;
        assert_int_equal(outq_drain(c.host.out, &c.out), 0);
    }
    assert_int_equal(outq_drain(c.host.out, &c.out), 0);
    assert_true(highest < SESSION_OUT_HIGH + 100000);
    assert_true(stops >= 5);
    total = buf_len(&c.out);
    assert_true(total > 100 * 20000 && total < 100 * 20000 + 20000);
    assert_non_null(strstr(client_received(&c), "f OK FETCH completed\r\n"));
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_numbers_stay_consistent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_back_pressure, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
