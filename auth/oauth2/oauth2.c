/*
 * Token introspection (RFC 7662) through libcurl. The server is verified, redirects are not followed, the answer is bounded. What
 * it called good is remembered for a while, by a keyed hash, so that a client with many connections is one question; what it
 * refused is asked again.
 */
#include "auth/oauth2/oauth2.h"

#include <curl/curl.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "auth/claims.h"
#include "common/base/mem.h"
#include "common/log/log.h"

#define REPLY_MAX 32768
#define CACHE_SLOTS 256
#define HTTP_OK 200

struct known {
    uint8_t hash[32];
    uint64_t until; /* db_now(); 0: nothing is known */
    size_t len;
    uint8_t user[PROTO_NAME_MAX];
};

struct oauth2_handle {
    CURL *curl;
    struct curl_slist *headers;
    struct buf reply;
    struct json_doc doc;
    uint8_t key[32];
    struct known known[CACHE_SLOTS]; /* by the first octet of the hash */
};

static void close_handle(struct db_link *l)
{
    struct oauth2_handle *h = l->handle;
    curl_easy_cleanup(h->curl);
    curl_slist_free_all(h->headers);
    curl_global_cleanup();
    buf_free(&h->reply);
    secret_wipe(h, sizeof(*h));
    free(h);
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
    struct buf *reply = arg;
    buf_put(reply, data, size * n);
    return buf_ok(reply) ? size * n : 0;
}

/* application/x-www-form-urlencoded. */
static void put_encoded(struct buf *out, struct view v)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < v.len; i++) {
        uint8_t b = v.ptr[i];
        if ((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '-' || b == '.' || b == '_') {
            buf_put_byte(out, b);
        } else {
            buf_put_byte(out, '%');
            buf_put_byte(out, (uint8_t)hex[b >> 4]);
            buf_put_byte(out, (uint8_t)hex[b & 15]);
        }
    }
}

static bool set_text(CURL *c, CURLoption option, struct view v, bool encoded)
{
    struct buf text;
    buf_init_secret(&text, 4096);
    if (encoded)
        put_encoded(&text, v);
    else
        buf_put_view(&text, v);
    buf_put_byte(&text, '\0');
    bool good = buf_ok(&text) && curl_easy_setopt(c, option, (const char *)buf_view(&text).ptr) == CURLE_OK; /* copied */
    buf_free(&text);
    return good;
}

/* RFC 7662 section 2.1: with a name and its password (encoded as RFC 6749 section 2.3.1 has it), or with a token of our own. */
static bool set_account(const struct db_link *l, CURL *c)
{
    if (l->password == NULL)
        return false;
    if (l->set->client_id[0] == '\0')
        return curl_easy_setopt(c, CURLOPT_HTTPAUTH, CURLAUTH_BEARER) == CURLE_OK &&
               set_text(c, CURLOPT_XOAUTH2_BEARER, secret_view(l->password), false);
    return curl_easy_setopt(c, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) == CURLE_OK &&
           set_text(c, CURLOPT_USERNAME, view_str(l->set->client_id), true) &&
           set_text(c, CURLOPT_PASSWORD, secret_view(l->password), true);
}

static bool set_options(const struct db_link *l, struct oauth2_handle *h)
{
    CURL *c = h->curl;
    const char *ca = l->set->ca_file;
    return curl_easy_setopt(c, CURLOPT_URL, l->set->connect) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK && /* whatever the environment says */
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK && curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           (ca[0] == '\0' || curl_easy_setopt(c, CURLOPT_CAINFO, ca) == CURLE_OK) &&
           curl_easy_setopt(c, CURLOPT_HTTPHEADER, h->headers) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, &h->reply) == CURLE_OK && set_account(l, c);
}

static int open_handle(struct db_link *l)
{
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        db_complain(l, "database cannot be reached", "libraries cannot be used");
        return ERR_SYSTEM;
    }
    struct oauth2_handle *h = xcalloc(1, sizeof(*h));
    buf_init_secret(&h->reply, REPLY_MAX);
    randombytes_buf(h->key, sizeof(h->key));
    h->curl = curl_easy_init();
    h->headers = curl_slist_append(NULL, "Accept: application/json");
    l->handle = h;
    if (h->curl != NULL && h->headers != NULL && set_options(l, h))
        return 0;
    db_complain(l, "database cannot be reached", "libcurl does not accept its settings");
    close_handle(l);
    l->handle = NULL;
    return ERR_SYSTEM;
}

/* --- what is known ------------------------------------------------------------------------------------------------------- */

static struct known *known_slot(struct oauth2_handle *h, struct view token, uint8_t hash[32])
{
    if (crypto_generichash(hash, 32, token.ptr, token.len, h->key, sizeof(h->key)) != 0)
        PANIC("a hash cannot be computed");
    return &h->known[hash[0] % CACHE_SLOTS];
}

static void known_put(struct oauth2_handle *h, const struct set_auth *set, struct view token, uint64_t now, struct view user)
{
    uint8_t hash[32];
    struct known *k = known_slot(h, token, hash);
    uint64_t ms = set->oauth2_cache_ttl, end;
    if (json_uint(json_member(&h->doc, 0, VIEW("exp")), &end) == 0)
        ms = end <= now ? 0 : MIN_OF(ms, MIN_OF(end - now, (uint64_t)3600) * 1000);
    if (ms == 0 || user.len > sizeof(k->user))
        return;
    memcpy(k->hash, hash, sizeof(k->hash));
    memcpy(k->user, user.ptr, user.len);
    k->len = user.len;
    k->until = db_now() + ms;
}

static bool known_get(struct oauth2_handle *h, struct view token, struct buf *record)
{
    uint8_t hash[32];
    const struct known *k = known_slot(h, token, hash);
    if (db_now() >= k->until || sodium_memcmp(k->hash, hash, sizeof(hash)) != 0)
        return false;
    db_field_put(record, VIEW("user"), view_make(k->user, k->len));
    return true;
}

/* --- the question -------------------------------------------------------------------------------------------------------- */

/* NULL, or why there is no answer. RFC 7662 section 2.1. */
static const char *post(const struct db_link *l, struct oauth2_handle *h, struct view token)
{
    struct buf form;
    long status = 0;
    const char *why = NULL;
    buf_reset(&h->reply);
    buf_init_secret(&form, 3 * PROTO_TOKEN_MAX + 64);
    buf_put_str(&form, "token_type_hint=access_token&token=");
    put_encoded(&form, token);
    CURLcode rc = CURLE_OUT_OF_MEMORY;
    if (buf_ok(&form) && curl_easy_setopt(h->curl, CURLOPT_TIMEOUT_MS, (long)db_left(l)) == CURLE_OK &&
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE, (long)buf_len(&form)) == CURLE_OK &&
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, (const char *)buf_view(&form).ptr) == CURLE_OK)
        rc = curl_easy_perform(h->curl);
    if (rc == CURLE_OK)
        rc = curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    if (rc == CURLE_WRITE_ERROR)
        why = "its answer is too long";
    else if (rc != CURLE_OK)
        why = curl_easy_strerror(rc);
    else if (status != HTTP_OK)
        why = status == 401 || status == 403 ? "it does not accept our account" : "it answers with an error";
    /* It borrowed the form. */
    if (curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, NULL) != CURLE_OK)
        why = "libcurl does not accept its settings";
    buf_free(&form);
    return why;
}

static enum helper_result take(const struct db_link *l, struct oauth2_handle *h, struct view token, struct buf *record)
{
    uint64_t now = (uint64_t)time(NULL);
    struct buf user;
    const struct json_token *active =
        json_parse(buf_view(&h->reply), &h->doc) == 0 ? json_member(&h->doc, 0, VIEW("active")) : NULL;
    if (active == NULL || (active->type != JSON_TRUE && active->type != JSON_FALSE)) {
        db_complain(l, "answer about a token cannot be used", "it does not say whether the token is active");
        return HELPER_TEMPORARY;
    }
    buf_init(&user, PROTO_NAME_MAX);
    const char *why = active->type == JSON_FALSE ? "it is not active" : claims_check(&h->doc, l->auth, now, false, &user);
    if (why == NULL) {
        db_field_put(record, VIEW("user"), buf_view(&user));
        known_put(h, l->auth, token, now, buf_view(&user));
    } else {
        LOG_INFO(0, "token refused", F_STR("database", l->set->name), F_STR("reason", why));
    }
    buf_free(&user);
    return why == NULL ? HELPER_OK : HELPER_WRONG;
}

static enum helper_result ask(struct db_link *l, const struct db_query *q, struct buf *record)
{
    struct oauth2_handle *h = l->handle;
    if (known_get(h, q->password, record))
        return HELPER_OK;
    const char *why = post(l, h, q->password);
    enum helper_result result = HELPER_TEMPORARY;
    if (why == NULL)
        result = take(l, h, q->password, record);
    else
        db_complain(l, "no answer about a token", why);
    buf_reset(&h->reply);
    return result;
}

const struct db_driver oauth2_driver = {
    .proc = "auth-oauth2",
    .kind = HELPER_OAUTH2,
    .profile = SANDBOX_HELPER_PEER,
    .open = open_handle,
    .ask = ask,
    .close = close_handle,
};
