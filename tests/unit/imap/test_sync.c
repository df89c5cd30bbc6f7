/*
 * Several sessions on one mailbox. A model of what each client knows (its number of messages) follows the untagged responses;
 * whatever the sessions do, the numbers must stay consistent with it, and after a NOOP all clients must know the same messages.
 */
#include "tests/unit/imap/imap_fixture.h"

#include "common/io/outq.h"
#include "storage/mailbox.h"

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

/* Sends up to so many octets, as a client takes them that reads slowly. */
static void take(struct client *c, size_t n)
{
    static uint8_t piece[4096];
    size_t got;

    while (n > 0) {
        assert_int_equal(outq_take(c->host.out, piece, MIN_OF(n, sizeof(piece)), &got), 0);
        assert_true(got > 0);
        buf_put(&c->out, piece, got);
        n -= got;
    }
}

/* What is pipelined behind the FETCH of a large message is done, in order, before the client has taken all of the message: as
 * soon as less than the high-water mark is left of it. */
static void test_behind_a_slow_reader(void **state)
{
    const size_t size = (size_t)4 * SESSION_OUT_HIGH;
    char *message = xmalloc(size + 1);
    struct mailbox_status st;
    struct client c;
    const char *got;

    client_open(&c, *state);
    c.in.max = size + 4096;
    memset(message, 'x', size);
    memcpy(message, "A: b\r\n\r\n", 8);
    message[size] = '\0';
    client_append(&c, "INBOX", message);
    free(message);
    client_send(&c, "s SELECT INBOX\r\n");
    client_received(&c);
    buf_put_str(&c.in, "a FETCH 1 BODY.PEEK[]\r\nb STORE 1 +FLAGS.SILENT (\\Seen)\r\nc FETCH 1 FLAGS\r\n");
    for (;;) {
        while (imap_session_run(c.session) == SESSION_AGAIN || account_has_pending(c.f->acc))
            assert_int_equal(account_commit(c.f->acc), 0);
        mailbox_status(account_find(c.f->acc, VIEW("INBOX")), &st);
        if (st.unseen == 0)
            break;
        assert_true(outq_len(c.host.out) > SESSION_OUT_HIGH); /* it waits for nothing but room */
        take(&c, 16384);
    }
    assert_true(outq_len(c.host.out) > SESSION_OUT_HIGH / 2); /* of the message */
    assert_true(buf_len(&c.out) < size);
    client_settle(&c);
    got = client_received(&c);
    assert_non_null(
        strstr(got, "x)\r\na OK FETCH completed\r\nb OK STORE completed\r\n* 1 FETCH (FLAGS (\\Seen \\Recent))\r\nc OK "));
    client_close(&c);
}

/* Searches that pass over messages by their flags, in pieces, from both ends. */
static void test_search_by_flags(void **state)
{
    struct client c;

    client_open(&c, *state);
    client_append(&c, "INBOX", MESSAGE_1);
    client_send(&c, "s SELECT INBOX\r\n");
    for (int i = 0; i < 14; i++)
        client_send(&c, "c COPY 1:* INBOX\r\nn NOOP\r\n");
    client_received(&c);
    EXPECT(&c, "a STORE 1,4096,4097,8192,8193,16384 +FLAGS.SILENT (\\Flagged)", "a OK STORE completed\r\n");
    EXPECT(&c, "b STORE 4097:8192 +FLAGS.SILENT (\\Seen)", "b OK STORE completed\r\n");
    EXPECT(&c, "d SEARCH FLAGGED", "* SEARCH 1 4096 4097 8192 8193 16384\r\nd OK SEARCH completed\r\n");
    EXPECT(&c, "e SEARCH FLAGGED UNSEEN", "* SEARCH 1 4096 8193 16384\r\ne OK SEARCH completed\r\n");
    EXPECT(&c, "f SEARCH FLAGGED UNFLAGGED", "* SEARCH\r\nf OK SEARCH completed\r\n");
    EXPECT(&c, "g SEARCH OR (FLAGGED SEEN) (FLAGGED 2:*) NOT SEEN", "* SEARCH 4096 8193 16384\r\ng OK SEARCH completed\r\n");
    EXPECT(&c, "h SEARCH NOT (FLAGGED UNSEEN) FLAGGED", "* SEARCH 4097 8192\r\nh OK SEARCH completed\r\n");
    EXPECT(&c, "i SEARCH RETURN (MAX) SEEN", "* ESEARCH (TAG \"i\") MAX 8192\r\ni OK SEARCH completed\r\n");
    EXPECT(&c, "j SEARCH RETURN (MIN) SEEN", "* ESEARCH (TAG \"j\") MIN 4097\r\nj OK SEARCH completed\r\n");
    EXPECT(&c, "k SEARCH RETURN (PARTIAL -4:-6) FLAGGED",
           "* ESEARCH (TAG \"k\") PARTIAL (-4:-6 1,4096:4097)\r\nk OK SEARCH completed\r\n");
    EXPECT(&c, "l SEARCH RETURN (COUNT) ANSWERED", "* ESEARCH (TAG \"l\") COUNT 0\r\nl OK SEARCH completed\r\n");
    client_send(&c, "m STORE 1:8191 +FLAGS.SILENT (\\Seen)\r\nn SELECT INBOX\r\n");
    expect_has_at(&c, "* OK [UNSEEN 8193] ", __FILE__, __LINE__);
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_numbers_stay_consistent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_back_pressure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_behind_a_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_search_by_flags, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
