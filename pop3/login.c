/*
 * The AUTHORIZATION state of POP3. A command is one line; the only state is the name given with USER and whether the next line
 * answers a challenge. An answer is put for every line, in order, so that pipelining works (RFC 2449 6.6).
 */
#include "pop3/login.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/text/text.h"
#include "pop3/login_capa.h"

enum stage { STAGE_COMMAND, STAGE_WAITING /* for auth or master */, STAGE_RESPONSE /* the next line answers a challenge */ };

struct pop3_login {
    enum stage stage;
    struct buf user; /* of USER */
    bool has_user;
    bool passing; /* what is being answered is PASS */
    bool utf8;    /* UTF8 was said (RFC 6856 2.1) */
};

static void put_line(struct login_conn *c, const char *text)
{
    struct buf *out = login_conn_out(c);

    buf_put_str(out, text);
    buf_put_str(out, "\r\n");
}

static void greet(struct login_conn *c, void *state)
{
    struct pop3_login *s = state;
    struct buf *out = login_conn_out(c);

    buf_init(&s->user, login_conn_settings(c)->login_line_max);
    buf_put_str(out, "+OK ");
    put_line(c, login_conn_settings(c)->greeting);
}

static void farewell(struct login_conn *c, void *state, const char *text)
{
    (void)state;
    buf_put_str(login_conn_out(c), "-ERR [SYS/TEMP] ");
    put_line(c, text);
    login_conn_close(c);
}

static void refuse(struct buf *out, const char *text)
{
    buf_put_str(out, "-ERR [SYS/TEMP] ");
    buf_put_str(out, text);
    buf_put_str(out, "\r\n");
}

static void bad(struct login_conn *c, const char *text)
{
    put_line(c, text);
    if (login_conn_bad_command(c)) {
        put_line(c, "-ERR Too many invalid commands.");
        login_conn_close(c);
    }
}

/* --- commands --------------------------------------------------------------------------------------------------------- */

/* The capabilities that depend on the connection, each ended by `end`. */
static void put_own_capabilities(struct login_conn *c, struct buf *out, const char *end)
{
    const struct set_login *set = login_conn_settings(c);
    const char *const *names;
    size_t n;

    if (login_conn_can_starttls(c)) {
        buf_put_str(out, "STLS");
        buf_put_str(out, end);
    }
    if (login_conn_may_password(c)) {
        buf_put_str(out, "USER");
        buf_put_str(out, end);
    }
    if (login_conn_may_auth(c)) {
        buf_put_str(out, "SASL");
        n = login_conn_mechanisms(c, &names);
        for (size_t i = 0; i < n; i++) {
            buf_put_byte(out, ' ');
            buf_put_str(out, names[i]);
        }
        buf_put_str(out, end);
    }
    if (set->pop3_login_delay > 0) {
        buf_put_fmt(out, "LOGIN-DELAY %llu", (unsigned long long)((set->pop3_login_delay + 999) / 1000));
        buf_put_str(out, end);
    }
}

static void cmd_capa(struct login_conn *c, struct pop3_login *s, struct view arg)
{
    (void)s;
    if (arg.len > 0) {
        bad(c, "-ERR CAPA takes no arguments.");
        return;
    }
    put_line(c, "+OK Capability list follows");
    pop3_put_capabilities(login_conn_out(c), login_conn_session_settings(c));
    put_own_capabilities(c, login_conn_out(c), "\r\n");
    put_line(c, ".");
}

/* RFC 6856 2.1. What it changes, the session after log-in sees to. */
static void cmd_utf8(struct login_conn *c, struct pop3_login *s, struct view arg)
{
    if (arg.len > 0) {
        bad(c, "-ERR UTF8 takes no arguments.");
        return;
    }
    s->utf8 = true;
    put_line(c, "+OK UTF-8 is welcome.");
}

static void cmd_lang(struct login_conn *c, struct pop3_login *s, struct view arg)
{
    (void)s;
    (void)pop3_put_language(login_conn_out(c), arg);
}

static void cmd_stls(struct login_conn *c, struct pop3_login *s, struct view arg)
{
    if (arg.len > 0) {
        bad(c, "-ERR STLS takes no arguments.");
    } else if (s->utf8) {
        bad(c, "-ERR STLS comes before UTF8.");
    } else if (login_conn_tls(c)) {
        bad(c, "-ERR TLS is active already.");
    } else if (!login_conn_can_starttls(c)) {
        bad(c, "-ERR TLS is not available here.");
    } else {
        put_line(c, "+OK Begin TLS negotiation now.");
        login_conn_starttls(c);
    }
}

static void cmd_quit(struct login_conn *c, struct pop3_login *s, struct view arg)
{
    (void)s;
    (void)arg;
    put_line(c, "+OK Logging out.");
    login_conn_close(c);
}

static const char privacy_required[] = "-ERR [AUTH] Log-in is refused without TLS.";

static void cmd_user(struct login_conn *c, struct pop3_login *s, struct view arg)
{
    if (!login_conn_may_auth(c)) {
        put_line(c, privacy_required);
        return;
    }
    if (arg.len == 0) {
        bad(c, "-ERR USER takes a name.");
        return;
    }
    buf_reset(&s->user);
    buf_put_view(&s->user, arg);
    s->has_user = true;
    put_line(c, "+OK");
}

/* RFC 1939 7: the whole rest of the line is the password, blanks included. */
static void cmd_pass(struct login_conn *c, struct pop3_login *s, struct view arg)
{
    struct buf initial;
    struct view v;

    if (!login_conn_may_auth(c)) {
        put_line(c, privacy_required);
        return;
    }
    if (!s->has_user) {
        bad(c, "-ERR USER comes first.");
        return;
    }
    buf_init_secret(&initial, PROTO_SASL_MAX);
    buf_put_byte(&initial, 0);
    buf_put_view(&initial, buf_view(&s->user));
    buf_put_byte(&initial, 0);
    buf_put_view(&initial, arg);
    s->has_user = false;
    s->passing = true;
    s->stage = STAGE_WAITING;
    v = buf_view(&initial);
    login_conn_auth(c, VIEW("PLAIN"), &v);
    buf_free(&initial);
}

/* RFC 5034: without an argument the mechanisms are listed (RFC 1734's habit, which clients still have). */
static void list_mechanisms(struct login_conn *c)
{
    const char *const *names;
    size_t n = login_conn_mechanisms(c, &names);

    put_line(c, "+OK");
    for (size_t i = 0; i < n; i++)
        put_line(c, names[i]);
    put_line(c, ".");
}

static void cmd_auth(struct login_conn *c, struct pop3_login *s, struct view arg)
{
    size_t blank = view_find(arg, ' ');
    struct view mechanism = view_sub(arg, 0, blank), encoded = view_sub(arg, blank + 1, arg.len), v;
    struct buf initial;
    char upper[32];
    bool has_initial = blank < arg.len;

    if (!login_conn_may_auth(c)) {
        put_line(c, privacy_required);
        return;
    }
    if (arg.len == 0) {
        list_mechanisms(c);
        return;
    }
    buf_init_secret(&initial, PROTO_SASL_MAX);
    if (mechanism.len > sizeof(upper) ||
        (has_initial && !view_eq(encoded, VIEW("=")) && (encoded.len == 0 || base64_decode(&initial, encoded) != 0))) {
        bad(c, "-ERR Invalid AUTH arguments.");
    } else {
        for (size_t i = 0; i < mechanism.len; i++)
            upper[i] = (char)ascii_upper(mechanism.ptr[i]);
        s->passing = false;
        s->stage = STAGE_WAITING;
        v = buf_view(&initial);
        login_conn_auth(c, view_make(upper, mechanism.len), has_initial ? &v : NULL);
    }
    buf_free(&initial);
}

typedef void command_fn(struct login_conn *c, struct pop3_login *s, struct view arg);
static const struct command {
    const char *name;
    command_fn *run;
} commands[] = {
    {"CAPA", cmd_capa}, {"STLS", cmd_stls}, {"QUIT", cmd_quit}, {"USER", cmd_user},
    {"PASS", cmd_pass}, {"AUTH", cmd_auth}, {"UTF8", cmd_utf8}, {"LANG", cmd_lang},
};

/* --- lines ------------------------------------------------------------------------------------------------------------- */

static void run_command(struct login_conn *c, struct pop3_login *s, struct view line)
{
    size_t blank = view_find(line, ' ');
    struct view name = view_sub(line, 0, blank), arg = view_sub(line, blank + 1, line.len);

    if (memchr(line.ptr, 0, line.len) != NULL) {
        bad(c, "-ERR Invalid characters in the command.");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (view_eq_nocase(view_str(commands[i].name), name)) {
            commands[i].run(c, s, arg);
            return;
        }
    }
    bad(c, "-ERR Unknown command, or not before log-in.");
}

static void run_response(struct login_conn *c, struct pop3_login *s, struct view line)
{
    struct buf response;

    buf_init_secret(&response, PROTO_SASL_MAX);
    s->stage = STAGE_WAITING;
    if (view_eq(line, VIEW("*")) || base64_decode(&response, line) != 0)
        login_conn_auth_cancel(c);
    else
        login_conn_auth_respond(c, buf_view(&response));
    buf_free(&response);
}

static void input(struct login_conn *c, void *state)
{
    struct pop3_login *s = state;
    struct view in = login_conn_input(c), line;
    size_t eol = view_find(in, '\n');

    if (s->stage == STAGE_WAITING)
        return;
    if (eol == in.len) {
        if (login_conn_input_full(c)) { /* nothing that is better later: no [SYS/TEMP] */
            put_line(c, "-ERR The line is too long.");
            login_conn_close(c);
        }
        return;
    }
    line = view_sub(in, 0, eol > 0 && in.ptr[eol - 1] == '\r' ? eol - 1 : eol);
    if (s->stage == STAGE_RESPONSE)
        run_response(c, s, line);
    else
        run_command(c, s, line);
    login_conn_consume(c, eol + 1);
}

/* --- answers ----------------------------------------------------------------------------------------------------------- */

static void tls_done(struct login_conn *c, void *state)
{
    struct pop3_login *s = state;

    (void)c;
    buf_reset(&s->user);
    s->has_user = false;
    s->stage = STAGE_COMMAND;
}

static void challenge(struct login_conn *c, void *state, struct view data)
{
    struct pop3_login *s = state;
    struct buf *out = login_conn_out(c);

    buf_put_str(out, "+ ");
    base64_encode(out, data);
    buf_put_str(out, "\r\n");
    s->stage = STAGE_RESPONSE;
}

static void auth_failed(struct login_conn *c, void *state, enum auth_fail code, struct view text)
{
    struct pop3_login *s = state;

    (void)text;
    s->stage = STAGE_COMMAND;
    switch (code) {
    case AUTH_FAIL_TEMPORARY:
        put_line(c, "-ERR [SYS/TEMP] Temporary authentication failure, please try again later.");
        break;
    case AUTH_FAIL_DISABLED:
        put_line(c, "-ERR [AUTH] This account is disabled or has expired.");
        break;
    case AUTH_FAIL_MECHANISM:
        put_line(c, "-ERR Unsupported authentication mechanism.");
        break;
    case AUTH_FAIL_MALFORMED: /* RFC 3206 5: of USER and PASS, a name that nobody can have */
        put_line(c, s->passing ? "-ERR [AUTH] Authentication failed." : "-ERR Invalid authentication data.");
        break;
    case AUTH_FAIL_CANCELLED:
        put_line(c, "-ERR Authentication cancelled.");
        break;
    case AUTH_FAIL_CREDENTIALS:
        put_line(c, "-ERR [AUTH] Authentication failed.");
        break;
    case AUTH_FAIL_LIMIT:
        put_line(c, "-ERR [AUTH] Authentication failed, too many failed log-ins.");
        login_conn_close(c);
        break;
    }
}

static void auth_passed(struct login_conn *c, void *state, struct view final)
{
    struct pop3_login *s = state;
    struct buf tag;

    buf_init(&tag, PROTO_TAG_MAX);
    if (s->utf8)
        buf_put_str(&tag, POP3_TAG_UTF8 ";");
    put_own_capabilities(c, &tag, ";");
    if (!buf_ok(&tag)) /* too many mechanisms for it: they are not announced again */
        buf_reset(&tag);
    login_conn_take(c, buf_view(&tag), final);
    buf_free(&tag);
}

static void take_failed(struct login_conn *c, void *state, enum take_fail code, struct view text)
{
    struct buf *out = login_conn_out(c);

    (void)state;
    buf_put_str(out, code == TAKE_FAIL_LIMIT ? "-ERR [IN-USE] " : "-ERR [SYS/TEMP] ");
    buf_put_view(out, text);
    buf_put_str(out, "\r\n");
    login_conn_close(c);
}

static void deinit(void *state)
{
    struct pop3_login *s = state;

    buf_free(&s->user);
}

const struct login_protocol pop3_login_protocol = {
    .proc_name = "pop3-login",
    .id = PROTO_POP3,
    .state_size = sizeof(struct pop3_login),
    .greet = greet,
    .input = input,
    .tls_done = tls_done,
    .challenge = challenge,
    .auth_failed = auth_failed,
    .auth_passed = auth_passed,
    .take_failed = take_failed,
    .farewell = farewell,
    .deinit = deinit,
    .refuse = refuse,
};
