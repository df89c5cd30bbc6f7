/* The user's name in a certificate. For client_cert.c. */
#ifndef CULVER_AUTH_CLIENT_NAME_H
#define CULVER_AUTH_CLIENT_NAME_H

#include "common/base/buf.h"
#include "common/conf/settings.h"

struct x509_st;

/* NULL: it is in name. Otherwise why there is none: a field that is missing, that is there with two values, or whose value can be
 * no name. */
const char *client_name(struct x509_st *cert, enum set_client_name field, struct buf *name);
/* Appends " (serial …, subject)", as much of it as is useful for a log line. */
void client_name_describe(struct x509_st *cert, struct buf *out);

#endif
