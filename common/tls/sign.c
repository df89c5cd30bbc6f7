/*
 * The private key is in another process. OpenSSL sees it through this built-in provider: key objects that hold the public half
 * (taken from the certificate) and the number of the key, and signature operations that hash here and ask for the rest through a
 * tls_sign_fn.
 *
 * Why a provider and not RSA_METHOD and EC_KEY_METHOD: those are deprecated, do not exist for Ed25519, and RSA_METHOD is handed
 * padded blocks, so that the signing process could not tell what it signs. Here it gets scheme, hash and digest.
 *
 * The key objects have no export function on purpose: OpenSSL would move the public half to its own provider and try to sign
 * with it there. EVP_DigestSign() finds that the default provider cannot have the key and comes to ours.
 */

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/tls/tls_int.h"

#define SIGN_PROVIDER "culver-keys"
#define SIGN_PROPERTIES "provider=culver-keys"
#define SIGN_PARAM_SLOT "culver-slot"
#define SIGN_IDENT_MAX 4096 /* bytes of the public key: RSA-16384 with its exponent */

enum sign_kind { SIGN_KIND_RSA, SIGN_KIND_EC, SIGN_KIND_ED25519 };

/* Goes through EVP_PKEY_fromdata() as the bytes of SIGN_PARAM_SLOT. */
struct sign_slot {
    struct tls_signer *signer;
    uint32_t index;
};

struct sign_key {
    enum sign_kind kind;
    struct sign_slot slot; /* signer NULL: a public key that was brought here to be compared */
    const struct sign_curve *curve;
    int bits, security_bits, size; /* size: of the largest signature */
    uint8_t *ident;                /* the public key in one canonical form */
    size_t ident_len;
};

static const struct sign_curve {
    const char *name, *alias;
    int bits, security_bits, size;
} sign_curves[] = {
    {"prime256v1", "P-256", 256, 128, 72},
    {"secp384r1", "P-384", 384, 192, 104},
    {"secp521r1", "P-521", 521, 256, 139},
};

static const struct {
    const char *name;
    enum sign_hash hash;
} sign_hashes[] = {
    {"SHA256", SIGN_SHA256},
    {"SHA384", SIGN_SHA384},
    {"SHA512", SIGN_SHA512},
};

/* --- key management ----------------------------------------------------------------------------------------------------- */

static struct sign_key *sign_key_alloc(enum sign_kind kind)
{
    struct sign_key *key = xcalloc(1, sizeof(*key));

    key->kind = kind;
    return key;
}

static void *rsa_new(void *provctx)
{
    (void)provctx;
    return sign_key_alloc(SIGN_KIND_RSA);
}

static void *ec_new(void *provctx)
{
    (void)provctx;
    return sign_key_alloc(SIGN_KIND_EC);
}

static void *ed25519_new(void *provctx)
{
    (void)provctx;
    return sign_key_alloc(SIGN_KIND_ED25519);
}

static void key_free(void *keydata)
{
    struct sign_key *key = keydata;

    if (key == NULL)
        return;
    free(key->ident);
    free(key);
}

/* The private half counts as present: it is, elsewhere. */
static int key_has(const void *keydata, int selection)
{
    const struct sign_key *key = keydata;

    if (key == NULL || key->ident == NULL)
        return 0;
    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 || key->slot.signer != NULL;
}

static int key_match(const void *keydata1, const void *keydata2, int selection)
{
    const struct sign_key *a = keydata1, *b = keydata2;

    (void)selection;
    return a != NULL && b != NULL && a->kind == b->kind && a->curve == b->curve && a->ident != NULL && b->ident != NULL &&
           view_eq(view_make(a->ident, a->ident_len), view_make(b->ident, b->ident_len));
}

static bool key_set_ident(struct sign_key *key, const void *data, size_t len)
{
    if (len == 0 || len > SIGN_IDENT_MAX)
        return false;
    free(key->ident);
    key->ident = xmalloc(len);
    memcpy(key->ident, data, len);
    key->ident_len = len;
    return true;
}

static bool rsa_import(struct sign_key *key, const OSSL_PARAM params[])
{
    const OSSL_PARAM *pn = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_N);
    const OSSL_PARAM *pe = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_E);
    BIGNUM *n = NULL, *e = NULL;
    uint8_t bytes[SIGN_IDENT_MAX];
    bool good = false;

    if (pn == NULL || pe == NULL || OSSL_PARAM_get_BN(pn, &n) != 1 || OSSL_PARAM_get_BN(pe, &e) != 1)
        goto out;
    if (BN_num_bits(n) < 1024 || BN_num_bytes(n) > PROTO_SIG_MAX || BN_num_bytes(e) > 8)
        goto out;
    /* The modulus, then the exponent in 8 bytes. */
    if (BN_bn2bin(n, bytes) != BN_num_bytes(n) || BN_bn2binpad(e, bytes + BN_num_bytes(n), 8) != 8)
        goto out;
    key->bits = BN_num_bits(n);
    key->security_bits = BN_security_bits(key->bits, -1);
    key->size = BN_num_bytes(n);
    good = key_set_ident(key, bytes, (size_t)key->size + 8);
out:
    BN_free(n);
    BN_free(e);
    return good;
}

static bool point_import(struct sign_key *key, const OSSL_PARAM params[])
{
    const OSSL_PARAM *pub = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY);

    return pub != NULL && pub->data_type == OSSL_PARAM_OCTET_STRING && key_set_ident(key, pub->data, pub->data_size);
}

static bool ec_import(struct sign_key *key, const OSSL_PARAM params[])
{
    const OSSL_PARAM *group = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME);
    const char *name = NULL;

    if (group == NULL || OSSL_PARAM_get_utf8_string_ptr(group, &name) != 1 || name == NULL)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(sign_curves); i++)
        if (strcmp(name, sign_curves[i].name) == 0 || strcmp(name, sign_curves[i].alias) == 0)
            key->curve = &sign_curves[i];
    if (key->curve == NULL)
        return false;
    key->bits = key->curve->bits;
    key->security_bits = key->curve->security_bits;
    key->size = key->curve->size;
    return point_import(key, params);
}

static bool ed25519_import(struct sign_key *key, const OSSL_PARAM params[])
{
    key->bits = 256;
    key->security_bits = 128;
    key->size = 64;
    return point_import(key, params);
}

static int key_import(void *keydata, int selection, const OSSL_PARAM params[])
{
    struct sign_key *key = keydata;
    const OSSL_PARAM *slot = OSSL_PARAM_locate_const(params, SIGN_PARAM_SLOT);
    bool good = false;

    if (key == NULL || (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0)
        return 0;
    if (slot != NULL) {
        if (slot->data_type != OSSL_PARAM_OCTET_STRING || slot->data_size != sizeof(key->slot))
            return 0;
        memcpy(&key->slot, slot->data, sizeof(key->slot));
    }
    switch (key->kind) {
    case SIGN_KIND_RSA:
        good = rsa_import(key, params);
        break;
    case SIGN_KIND_EC:
        good = ec_import(key, params);
        break;
    case SIGN_KIND_ED25519:
        good = ed25519_import(key, params);
        break;
    }
    return good ? 1 : 0;
}

static const OSSL_PARAM *key_import_types(int selection)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
                                       OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
                                       OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
                                       OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
                                       OSSL_PARAM_octet_string(SIGN_PARAM_SLOT, NULL, 0),
                                       OSSL_PARAM_END};

    return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 ? types : NULL;
}

static int key_get_params(void *keydata, OSSL_PARAM params[])
{
    const struct sign_key *key = keydata;
    OSSL_PARAM *p;

    if ((p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_BITS)) != NULL && OSSL_PARAM_set_int(p, key->bits) != 1)
        return 0;
    if ((p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_SECURITY_BITS)) != NULL && OSSL_PARAM_set_int(p, key->security_bits) != 1)
        return 0;
    if ((p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_MAX_SIZE)) != NULL && OSSL_PARAM_set_int(p, key->size) != 1)
        return 0;
    if (key->curve != NULL && (p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_GROUP_NAME)) != NULL &&
        OSSL_PARAM_set_utf8_string(p, key->curve->name) != 1)
        return 0;
    /* Ed25519 hashes by itself: no digest may be named. */
    if (key->kind == SIGN_KIND_ED25519 && (p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_MANDATORY_DIGEST)) != NULL &&
        OSSL_PARAM_set_utf8_string(p, "") != 1)
        return 0;
    if (key->kind != SIGN_KIND_ED25519 && (p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_DEFAULT_DIGEST)) != NULL &&
        OSSL_PARAM_set_utf8_string(p, "SHA256") != 1)
        return 0;
    return 1;
}

static const OSSL_PARAM *key_gettable_params(void *provctx)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
                                       OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
                                       OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
                                       OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
                                       OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
                                       OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
                                       OSSL_PARAM_END};

    (void)provctx;
    return types;
}

static const char *ec_operation_name(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

/* --- signatures ----------------------------------------------------------------------------------------------------------- */

struct sign_op {
    const struct sign_key *key;
    EVP_MD *md; /* NULL for Ed25519 */
    enum sign_hash hash;
    bool pss;
};

static void *op_new(void *provctx, const char *properties)
{
    (void)provctx;
    (void)properties;
    return xcalloc(1, sizeof(struct sign_op));
}

static void op_free(void *opctx)
{
    struct sign_op *op = opctx;

    if (op == NULL)
        return;
    EVP_MD_free(op->md);
    free(op);
}

static bool op_set_hash(struct sign_op *op, const char *name)
{
    EVP_MD *md = EVP_MD_fetch(op->key->slot.signer->libctx, name, NULL);

    if (md == NULL)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(sign_hashes); i++) {
        if (EVP_MD_is_a(md, sign_hashes[i].name) != 1)
            continue;
        EVP_MD_free(op->md);
        op->md = md;
        op->hash = sign_hashes[i].hash;
        return true;
    }
    EVP_MD_free(md);
    return false;
}

/* Padding comes as a number or as a word. */
static bool op_set_padding(struct sign_op *op, const OSSL_PARAM *p)
{
    const char *word = NULL;
    int number = 0;

    if (p->data_type == OSSL_PARAM_UTF8_STRING && OSSL_PARAM_get_utf8_string_ptr(p, &word) == 1 && word != NULL) {
        if (strcmp(word, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0)
            number = RSA_PKCS1_PADDING;
        else if (strcmp(word, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0)
            number = RSA_PKCS1_PSS_PADDING;
    } else if (OSSL_PARAM_get_int(p, &number) != 1) {
        return false;
    }
    op->pss = number == RSA_PKCS1_PSS_PADDING;
    return op->pss || number == RSA_PKCS1_PADDING;
}

/* TLS uses a salt as long as the digest, and so does culver-keys (RFC 8446 4.2.3). */
static bool op_salt_is_digest(const OSSL_PARAM *p)
{
    const char *word = NULL;
    int number = 0;

    if (p->data_type == OSSL_PARAM_UTF8_STRING)
        return OSSL_PARAM_get_utf8_string_ptr(p, &word) == 1 && word != NULL &&
               (strcmp(word, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0 || strcmp(word, "-1") == 0);
    return OSSL_PARAM_get_int(p, &number) == 1 && number == RSA_PSS_SALTLEN_DIGEST;
}

static int op_set_params(void *opctx, const OSSL_PARAM params[])
{
    struct sign_op *op = opctx;
    const OSSL_PARAM *p;

    if (params == NULL)
        return 1;
    if ((p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE)) != NULL && !op_set_padding(op, p))
        return 0;
    if ((p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN)) != NULL && !op_salt_is_digest(p))
        return 0;
    return 1;
}

static const OSSL_PARAM *op_settable_params(void *opctx, void *provctx)
{
    static const OSSL_PARAM types[] = {OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
                                       OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0), OSSL_PARAM_END};

    (void)opctx;
    (void)provctx;
    return types;
}

static int op_init(void *opctx, const char *mdname, void *keydata, const OSSL_PARAM params[])
{
    struct sign_op *op = opctx;

    op->key = keydata;
    if (op->key == NULL || op->key->slot.signer == NULL)
        return 0;
    op->pss = false;
    op->hash = SIGN_NONE;
    if (op->key->kind == SIGN_KIND_ED25519) {
        if (mdname != NULL && *mdname != '\0')
            return 0;
    } else if (!op_set_hash(op, mdname != NULL && *mdname != '\0' ? mdname : "SHA256")) {
        return 0;
    }
    return op_set_params(op, params);
}

static enum sign_scheme op_scheme(const struct sign_op *op)
{
    switch (op->key->kind) {
    case SIGN_KIND_RSA:
        return op->pss ? SIGN_RSA_PSS : SIGN_RSA_PKCS1;
    case SIGN_KIND_EC:
        return SIGN_ECDSA;
    case SIGN_KIND_ED25519:
        break;
    }
    return SIGN_EDDSA;
}

/* One call signs: sig NULL asks for the size and costs nothing. */
static int op_sign(void *opctx, unsigned char *sig, size_t *siglen, size_t sigsize, const unsigned char *tbs, size_t tbslen)
{
    struct sign_op *op = opctx;
    const struct tls_signer *signer = op->key->slot.signer;
    struct msg_sign request = {.key = op->key->slot.index, .scheme = op_scheme(op), .hash = op->hash};
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    struct buf answer;
    int good = 0;

    if (sig == NULL) {
        *siglen = (size_t)op->key->size;
        return 1;
    }
    if (signer->fn == NULL)
        return 0;
    if (op->md == NULL) {
        request.tbs = view_make(tbs, tbslen);
    } else {
        if (EVP_Digest(tbs, tbslen, digest, &digest_len, op->md, NULL) != 1)
            return 0;
        request.tbs = view_make(digest, digest_len);
    }
    if (request.tbs.len > PROTO_TBS_MAX)
        return 0;
    buf_init(&answer, PROTO_SIG_MAX);
    if (signer->fn(signer->arg, &request, &answer) == 0 && buf_ok(&answer)) {
        struct view bytes = buf_view(&answer);

        if (bytes.ptr != NULL && bytes.len > 0 && bytes.len <= sigsize) {
            memcpy(sig, bytes.ptr, bytes.len);
            *siglen = bytes.len;
            good = 1;
        }
    }
    buf_free(&answer);
    return good;
}

/* --- tables and loading ---------------------------------------------------------------------------------------------------- */

#define ENTRY(id, fn)              \
    {                              \
        (id), (void (*)(void))(fn) \
    }
#define KEY_ENTRIES                                                                                                            \
    ENTRY(OSSL_FUNC_KEYMGMT_FREE, key_free), ENTRY(OSSL_FUNC_KEYMGMT_HAS, key_has), ENTRY(OSSL_FUNC_KEYMGMT_MATCH, key_match), \
        ENTRY(OSSL_FUNC_KEYMGMT_IMPORT, key_import), ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types),                  \
        ENTRY(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params), ENTRY(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable_params)

static const OSSL_DISPATCH rsa_keymgmt[] = {ENTRY(OSSL_FUNC_KEYMGMT_NEW, rsa_new), KEY_ENTRIES, {0, NULL}};
static const OSSL_DISPATCH ec_keymgmt[] = {ENTRY(OSSL_FUNC_KEYMGMT_NEW, ec_new),
                                           KEY_ENTRIES,
                                           ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_operation_name),
                                           {0, NULL}};
static const OSSL_DISPATCH ed25519_keymgmt[] = {ENTRY(OSSL_FUNC_KEYMGMT_NEW, ed25519_new), KEY_ENTRIES, {0, NULL}};

static const OSSL_DISPATCH sign_functions[] = {ENTRY(OSSL_FUNC_SIGNATURE_NEWCTX, op_new),
                                               ENTRY(OSSL_FUNC_SIGNATURE_FREECTX, op_free),
                                               ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, op_init),
                                               ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, op_sign),
                                               ENTRY(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, op_set_params),
                                               ENTRY(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, op_settable_params),
                                               {0, NULL}};

/* The names must be those of the default provider: that is how OpenSSL tells that keys are of the same type. */
static const OSSL_ALGORITHM sign_keymgmts[] = {
    {"RSA:rsaEncryption:1.2.840.113549.1.1.1", SIGN_PROPERTIES, rsa_keymgmt, "RSA key held by culver-keys"},
    {"EC:id-ecPublicKey:1.2.840.10045.2.1", SIGN_PROPERTIES, ec_keymgmt, "EC key held by culver-keys"},
    {"ED25519:1.3.101.112", SIGN_PROPERTIES, ed25519_keymgmt, "Ed25519 key held by culver-keys"},
    {NULL, NULL, NULL, NULL}};
static const OSSL_ALGORITHM sign_signatures[] = {
    {"RSA:rsaEncryption:1.2.840.113549.1.1.1", SIGN_PROPERTIES, sign_functions, "RSA signatures by culver-keys"},
    {"ECDSA", SIGN_PROPERTIES, sign_functions, "ECDSA signatures by culver-keys"},
    {"ED25519:1.3.101.112", SIGN_PROPERTIES, sign_functions, "Ed25519 signatures by culver-keys"},
    {NULL, NULL, NULL, NULL}};

static const OSSL_ALGORITHM *sign_query(void *provctx, int operation, int *no_cache)
{
    (void)provctx;
    *no_cache = 0;
    switch (operation) {
    case OSSL_OP_KEYMGMT:
        return sign_keymgmts;
    case OSSL_OP_SIGNATURE:
        return sign_signatures;
    default:
        return NULL;
    }
}

static int sign_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **provctx)
{
    static const OSSL_DISPATCH functions[] = {ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, sign_query), {0, NULL}};

    (void)in;
    *out = functions;
    *provctx = (void *)(uintptr_t)handle;
    return 1;
}

int tls_sign_provider_load(OSSL_LIB_CTX *libctx, OSSL_PROVIDER **out)
{
    OSSL_PROVIDER *provider;

    if (OSSL_PROVIDER_add_builtin(libctx, SIGN_PROVIDER, sign_provider_init) != 1)
        return ERR_UNSUPPORTED;
    provider = OSSL_PROVIDER_load(libctx, SIGN_PROVIDER);
    if (provider == NULL)
        return ERR_UNSUPPORTED;
    *out = provider;
    return 0;
}

int tls_sign_key_new(struct tls_signer *signer, uint32_t index, EVP_PKEY *public_key, EVP_PKEY **out)
{
    struct sign_slot slot;
    OSSL_PARAM extra[2], *public_params = NULL, *params = NULL;
    EVP_PKEY_CTX *pctx = NULL;
    EVP_PKEY *key = NULL;
    const char *type = NULL;
    int r = ERR_UNSUPPORTED;

    if (EVP_PKEY_is_a(public_key, "RSA") == 1)
        type = "RSA";
    else if (EVP_PKEY_is_a(public_key, "EC") == 1)
        type = "EC";
    else if (EVP_PKEY_is_a(public_key, "ED25519") == 1)
        type = "ED25519";
    if (type == NULL)
        return ERR_UNSUPPORTED;
    memset(&slot, 0, sizeof(slot));
    slot.signer = signer;
    slot.index = index;
    extra[0] = OSSL_PARAM_construct_octet_string(SIGN_PARAM_SLOT, &slot, sizeof(slot));
    extra[1] = OSSL_PARAM_construct_end();
    if (EVP_PKEY_todata(public_key, EVP_PKEY_PUBLIC_KEY, &public_params) != 1)
        goto out;
    params = OSSL_PARAM_merge(public_params, extra);
    pctx = EVP_PKEY_CTX_new_from_name(signer->libctx, type, SIGN_PROPERTIES);
    if (params == NULL || pctx == NULL || EVP_PKEY_fromdata_init(pctx) != 1 ||
        EVP_PKEY_fromdata(pctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        goto out;
    *out = key;
    key = NULL; /* transferred */
    r = 0;
out:
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(pctx);
    OSSL_PARAM_free(public_params);
    OPENSSL_free(params);
    return r;
}
