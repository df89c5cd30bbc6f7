/* A certificate with two names would be good for either, which whoever issued it may not have meant: it is good for neither. */
#include "common/tls/openssl.h" /* before all others of OpenSSL */

#include <openssl/x509v3.h>

#include "auth/client_name.h"
#include "common/ipc/proto.h"
#include "common/text/text.h"

#define SUBJECT_MAX 120

/* A value of the field: false when it can be no name, or is not the one that was there before. */
static bool take(struct buf *name, const ASN1_STRING *value)
{
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, value);
    struct view v = view_make(utf8, len > 0 ? (size_t)len : 0);
    bool good = v.len > 0 && v.len <= PROTO_NAME_MAX && utf8_valid(v);
    for (size_t i = 0; good && i < v.len; i++)
        good = v.ptr[i] >= 0x20 && v.ptr[i] != 0x7f;
    if (good && buf_len(name) > 0)
        good = view_eq(buf_view(name), v);
    else if (good)
        buf_put_view(name, v);
    OPENSSL_free(utf8);
    return good && buf_ok(name);
}

static bool take_subject(X509 *cert, int nid, struct buf *name)
{
    const X509_NAME *subject = X509_get_subject_name(cert);
    bool good = true;
    for (int at = X509_NAME_get_index_by_NID(subject, nid, -1); good && at >= 0;
         at = X509_NAME_get_index_by_NID(subject, nid, at))
        good = take(name, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    return good;
}

/* The value of an alternative name of the kind that is looked for, or NULL. */
static const ASN1_STRING *alternative(const GENERAL_NAME *general, enum set_client_name field)
{
    if (field == SET_CLIENT_NAME_SAN_EMAIL)
        return general->type == GEN_EMAIL ? general->d.rfc822Name : NULL;
    if (general->type != GEN_OTHERNAME || OBJ_obj2nid(general->d.otherName->type_id) != NID_ms_upn ||
        general->d.otherName->value->type != V_ASN1_UTF8STRING)
        return NULL;
    return general->d.otherName->value->value.utf8string;
}

static bool take_alternatives(X509 *cert, enum set_client_name field, struct buf *name)
{
    int crit = 0;
    GENERAL_NAMES *list = X509_get_ext_d2i(cert, NID_subject_alt_name, &crit, NULL);
    bool good = list != NULL || crit == -1; /* -1: there is none; others: it cannot be read, or is there twice */
    for (int i = 0; good && i < sk_GENERAL_NAME_num(list); i++) {
        const ASN1_STRING *value = alternative(sk_GENERAL_NAME_value(list, i), field);
        good = value == NULL || take(name, value);
    }
    GENERAL_NAMES_free(list);
    return good;
}

const char *client_name(X509 *cert, enum set_client_name field, struct buf *name)
{
    bool good = false;
    switch (field) {
    case SET_CLIENT_NAME_COMMON_NAME:
        good = take_subject(cert, NID_commonName, name);
        break;
    case SET_CLIENT_NAME_USER_ID:
        good = take_subject(cert, NID_userId, name);
        break;
    case SET_CLIENT_NAME_EMAIL_ADDRESS:
        good = take_subject(cert, NID_pkcs9_emailAddress, name);
        break;
    case SET_CLIENT_NAME_SAN_EMAIL:
    case SET_CLIENT_NAME_SAN_UPN:
        good = take_alternatives(cert, field, name);
        break;
    }
    if (!good)
        return "its name is no name, or it has two";
    return buf_len(name) > 0 ? NULL : "it has no name where tls_client_name looks for one";
}

void client_name_describe(X509 *cert, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len = 0;
    if (bio != NULL && BIO_puts(bio, " (serial ") > 0 && i2a_ASN1_INTEGER(bio, X509_get0_serialNumber(cert)) > 0 &&
        BIO_puts(bio, ", ") > 0 &&
        X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >=
            0) /* escapes all that is not printable ASCII */
        len = BIO_get_mem_data(bio, &text);
    for (long i = 0; i < len && i < SUBJECT_MAX; i++)
        buf_put_byte(out, text[i] >= 0x20 && text[i] < 0x7f ? (uint8_t)text[i] : '?');
    if (len > 0)
        buf_put_byte(out, ')');
    BIO_free(bio);
}
