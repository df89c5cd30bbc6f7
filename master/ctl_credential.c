/* culverctl app-password and culverctl totp. Secrets are made here and shown here: the server sees only what it must keep. */
#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/secret/app_password.h"
#include "common/secret/secret.h"
#include "common/secret/totp.h"
#include "common/text/text.h"
#include "master/ctl.h"

#define DAY 86400u
#define ISSUER "Culver"

static const struct {
    const char *word;
    uint8_t bit; /* of auth's enum creds_scope */
} scope_words[] = {{"imap", 1}, {"pop3", 2}, {"smtp", 4}};

/* "imap,smtp". 0: not understood. */
static uint8_t scopes_parse(const char *text)
{
    struct view rest = view_str(text);
    uint8_t scopes = 0;

    do {
        size_t n = view_find(rest, ','), k = 0;
        struct view word = view_sub(rest, 0, n);
        while (k < ARRAY_LEN(scope_words) && !view_eq_nocase(word, view_str(scope_words[k].word)))
            k++;
        if (k == ARRAY_LEN(scope_words))
            return 0;
        scopes |= scope_words[k].bit;
        rest = n < rest.len ? view_sub(rest, n + 1, rest.len) : view_make(NULL, 0);
    } while (rest.ptr != NULL);
    return scopes;
}

/* Days from now. 0: not understood. */
static uint64_t expiry_parse(const char *text)
{
    struct cursor c = cursor_make(view_str(text));
    uint64_t days = cursor_dec(&c, 1, 36500);

    return cursor_done(&c) ? (uint64_t)time(NULL) + days * DAY : 0;
}

static int add(const char *socket_path, const struct msg_credential *request)
{
    uint8_t bytes[APP_PASSWORD_BYTES], digest[APP_PASSWORD_DIGEST];
    struct msg_credential msg = *request;
    char text[APP_PASSWORD_TEXT];
    int status;

    app_password_make(bytes, text);
    app_password_digest(bytes, digest);
    msg.secret = view_make(digest, sizeof(digest));
    status = ctl_request_credential(socket_path, &msg);
    if (status == 0)
        printf("%s\n", text);
    secret_wipe(bytes, sizeof(bytes));
    secret_wipe(digest, sizeof(digest));
    secret_wipe(text, sizeof(text));
    return status;
}

/* The form that authenticator programs read as a QR code or a link. */
static void put_uri(struct buf *out, const char *user, struct view secret)
{
    buf_put_str(out, "otpauth://totp/" ISSUER ":");
    for (const char *p = user; *p != '\0'; p++) {
        if ((*p >= '0' && *p <= '9') || (ascii_lower((uint8_t)*p) >= 'a' && ascii_lower((uint8_t)*p) <= 'z') ||
            strchr("-._@", *p) != NULL)
            buf_put_byte(out, (uint8_t)*p);
        else
            buf_put_fmt(out, "%%%02X", (unsigned)(uint8_t)*p);
    }
    buf_put_str(out, "?secret=");
    base32_encode(out, secret);
    buf_put_fmt(out, "&issuer=" ISSUER "&algorithm=SHA1&digits=%d&period=%d\n", TOTP_DIGITS, TOTP_STEP);
}

static int enrol(const char *socket_path, const struct msg_credential *request, const char *user)
{
    struct msg_credential msg = *request;
    uint8_t secret[TOTP_SECRET];
    struct buf text;
    int status;

    randombytes_buf(secret, sizeof(secret));
    msg.secret = view_make(secret, sizeof(secret));
    status = ctl_request_credential(socket_path, &msg);
    buf_init_secret(&text, 2048);
    buf_put_str(&text, "secret: ");
    base32_encode(&text, msg.secret);
    buf_put_byte(&text, '\n');
    put_uri(&text, user, msg.secret);
    buf_put_str(&text, "It counts when a code was confirmed: culverctl totp confirm USER CODE\n");
    if (status == 0 && fwrite(buf_view(&text).ptr, 1, buf_len(&text), stdout) != buf_len(&text))
        status = 1;
    buf_free(&text);
    secret_wipe(secret, sizeof(secret));
    return status;
}

/* What is kept for a name that nobody has is a slip of the pen, and would be somebody's who gets the name later. */
static int user_known(const char *socket_path, const char *user)
{
    struct buf text;
    int hold = -1, status;

    buf_init(&text, 65536);
    status = ctl_ask(socket_path, CTL_LOOKUP, user, &text, &hold);
    if (status != 0 && buf_len(&text) > 0)
        fprintf(stderr, "culverctl: %s: %.*sculverctl: with -F it is done all the same\n", user, (int)buf_len(&text),
                (const char *)buf_view(&text).ptr);
    buf_free(&text);
    return status;
}

static const struct {
    const char *command, *verb;
    enum credential_verb kind;
    int least, most; /* arguments behind the verb */
} verbs[] = {
    {"app-password", "add", CREDENTIAL_ADD, 2, 2},       {"app-password", "list", CREDENTIAL_LIST, 1, 1},
    {"app-password", "revoke", CREDENTIAL_REVOKE, 1, 2}, {"totp", "enrol", CREDENTIAL_ENROL, 1, 1},
    {"totp", "confirm", CREDENTIAL_CONFIRM, 2, 2},       {"totp", "remove", CREDENTIAL_REMOVE, 1, 1},
};

bool ctl_is_credential_command(const char *name)
{
    return strcmp(name, "app-password") == 0 || strcmp(name, "totp") == 0;
}

/* Options may stand anywhere behind the verb; what they leave are the arguments. */
static bool options_parse(int argc, char **argv, struct msg_credential *msg, bool *all_out, bool *force_out)
{
    bool makes = msg->verb == CREDENTIAL_ADD || msg->verb == CREDENTIAL_ENROL;
    int opt;

    optind = 0; /* anew, and with options behind arguments, unlike in main */
    while ((opt = getopt(argc, argv, "s:e:aF")) != -1) {
        if (opt == 's' && msg->verb == CREDENTIAL_ADD && (msg->scopes = scopes_parse(optarg)) != 0)
            continue;
        if (opt == 'e' && msg->verb == CREDENTIAL_ADD && (msg->expires = expiry_parse(optarg)) != 0)
            continue;
        if (opt == 'F' && makes) {
            *force_out = true;
            continue;
        }
        if (opt != 'a' || msg->verb != CREDENTIAL_REVOKE)
            return false;
        *all_out = true;
    }
    return true;
}

int ctl_credential(int argc, char **argv, const char *socket_path)
{
    struct msg_credential msg = {.scopes = 7};
    bool all = false, force = false;
    size_t i = 0;
    int n, status = 0;

    while (i < ARRAY_LEN(verbs) && (argc < 2 || strcmp(verbs[i].command, argv[0]) != 0 || strcmp(verbs[i].verb, argv[1]) != 0))
        i++;
    if (i == ARRAY_LEN(verbs))
        return CTL_EXIT_USAGE;
    msg.verb = verbs[i].kind;
    if (!options_parse(argc - 1, argv + 1, &msg, &all, &force))
        return CTL_EXIT_USAGE;
    argv += 1 + optind;
    n = argc - 1 - optind;
    if (n < verbs[i].least || n > verbs[i].most || (msg.verb == CREDENTIAL_REVOKE && all != (n == 1)))
        return CTL_EXIT_USAGE;
    msg.user = view_str(argv[0]);
    if (n == 2 && msg.verb == CREDENTIAL_CONFIRM)
        msg.code = view_str(argv[1]);
    else if (n == 2)
        msg.label = view_str(argv[1]);
    if (!force && (msg.verb == CREDENTIAL_ADD || msg.verb == CREDENTIAL_ENROL))
        status = user_known(socket_path, argv[0]);
    if (status != 0)
        return status;
    if (msg.verb == CREDENTIAL_ADD)
        return add(socket_path, &msg);
    if (msg.verb == CREDENTIAL_ENROL)
        return enrol(socket_path, &msg, argv[0]);
    return ctl_request_credential(socket_path, &msg);
}
