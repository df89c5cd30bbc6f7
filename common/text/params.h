/*
 * Texts with named parameters, as administrators write queries: :user (the whole name), :name (what is before the @), :domain
 * (what is behind it). A value never becomes part of a query's text: SQL gets places for bound values, LDAP gets it escaped.
 */
#ifndef CULVER_COMMON_TEXT_PARAMS_H
#define CULVER_COMMON_TEXT_PARAMS_H

#include "common/base/buf.h"

enum param { PARAM_USER, PARAM_NAME, PARAM_DOMAIN, PARAM_COUNT };
#define PARAMS_MAX 16 /* places in one query */

struct params_sql {
    enum param places[PARAMS_MAX]; /* what belongs to $1, $2 … */
    unsigned nplaces;
};

/* A query for a database that numbers its parameters: $1, $2 … in the order in which they occur. Texts in quotes, names in quotes
 * and comments are left alone, and so is PostgreSQL's "::type". ERR_SYNTAX: an unknown parameter, a quote or comment without end,
 * a '$' (dollar quotes, the query's own places), or a ';' with something behind it; ERR_LIMIT. */
MUST_CHECK int params_sql(struct view query, struct params_sql *places, struct buf *out);

/* Values in the order of enum param. A filter (RFC 4515) or a distinguished name (RFC 4514), each value escaped for its place. A
 * colon that no parameter's name follows is an ordinary one. ERR_SYNTAX: parentheses that do not match (filter only); ERR_LIMIT.
 */
MUST_CHECK int params_ldap_filter(struct view filter, const struct view values[static PARAM_COUNT], struct buf *out);
MUST_CHECK int params_ldap_dn(struct view dn, const struct view values[static PARAM_COUNT], struct buf *out);

#endif
