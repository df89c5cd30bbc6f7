/*
 * LDAP. Users are searched as bind_dn (or as nobody); a password that the directory is to check is tried on a connection of its
 * own, so that the one for searching stays who it is. TLS, where there is any, is verified, or there is no connection.
 */
#include "auth/ldap/ldap.h"

#include <ldap.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"

#define TEXT_MAX 8192
#define ATTRIBUTES_MAX 64

struct ldap_handle {
    LDAP *search;
    LDAP *bind; /* NULL: not made yet */
};

static struct timeval time_left(const struct db_link *l)
{
    int ms = db_left(l);
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void ldap_end(LDAP *ld)
{
    if (ld != NULL)
        (void)ldap_unbind_ext_s(ld, NULL, NULL);
}

static void close_handle(struct db_link *l)
{
    struct ldap_handle *h = l->handle;
    ldap_end(h->search);
    ldap_end(h->bind);
    free(h);
}

static int set_options(const struct db_link *l, LDAP *ld)
{
    const int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, tls12 = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2, server = 0;
    const struct timeval left = time_left(l);
    int rc = ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
    if (rc == LDAP_OPT_SUCCESS)
        rc = ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &left);
    if (rc == LDAP_OPT_SUCCESS)
        rc = ldap_set_option(ld, LDAP_OPT_TIMEOUT, &left);
    if (rc == LDAP_OPT_SUCCESS)
        rc = ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    if (rc == LDAP_OPT_SUCCESS)
        rc = ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
    if (rc == LDAP_OPT_SUCCESS)
        rc = ldap_set_option(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, &tls12);
    if (rc == LDAP_OPT_SUCCESS && l->set->ca_file[0] != '\0')
        rc = ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, l->set->ca_file);
    if (rc == LDAP_OPT_SUCCESS) /* what was set becomes the context of this connection */
        rc = ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &server);
    return rc;
}

/* A simple bind. dn NULL and no password: as nobody. */
static int bind_as(LDAP *ld, const char *dn, struct view password)
{
    struct berval cred = {.bv_val = (char *)password.ptr, .bv_len = password.len};
    return ldap_sasl_bind_s(ld, dn, LDAP_SASL_SIMPLE, &cred, NULL, NULL, NULL);
}

/* What failed, with the library's or the server's further words, where there are any. */
static void complain(const struct db_link *l, LDAP *ld, const char *what, int rc)
{
    char *more = NULL, why[300];
    if (ld == NULL || ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more) != LDAP_OPT_SUCCESS)
        more = NULL;
    (void)snprintf(why, sizeof(why), "%s%s%.200s", ldap_err2string(rc), more != NULL ? ": " : "", more != NULL ? more : "");
    db_complain(l, what, why);
    ldap_memfree(more);
}

static int open_ldap(const struct db_link *l, LDAP **out)
{
    LDAP *ld = NULL;
    int rc = ldap_initialize(&ld, l->set->connect);
    if (rc == LDAP_SUCCESS)
        rc = set_options(l, ld);
    if (rc == LDAP_SUCCESS && l->set->start_tls)
        rc = ldap_start_tls_s(ld, NULL, NULL);
    if (rc != LDAP_SUCCESS) {
        complain(l, ld, "database cannot be reached", rc);
        ldap_end(ld);
        return ERR_IO;
    }
    *out = ld;
    return 0;
}

static int open_handle(struct db_link *l)
{
    struct ldap_handle *h;
    LDAP *ld;
    const struct view none = view_make("", 0);
    bool named = l->set->bind_dn[0] != '\0' && l->password != NULL;
    int err = open_ldap(l, &ld);
    if (err != 0)
        return err;
    /* Also as nobody, to see that somebody is there. */
    int rc = bind_as(ld, named ? l->set->bind_dn : NULL, named ? secret_view(l->password) : none);
    if (rc != LDAP_SUCCESS) {
        complain(l, ld, "database cannot be reached", rc);
        ldap_end(ld);
        return ERR_IO;
    }
    h = xcalloc(1, sizeof(*h));
    h->search = ld;
    l->handle = h;
    return 0;
}

static bool connection_lost(int rc)
{
    return rc == LDAP_SERVER_DOWN || rc == LDAP_TIMEOUT || rc == LDAP_CONNECT_ERROR || rc == LDAP_UNAVAILABLE;
}

static enum helper_result fail(struct db_link *l, LDAP *ld, const char *what, int rc)
{
    l->broken = connection_lost(rc);
    if (!l->broken)
        complain(l, ld, what, rc);
    return HELPER_TEMPORARY;
}

/* --- searching ----------------------------------------------------------------------------------------------------------- */

/* The attribute's first value, as the field that the configuration calls it; of a password every form that there is (RFC 4519
 * section 2.41: userPassword has any number of values). */
static void put_attribute(LDAP *ld, LDAPMessage *entry, const char *item, struct buf *record)
{
    struct view pair = view_str(item);
    size_t eq = view_find(pair, '=');
    char *name = view_dup(view_sub(pair, 0, eq));
    struct berval **values = ldap_get_values_len(ld, entry, name);
    struct view field = view_sub(pair, eq + 1, pair.len);
    bool all = view_eq_nocase(field, VIEW("password"));
    for (size_t i = 0; values != NULL && values[i] != NULL && (i == 0 || all); i++)
        db_field_put(record, field, view_make(values[i]->bv_val, values[i]->bv_len));
    ldap_value_free_len(values);
    free(name);
}

static enum helper_result take(struct db_link *l, LDAPMessage *res, const struct db_query *q, struct buf *record, char **dn_out)
{
    LDAP *ld = ((struct ldap_handle *)l->handle)->search;
    int n = ldap_count_entries(ld, res);
    LDAPMessage *entry = ldap_first_entry(ld, res);
    if (n == 0)
        return HELPER_UNKNOWN;
    if (n != 1 || entry == NULL) {
        db_complain(l, "search failed", "it finds more than one entry for a user");
        return HELPER_TEMPORARY;
    }
    for (size_t i = 0; i < q->ask->attributes.n; i++)
        put_attribute(ld, entry, q->ask->attributes.items[i], record);
    *dn_out = ldap_get_dn(ld, entry);
    return *dn_out != NULL ? HELPER_OK : HELPER_TEMPORARY;
}

static enum helper_result search_run(struct db_link *l, const struct db_query *q, const char *base, const char *filter,
                                     struct buf *record, char **dn_out)
{
    char *attributes[ATTRIBUTES_MAX + 2] = {NULL};
    struct timeval left = time_left(l);
    LDAP *ld = ((struct ldap_handle *)l->handle)->search;
    LDAPMessage *res = NULL;
    size_t n = q->ask->attributes.n;
    enum helper_result result;
    for (size_t i = 0; i < n; i++) {
        struct view pair = view_str(q->ask->attributes.items[i]);
        attributes[i] = view_dup(view_sub(pair, 0, view_find(pair, '=')));
    }
    if (n == 0) /* RFC 4511 section 4.5.1.8: none */
        attributes[n++] = xstrdup(LDAP_NO_ATTRS);
    /* Two entries are one too many already. */
    int rc = ldap_search_ext_s(ld, base, LDAP_SCOPE_SUBTREE, filter, attributes, 0, NULL, NULL, &left, 2, &res);
    if (rc == LDAP_SUCCESS || rc == LDAP_SIZELIMIT_EXCEEDED)
        result = take(l, res, q, record, dn_out);
    else if (rc == LDAP_NO_SUCH_OBJECT && !view_eq(view_str(base), view_str(q->ask->base)))
        result = HELPER_UNKNOWN; /* a base that depends on the user */
    else
        result = fail(l, ld, "search failed", rc);
    ldap_msgfree(res);
    for (size_t i = 0; i < n; i++)
        free(attributes[i]);
    return result;
}

static enum helper_result search(struct db_link *l, const struct db_query *q, struct buf *record, char **dn_out)
{
    enum helper_result result = HELPER_TEMPORARY;
    struct buf base, filter;
    buf_init(&base, TEXT_MAX);
    buf_init(&filter, TEXT_MAX);
    int err = params_ldap_dn(view_str(q->ask->base), q->values, &base);
    if (err == 0)
        err = params_ldap_filter(view_str(q->ask->filter), q->values, &filter);
    buf_put_byte(&base, '\0');
    buf_put_byte(&filter, '\0');
    if (err != 0 || !buf_ok(&base) || !buf_ok(&filter))
        db_complain(l, "search refused", "base or filter cannot be read, or is too long");
    else
        result = search_run(l, q, (const char *)buf_view(&base).ptr, (const char *)buf_view(&filter).ptr, record, dn_out);
    buf_free(&base);
    buf_free(&filter);
    return result;
}

/* --- the password, checked by the directory -------------------------------------------------------------------------------- */

static enum helper_result of_bind(struct db_link *l, int rc)
{
    switch (rc) {
    case LDAP_SUCCESS:
        return HELPER_OK;
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_INAPPROPRIATE_AUTH:   /* an entry without a password */
    case LDAP_UNWILLING_TO_PERFORM: /* a locked one; it says nothing of the password */
    case LDAP_CONSTRAINT_VIOLATION: /* failed too often */
    case LDAP_INSUFFICIENT_ACCESS:
        return HELPER_WRONG;
    default:
        return fail(l, ((struct ldap_handle *)l->handle)->bind, "password cannot be checked", rc);
    }
}

static enum helper_result check_password(struct db_link *l, const char *dn, struct view password)
{
    struct ldap_handle *h = l->handle;
    bool old = h->bind != NULL;
    /* RFC 4513 section 5.1.1 and 5.1.2: a bind without a name or a password proves nothing and succeeds. */
    if (password.len == 0 || dn[0] == '\0')
        return HELPER_WRONG;
    if (!old && open_ldap(l, &h->bind) != 0)
        return HELPER_TEMPORARY;
    int rc = bind_as(h->bind, dn, password);
    if (connection_lost(rc) && old && db_now() < l->deadline) { /* the directory has closed it meanwhile */
        ldap_end(h->bind);
        h->bind = NULL;
        if (open_ldap(l, &h->bind) != 0)
            return HELPER_TEMPORARY;
        rc = bind_as(h->bind, dn, password);
    }
    return of_bind(l, rc);
}

static enum helper_result ask(struct db_link *l, const struct db_query *q, struct buf *record)
{
    char *dn = NULL;
    enum helper_result result = search(l, q, record, &dn);
    if (result == HELPER_OK && q->bind)
        result = check_password(l, dn, q->password);
    ldap_memfree(dn);
    return result;
}

const struct db_driver ldap_driver = {
    .proc = "auth-ldap",
    .kind = HELPER_LDAP,
    .profile = SANDBOX_HELPER_PEER,
    .open = open_handle,
    .ask = ask,
    .close = close_handle,
};
