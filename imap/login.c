/*
 * The commands of a client that has not logged in. The state is small: the tag of the command that waits for auth, and whether
 * the next line belongs to an AUTHENTICATE exchange. Everything that a client may say is bounded by the input buffer of
 * common/login.
 */
#include "imap/login.h"

#include "common/base/mem.h"
#include "common/login/capabilities.h"
#include "common/text/text.h"
#include "imap/login_language.h"
#include "imap/login_parse.h"

#define ID_FIELDS_MAX 30

enum stage { STAGE_COMMAND, STAGE_WAITING /* for auth or master */, STAGE_RESPONSE /* the next line answers a challenge */ };

struct imap_login {
    enum stage stage;
    size_t prompted; /* octets of the input whose literals were prompted for */
    struct buf tag;  /* of the command under way */
    bool said_bye;
};

static void put_tagged(struct login_conn *c, struct view tag, const char *text)
{
    struct buf *out = login_conn_out(c);

    buf_put_view(out, tag);
    buf_put_byte(out, ' ');
    buf_put_str(out, text);
    buf_put_str(out, "\r\n");
}

/* What the session after log-in speaks too. */
static const char *const announced[] = {"IMAP4rev2", "LITERAL+", "LITERAL-", "ID", "ENABLE", "IDLE", "LANGUAGE"};

static bool is_disabled(struct login_conn *c, const char *name)
{
    return capability_is_disabled(login_conn_session_settings(c), login_conn_peer(c), NULL, name);
}

static bool literal_minus(struct login_conn *c)
{
    return login_conn_session_settings(c)->imap_literal_minus;
}

static bool is_announced(struct login_conn *c, const char *name)
{
    if (strcmp(name, literal_minus(c) ? "LITERAL+" : "LITERAL-") == 0) /* never both (RFC 7888 5) */
        return false;
    return !is_disabled(c, name);
}

static void put_capabilities(struct login_conn *c)
{
    struct buf *out = login_conn_out(c);
    const char *const *names;
    size_t n;

    buf_put_str(out, "CAPABILITY IMAP4rev1 SASL-IR");
    for (size_t i = 0; i < ARRAY_LEN(announced); i++)
        if (is_announced(c, announced[i])) {
            buf_put_byte(out, ' ');
            buf_put_str(out, announced[i]);
        }
    if (login_conn_can_starttls(c))
        buf_put_str(out, " STARTTLS");
    if (!login_conn_may_password(c))
        buf_put_str(out, " LOGINDISABLED");
    n = login_conn_mechanisms(c, &names);
    for (size_t i = 0; i < n; i++) {
        buf_put_str(out, " AUTH=");
        buf_put_str(out, names[i]);
    }
}

static void greet(struct login_conn *c, void *state)
{
    struct buf *out = login_conn_out(c);
    struct imap_login *s = state;

    buf_init(&s->tag, PROTO_TAG_MAX);
    buf_put_str(out, "* OK [");
    put_capabilities(c);
    buf_put_str(out, "] ");
    buf_put_str(out, login_conn_settings(c)->greeting);
    buf_put_str(out, "\r\n");
}

static void bye(struct login_conn *c, struct imap_login *s, const char *text)
{
    struct buf *out = login_conn_out(c);

    if (!s->said_bye) {
        buf_put_str(out, "* BYE ");
        buf_put_str(out, text);
        buf_put_str(out, "\r\n");
    }
    s->said_bye = true;
    login_conn_close(c);
}

static void farewell(struct login_conn *c, void *state, const char *text)
{
    bye(c, state, text);
}

static void refuse(struct buf *out, const char *text)
{
    buf_put_str(out, "* BYE [UNAVAILABLE] ");
    buf_put_str(out, text);
    buf_put_str(out, "\r\n");
}

/* A command that is not one, or not with these arguments. */
static void bad(struct login_conn *c, struct imap_login *s, struct view tag, const char *text)
{
    put_tagged(c, tag.len > 0 ? tag : VIEW("*"), text);
    if (login_conn_bad_command(c))
        bye(c, s, "Too many invalid commands.");
}

/* --- commands ------------------------------------------------------------------------------------------------------- */

static void cmd_capability(struct login_conn *c, struct imap_login *s, struct view tag, struct cursor *args)
{
    struct buf *out = login_conn_out(c);

    if (!cursor_done(args)) {
        bad(c, s, tag, "BAD CAPABILITY takes no arguments.");
        return;
    }
    buf_put_str(out, "* ");
    put_capabilities(c);
    buf_put_str(out, "\r\n");
    put_tagged(c, tag, "OK Capability completed.");
}

static void cmd_noop(struct login_conn *c, struct imap_login *s, struct view tag, struct cursor *args)
{
    if (cursor_done(args))
        put_tagged(c, tag, "OK Nothing done.");
    else
        bad(c, s, tag, "BAD NOOP takes no arguments.");
}

static void cmd_logout(struct login_conn *c, struct imap_login *s, struct view tag, struct cursor *args)
{
    if (!cursor_done(args)) {
        bad(c, s, tag, "BAD LOGOUT takes no arguments.");
        return;
    }
    buf_put_str(login_conn_out(c), "* BYE Logging out.\r\n");
    s->said_bye = true;
    put_tagged(c, tag, "OK Logout completed.");
    login_conn_close(c);
}

/* RFC 2971 3.1: NIL or a list of at most 30 field-value pairs. Only checked; nothing a client says of itself is believed. */
static void skip_id_list(struct cursor *args)
{
    struct buf field;
    unsigned n = 0;

    if (cursor_take_nocase(args, VIEW("NIL")))
        return;
    cursor_expect(args, '(');
    while (!args->failed && cursor_peek(args) != ')') {
        if (n++ > 0)
            cursor_expect(args, ' ');
        if (n > ID_FIELDS_MAX || (cursor_peek(args) != '"' && cursor_peek(args) != '{'))
            cursor_fail(args);
        buf_init(&field, cursor_left(args));
        login_take_astring(args, &field);
        buf_free(&field);
        cursor_expect(args, ' ');
        login_skip_nstring(args);
    }
    cursor_expect(args, ')');
}

static void put_quoted(struct buf *out, struct view v)
{
    buf_put_byte(out, '"');
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == '"' || v.ptr[i] == '\\')
            buf_put_byte(out, '\\');
        buf_put_byte(out, v.ptr[i]);
    }
    buf_put_byte(out, '"');
}

static void put_id(struct buf *out, const struct conf_list *fields)
{
    if (fields->n == 0) {
        buf_put_str(out, "* ID NIL\r\n");
        return;
    }
    buf_put_str(out, "* ID (");
    for (size_t i = 0; i < fields->n; i++) {
        struct view field = view_str(fields->items[i]);
        size_t eq = view_find(field, '=');

        if (i > 0)
            buf_put_byte(out, ' ');
        put_quoted(out, view_sub(field, 0, eq));
        buf_put_byte(out, ' ');
        put_quoted(out, view_sub(field, eq + 1, field.len));
    }
    buf_put_str(out, ")\r\n");
}

static void cmd_id(struct login_conn *c, struct imap_login *s, struct view tag, struct cursor *args)
{
    cursor_expect(args, ' ');
    skip_id_list(args);
    if (!cursor_done(args)) {
        bad(c, s, tag, "BAD ID takes NIL or a list of at most 30 pairs of strings.");
        return;
    }
    put_id(login_conn_out(c), &login_conn_session_settings(c)->imap_id);
    put_tagged(c, tag, "OK ID completed.");
}

/* RFC 5255 3.2; NAMESPACE is not there yet. */
static void cmd_language(struct login_conn *c, struct imap_login *s, struct view tag, struct cursor *args)
{
    const char *language = NULL;
    unsigned n = 0;

    while (cursor_take(args, ' ') && !args->failed) {
        struct buf range;

        buf_init(&range, cursor_left(args) + 1);
        login_take_astring(args, &range);
        if (++n > IMAP_LANGUAGE_RANGES_MAX || !imap_language_valid(buf_view(&range)))
            cursor_fail(args);
        else if (language == NULL)
            language = imap_language_find(buf_view(&range));
        buf_free(&range);
    }
    if (!cursor_done(args)) {
        bad(c, s, tag, "BAD LANGUAGE takes languages.");
        return;
    }
    if (n > 0 && language == NULL) {
        put_tagged(c, tag, "NO This language is not spoken here.");
        return;
    }
    buf_put_str(login_conn_out(c), "* LANGUAGE (");
    buf_put_str(login_conn_out(c), n == 0 ? IMAP_LANGUAGES : language);
    buf_put_str(login_conn_out(c), ")\r\n");
    put_tagged(c, tag, "OK LANGUAGE completed.");
}

static void cmd_starttls(struct login_conn *c, struct imap_login *s, struct view tag, struct cursor *args)
{
    if (!cursor_done(args)) {
        bad(c, s, tag, "BAD STARTTLS takes no arguments.");
    } else if (login_conn_tls(c)) {
        bad(c, s, tag, "BAD TLS is active already.");
    } else if (!login_conn_can_starttls(c)) {
        bad(c, s, tag, "BAD TLS is not available here.");
    } else {
        put_tagged(c, tag, "OK Begin TLS negotiation now.");
        login_conn_starttls(c);
    }
}

/* The tag outlives its line: the answer comes when auth and the worker have spoken. */
static void keep_tag(struct imap_login *s, struct view tag)
{
    buf_reset(&s->tag);
    buf_put_view(&s->tag, tag);
}

static const char privacy_required[] = "NO [PRIVACYREQUIRED] Log-in is refused without TLS.";

static void cmd_login(struct login_conn *c, struct imap_login *s, struct view tag, struct cursor *args)
{
    struct buf user, password, initial;
    struct view v;

    if (!login_conn_may_auth(c)) {
        put_tagged(c, tag, privacy_required);
        return;
    }
    buf_init_secret(&user, cursor_left(args) + 1);
    buf_init_secret(&password, cursor_left(args) + 1);
    buf_init_secret(&initial, PROTO_SASL_MAX);
    cursor_expect(args, ' ');
    login_take_astring(args, &user);
    cursor_expect(args, ' ');
    login_take_astring(args, &password);
    if (!cursor_done(args)) {
        bad(c, s, tag, "BAD LOGIN takes a user name and a password.");
    } else {
        /* RFC 4616: authzid NUL authcid NUL passwd */
        buf_put_byte(&initial, 0);
        buf_put_view(&initial, buf_view(&user));
        buf_put_byte(&initial, 0);
        buf_put_view(&initial, buf_view(&password));
        keep_tag(s, tag);
        s->stage = STAGE_WAITING;
        v = buf_view(&initial);
        login_conn_auth(c, VIEW("PLAIN"), &v);
    }
    buf_free(&user);
    buf_free(&password);
    buf_free(&initial);
}

/* RFC 4959: an initial response follows the mechanism; "=" is an empty one. */
static void cmd_authenticate(struct login_conn *c, struct imap_login *s, struct view tag, struct cursor *args)
{
    struct view mechanism, encoded, v;
    struct buf initial;
    bool has_initial, good = true;

    if (!login_conn_may_auth(c)) {
        put_tagged(c, tag, privacy_required);
        return;
    }
    cursor_expect(args, ' ');
    mechanism = login_take_atom(args);
    has_initial = cursor_take(args, ' ');
    encoded = cursor_bytes(args, cursor_left(args));
    buf_init_secret(&initial, PROTO_SASL_MAX);
    if (has_initial && !view_eq(encoded, VIEW("=")))
        good = encoded.len > 0 && base64_decode(&initial, encoded) == 0;
    if (!cursor_done(args) || mechanism.len > 32 || !good) {
        bad(c, s, tag, "BAD Invalid AUTHENTICATE arguments.");
    } else {
        char upper[32];

        for (size_t i = 0; i < mechanism.len; i++)
            upper[i] = (char)ascii_upper(mechanism.ptr[i]);
        keep_tag(s, tag);
        s->stage = STAGE_WAITING;
        v = buf_view(&initial);
        login_conn_auth(c, view_make(upper, mechanism.len), has_initial ? &v : NULL);
    }
    buf_free(&initial);
}

typedef void command_fn(struct login_conn *c, struct imap_login *s, struct view tag, struct cursor *args);
struct command {
    const char *name;
    command_fn *run;
    bool password; /* not even prompted for without protection */
};
static const struct command commands[] = {
    {"CAPABILITY", cmd_capability, false},
    {"NOOP", cmd_noop, false},
    {"LOGOUT", cmd_logout, false},
    {"ID", cmd_id, false},
    {"LANGUAGE", cmd_language, false},
    {"STARTTLS", cmd_starttls, false},
    {"LOGIN", cmd_login, true},
    {"AUTHENTICATE", cmd_authenticate, true},
};

static const struct command *command_find(struct view name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (view_eq_nocase(view_str(commands[i].name), name))
            return &commands[i];
    }
    return NULL;
}

/* --- lines ------------------------------------------------------------------------------------------------------------ */

static struct view without_line_end(struct view line)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\n')
        line.len--;
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static void run_command(struct login_conn *c, struct imap_login *s, struct view frame)
{
    struct cursor cur = cursor_make(without_line_end(frame));
    const struct command *command;
    struct view tag = login_take_tag(&cur);
    struct view name;

    if (tag.len > PROTO_TAG_MAX) {
        bad(c, s, VIEW("*"), "BAD The tag is too long.");
        return;
    }
    cursor_expect(&cur, ' ');
    name = login_take_atom(&cur);
    if (cur.failed) {
        bad(c, s, tag, "BAD This is not an IMAP command.");
        return;
    }
    command = command_find(name);
    if (command == NULL || is_disabled(c, command->name))
        bad(c, s, tag, "BAD Unknown command, or not before log-in.");
    else
        command->run(c, s, tag, &cur);
}

/* The command whose literal is announced is refused without the literal being read (RFC 9051 6.2.3: no password in clear). */
static bool refuse_early(struct login_conn *c, struct view line)
{
    struct cursor cur = cursor_make(without_line_end(line));
    const struct command *command;
    struct view tag = login_take_tag(&cur);
    struct view name;

    cursor_expect(&cur, ' ');
    name = login_take_atom(&cur);
    command = cur.failed ? NULL : command_find(name);
    if (command == NULL || !command->password || login_conn_may_auth(c))
        return false;
    put_tagged(c, tag, privacy_required);
    return true;
}

static void too_big(struct login_conn *c, struct imap_login *s, struct view line, bool client_sends)
{
    struct cursor cur = cursor_make(line);
    struct view tag = login_take_tag(&cur);

    bad(c, s, view_sub(tag, 0, PROTO_TAG_MAX), "BAD [TOOBIG] The literal is too long.");
    if (client_sends)
        bye(c, s, "The literal that follows cannot be skipped.");
}

static void input_command(struct login_conn *c, struct imap_login *s, struct view in)
{
    struct frame frame = {0};
    size_t max = login_conn_settings(c)->login_line_max, plus_max = literal_minus(c) ? LOGIN_LITERAL_MINUS_MAX : max;

    switch (login_frame(in, s->prompted, max, plus_max, &frame)) {
    case FRAME_MORE:
        if (login_conn_input_full(c))
            bye(c, s, "The command line is too long.");
        return;
    case FRAME_PROMPT:
        if (!refuse_early(c, view_sub(in, 0, frame.len))) {
            s->prompted = frame.len;
            buf_put_str(login_conn_out(c), "+ OK\r\n");
            return;
        }
        break;
    case FRAME_WHOLE:
        run_command(c, s, view_sub(in, 0, frame.len));
        break;
    case FRAME_TOO_BIG:
        too_big(c, s, view_sub(in, 0, frame.len), frame.client_sends);
        break;
    case FRAME_BAD:
        bad(c, s, VIEW("*"), "BAD Invalid characters or literal in the command.");
        break;
    }
    s->prompted = 0;
    login_conn_consume(c, frame.len);
}

/* RFC 9051 6.2.2: a line of base64, or "*" to give up. */
static void input_response(struct login_conn *c, struct imap_login *s, struct view in)
{
    size_t eol = view_find(in, '\n');
    struct view line = without_line_end(view_sub(in, 0, eol));
    struct buf response;

    if (eol == in.len) {
        if (login_conn_input_full(c))
            bye(c, s, "The response is too long.");
        return;
    }
    buf_init_secret(&response, PROTO_SASL_MAX);
    s->stage = STAGE_WAITING;
    if (view_eq(line, VIEW("*")) || base64_decode(&response, line) != 0)
        login_conn_auth_cancel(c);
    else
        login_conn_auth_respond(c, buf_view(&response));
    buf_free(&response);
    login_conn_consume(c, eol + 1);
}

static void input(struct login_conn *c, void *state)
{
    struct imap_login *s = state;
    struct view in = login_conn_input(c);

    if (in.len == 0 || s->stage == STAGE_WAITING)
        return;
    if (s->stage == STAGE_RESPONSE)
        input_response(c, s, in);
    else
        input_command(c, s, in);
}

/* --- answers ---------------------------------------------------------------------------------------------------------- */

static void tls_done(struct login_conn *c, void *state)
{
    struct imap_login *s = state;

    (void)c;
    s->prompted = 0;
    s->stage = STAGE_COMMAND;
}

static void challenge(struct login_conn *c, void *state, struct view data)
{
    struct imap_login *s = state;
    struct buf *out = login_conn_out(c);

    buf_put_str(out, "+ ");
    base64_encode(out, data);
    buf_put_str(out, "\r\n");
    s->stage = STAGE_RESPONSE;
}

static void auth_failed(struct login_conn *c, void *state, enum auth_fail code, struct view text)
{
    struct imap_login *s = state;

    (void)text;
    s->stage = STAGE_COMMAND;
    switch (code) {
    case AUTH_FAIL_TEMPORARY:
        put_tagged(c, buf_view(&s->tag), "NO [UNAVAILABLE] Temporary authentication failure, please try again later.");
        break;
    case AUTH_FAIL_DISABLED:
        put_tagged(c, buf_view(&s->tag), "NO [EXPIRED] This account is disabled or has expired.");
        break;
    case AUTH_FAIL_MECHANISM:
        put_tagged(c, buf_view(&s->tag), "NO [CANNOT] Unsupported authentication mechanism.");
        break;
    case AUTH_FAIL_MALFORMED:
        put_tagged(c, buf_view(&s->tag), "BAD Invalid authentication data.");
        break;
    case AUTH_FAIL_CANCELLED:
        put_tagged(c, buf_view(&s->tag), "BAD Authentication cancelled.");
        break;
    case AUTH_FAIL_CREDENTIALS:
    case AUTH_FAIL_LIMIT:
        put_tagged(c, buf_view(&s->tag), "NO [AUTHENTICATIONFAILED] Authentication failed.");
        break;
    }
    if (code == AUTH_FAIL_LIMIT)
        bye(c, s, "Too many failed log-ins.");
}

static void auth_passed(struct login_conn *c, void *state, struct view final)
{
    struct imap_login *s = state;

    login_conn_take(c, buf_view(&s->tag), final);
}

static void take_failed(struct login_conn *c, void *state, enum take_fail code, struct view text)
{
    struct imap_login *s = state;
    struct buf *out = login_conn_out(c);

    buf_put_view(out, buf_view(&s->tag));
    buf_put_str(out, code == TAKE_FAIL_LIMIT ? " NO [LIMIT] " : " NO [UNAVAILABLE] ");
    buf_put_view(out, text);
    buf_put_str(out, "\r\n");
    bye(c, s, "The session could not be opened.");
}

static void deinit(void *state)
{
    struct imap_login *s = state;

    buf_free(&s->tag);
}

const struct login_protocol imap_login_protocol = {
    .proc_name = "imap-login",
    .id = PROTO_IMAP,
    .state_size = sizeof(struct imap_login),
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
