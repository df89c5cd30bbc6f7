/* PostgreSQL. libpq's own waiting knows no milliseconds, and for a query no limit at all: its non-blocking calls, and poll(). */
#include "auth/pgsql/pgsql.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>

#include "common/base/mem.h"

static void no_notice(void *arg, const PGresult *res)
{
    (void)arg;
    (void)res;
}

/* Until the connection's socket is ready. False: out of time. */
static bool await(const struct db_link *l, const PGconn *conn, short events)
{
    for (;;) {
        struct pollfd p = {.fd = PQsocket(conn), .events = events};
        int n = poll(&p, 1, db_left(l));
        if (n > 0)
            return true;
        if ((n < 0 && errno != EINTR) || db_now() >= l->deadline)
            return false;
    }
}

/* NULL: connected; else why not. */
static const char *connect_wait(const struct db_link *l, PGconn *conn)
{
    PostgresPollingStatusType s = PGRES_POLLING_WRITING;
    while (PQstatus(conn) != CONNECTION_BAD && s != PGRES_POLLING_OK) {
        if (s == PGRES_POLLING_FAILED)
            return PQerrorMessage(conn);
        if (!await(l, conn, s == PGRES_POLLING_READING ? POLLIN : POLLOUT))
            return "it does not answer in time";
        s = PQconnectPoll(conn);
    }
    return PQstatus(conn) == CONNECTION_BAD ? PQerrorMessage(conn) : NULL;
}

static void close_handle(struct db_link *l)
{
    PQfinish(l->handle);
}

static int open_handle(struct db_link *l)
{
    /* What stands behind dbname is a whole connection string; what follows it has the last word. */
    const char *const names[] = {"fallback_application_name", "dbname", "client_encoding", l->password ? "password" : NULL, NULL};
    const char *const values[] = {"culver", l->set->connect, "UTF8",
                                  l->password ? (const char *)secret_view(l->password).ptr : NULL, NULL};
    PGconn *conn = PQconnectStartParams(names, values, 1);
    const char *why = conn == NULL ? "out of memory" : connect_wait(l, conn);
    if (why == NULL && PQsetnonblocking(conn, 1) != 0)
        why = "no non-blocking connection";
    if (why != NULL) {
        db_complain(l, "database cannot be reached", why);
        PQfinish(conn);
        return ERR_IO;
    }
    PQsetNoticeReceiver(conn, no_notice, NULL);
    l->handle = conn;
    return 0;
}

/* The next result, or NULL with *good: there is none left; without: the connection is lost, or time is over. */
static PGresult *next_result(const struct db_link *l, PGconn *conn, bool *good)
{
    *good = false;
    for (;;) {
        int left = PQflush(conn);
        if (left < 0)
            return NULL;
        if (left == 0 && !PQisBusy(conn)) {
            *good = true;
            return PQgetResult(conn);
        }
        if (!await(l, conn, left > 0 ? POLLIN | POLLOUT : POLLIN) || PQconsumeInput(conn) != 1)
            return NULL;
    }
}

static void put_row(const PGresult *res, struct buf *record)
{
    for (int i = 0; i < PQnfields(res); i++) {
        if (!PQgetisnull(res, 0, i))
            db_field_put(record, view_str(PQfname(res, i)), view_make(PQgetvalue(res, 0, i), (size_t)PQgetlength(res, 0, i)));
    }
}

static enum helper_result take(struct db_link *l, const PGresult *res, struct buf *record)
{
    if (PQresultStatus(res) != PGRES_TUPLES_OK) {
        /* A server that is going down says so with an error. */
        l->broken = PQstatus(l->handle) == CONNECTION_BAD ||
                    view_starts(view_str(PQresultErrorField(res, PG_DIAG_SQLSTATE)), VIEW("57P"));
        if (!l->broken)
            db_complain(l, "query failed", PQresultErrorMessage(res));
        return HELPER_TEMPORARY;
    }
    if (PQntuples(res) == 0)
        return HELPER_UNKNOWN;
    if (PQntuples(res) > 1) {
        db_complain(l, "query failed", "it gives more than one row for a user");
        return HELPER_TEMPORARY;
    }
    put_row(res, record);
    return HELPER_OK;
}

static enum helper_result run(struct db_link *l, const char *sql, const struct params_sql *places, const struct db_query *q,
                              struct buf *record)
{
    char *values[PARAMS_MAX] = {NULL};
    PGconn *conn = l->handle;
    enum helper_result result = HELPER_TEMPORARY;
    for (unsigned i = 0; i < places->nplaces; i++)
        values[i] = view_dup(q->values[places->places[i]]);
    bool good = PQsendQueryParams(conn, sql, (int)places->nplaces, NULL, (const char *const *)values, NULL, NULL, 0) == 1;
    PGresult *res = good ? next_result(l, conn, &good) : NULL;
    if (res != NULL)
        result = take(l, res, record);
    while (res != NULL) { /* all is read before the next query */
        PQclear(res);
        res = next_result(l, conn, &good);
    }
    if (!good) {
        l->broken = true;
        result = HELPER_TEMPORARY;
    }
    for (unsigned i = 0; i < places->nplaces; i++)
        free(values[i]);
    return result;
}

static enum helper_result ask(struct db_link *l, const struct db_query *q, struct buf *record)
{
    enum helper_result result = HELPER_TEMPORARY;
    struct params_sql places;
    struct buf sql;
    buf_init(&sql, 2 * PROTO_RECORD_MAX);
    int err = params_sql(view_str(q->ask->query), &places, &sql);
    buf_put_byte(&sql, '\0');
    if (err != 0 || !buf_ok(&sql))
        db_complain(l, "query refused", "it cannot be read");
    else
        result = run(l, (const char *)buf_view(&sql).ptr, &places, q, record);
    buf_free(&sql);
    return result;
}

const struct db_driver pgsql_driver = {
    .proc = "auth-pgsql",
    .kind = HELPER_PGSQL,
    .profile = SANDBOX_HELPER_PEER,
    .open = open_handle,
    .ask = ask,
    .close = close_handle,
};
