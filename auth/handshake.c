/*
 * The order of the messages is fixed (RFC 8446 section 2): there is no early data, no resumption and no authentication after the
 * handshake here. So each message is asked for by its type, and anything else ends it.
 */
#include "auth/handshake.h"

#include "common/tls/tls.h"

enum message {
    CLIENT_HELLO = 1,
    SERVER_HELLO = 2,
    ENCRYPTED_EXTENSIONS = 8,
    CERTIFICATE = 11,
    CERTIFICATE_REQUEST = 13,
    CERTIFICATE_VERIFY = 15,
    FINISHED = 20
};

#define EXTENSION_PRE_SHARED_KEY 41
#define EXTENSION_SUPPORTED_VERSIONS 43

/* RFC 8446 section 4.1.3: the random number that makes a ServerHello a HelloRetryRequest. */
static const uint8_t retry_random[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                         0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                         0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

/* TLS has its numbers the other way round. */
static size_t get_number(struct cursor *c, unsigned octets)
{
    size_t n = 0;
    while (octets-- > 0)
        n = n << 8 | cursor_byte(c);
    return n;
}

static struct view get_vector(struct cursor *c, unsigned octets)
{
    return cursor_bytes(c, get_number(c, octets));
}

/* The body of the next message, which must be of this type. */
static struct cursor get_message(struct cursor *all, enum message type)
{
    cursor_expect(all, (uint8_t)type);
    struct view body = get_vector(all, 3);
    struct cursor c = cursor_make(body);
    c.failed = all->failed;
    return c;
}

/* The next of a list of extensions; false at its end, or where it breaks off (failed). */
static bool next_extension(struct cursor *list, unsigned *type_out, struct view *data_out)
{
    if (cursor_left(list) == 0)
        return false;
    *type_out = (unsigned)get_number(list, 2);
    *data_out = get_vector(list, 2);
    return !list->failed;
}

struct server_hello {
    bool retry, tls13, resumed;
    unsigned suite;
};

static bool get_server_hello(struct cursor *all, struct server_hello *out)
{
    struct cursor c = get_message(all, SERVER_HELLO);
    struct view random, data;
    unsigned type;
    *out = (struct server_hello){.retry = false};
    cursor_skip(&c, 2); /* legacy_version */
    random = cursor_bytes(&c, sizeof(retry_random));
    out->retry = view_eq(random, view_make(retry_random, sizeof(retry_random)));
    (void)get_vector(&c, 1); /* legacy_session_id_echo */
    out->suite = (unsigned)get_number(&c, 2);
    cursor_skip(&c, 1); /* legacy_compression_method */
    struct cursor list = cursor_make(get_vector(&c, 2));
    while (next_extension(&list, &type, &data)) {
        out->resumed |= type == EXTENSION_PRE_SHARED_KEY;
        out->tls13 |= type == EXTENSION_SUPPORTED_VERSIONS && view_eq(data, VIEW("\x03\x04"));
    }
    return cursor_done(&c) && cursor_done(&list);
}

static bool suite_hash(unsigned suite, bool *sha384_out)
{
    *sha384_out = suite == 0x1302;
    return suite >= 0x1301 && suite <= 0x1305;
}

/* ClientHello and ServerHello, with a HelloRetryRequest and a second ClientHello between them or not. */
static const char *get_hellos(struct cursor *all, struct handshake *out)
{
    struct server_hello hello, again;
    (void)get_message(all, CLIENT_HELLO);
    size_t first = out->messages.len - cursor_left(all);
    if (!get_server_hello(all, &hello))
        return "no ServerHello";
    if (hello.retry) {
        out->first_hello = first;
        (void)get_message(all, CLIENT_HELLO);
        if (!get_server_hello(all, &again) || again.retry || again.suite != hello.suite)
            return "no ServerHello behind HelloRetryRequest";
        hello = again;
    }
    if (!hello.tls13 || hello.resumed || !suite_hash(hello.suite, &out->sha384))
        return "not a full handshake of TLS 1.3";
    return NULL;
}

/* RFC 8446 section 4.3.2; the context is empty within a handshake. */
static const char *get_request(struct cursor *all, struct handshake *out)
{
    struct cursor c = get_message(all, CERTIFICATE_REQUEST);
    unsigned type, nonces = 0;
    struct view data;
    cursor_expect(&c, 0);
    struct cursor list = cursor_make(get_vector(&c, 2));
    while (next_extension(&list, &type, &data)) {
        if (type != TLS_NONCE_EXTENSION)
            continue;
        out->nonce = data;
        nonces++;
    }
    if (!cursor_done(&c) || !cursor_done(&list))
        return "no CertificateRequest";
    return nonces == 1 ? NULL : "no nonce in the CertificateRequest";
}

/* RFC 8446 section 4.4.2. At most max certificates go to chain_out; more are an error unless `rest` may be passed over. */
static bool get_certificate(struct cursor *all, struct view *chain_out, size_t max, bool rest, size_t *n_out)
{
    struct cursor c = get_message(all, CERTIFICATE);
    size_t n = 0;
    cursor_expect(&c, 0);
    struct cursor list = cursor_make(get_vector(&c, 3));
    while (cursor_left(&list) > 0) {
        struct view cert = get_vector(&list, 3);
        (void)get_vector(&list, 2); /* extensions of this entry */
        if (cert.len == 0 || (n == max && !rest))
            return false;
        if (n < max)
            chain_out[n++] = cert;
    }
    *n_out = n;
    return cursor_done(&c) && cursor_done(&list) && n > 0;
}

static bool get_verify(struct cursor *all, const struct handshake *h, struct handshake_verify *out)
{
    out->covers = h->messages.len - cursor_left(all);
    struct cursor c = get_message(all, CERTIFICATE_VERIFY);
    out->scheme = (uint16_t)get_number(&c, 2);
    out->signature = get_vector(&c, 2);
    return cursor_done(&c) && out->signature.len > 0;
}

static const char *get_all(struct cursor *all, struct handshake *out)
{
    size_t n;
    const char *why = get_hellos(all, out);
    if (why != NULL)
        return why;
    (void)get_message(all, ENCRYPTED_EXTENSIONS);
    why = get_request(all, out);
    if (why != NULL)
        return why;
    if (!get_certificate(all, &out->server_leaf, 1, true, &n) || !get_verify(all, out, &out->server))
        return "no certificate of a server";
    struct cursor finished = get_message(all, FINISHED);
    if (cursor_left(&finished) != (out->sha384 ? 48 : 32))
        return "no Finished of a server";
    if (!get_certificate(all, out->chain, HANDSHAKE_CHAIN_MAX, false, &out->nchain) || !get_verify(all, out, &out->client))
        return "no certificate of a client, or too long a chain";
    return cursor_done(all) ? NULL : "more than the client's CertificateVerify";
}

int handshake_parse(struct view messages, struct handshake *out, const char **why_out)
{
    struct cursor all = cursor_make(messages);
    struct handshake h = {.messages = messages};
    *why_out = get_all(&all, &h);
    if (*why_out != NULL)
        return ERR_SYNTAX;
    *out = h;
    return 0;
}
