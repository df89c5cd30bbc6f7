/*
 * The file is opened for reading only. One that was replaced (by a rename) is noticed by its inode and opened anew. A database in
 * WAL mode can be read as long as its -wal and -shm files are there and readable, that is while its writer has it open.
 */
#include "auth/sqlite/sqlite.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/mem.h"

#define PROGRESS_STEPS 1000

struct sqlite_handle {
    sqlite3 *db;
    dev_t dev;
    ino_t ino;
};

static void close_handle(struct db_link *l)
{
    struct sqlite_handle *h = l->handle;
    sqlite3_close(h->db);
    free(h);
}

/* Ends a query that takes too long. */
static int on_progress(void *arg)
{
    const struct db_link *l = arg;
    return db_now() >= l->deadline;
}

static int open_handle(struct db_link *l)
{
    struct stat st;
    sqlite3 *db = NULL;
    if (stat(l->set->file, &st) != 0) {
        db_complain(l, "database cannot be opened", "there is no such file, or it may not be read");
        return ERR_NOTFOUND;
    }
    int rc = sqlite3_open_v2(l->set->file, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) /* what the file itself brings along of code and schema is not trusted */
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (rc != SQLITE_OK) {
        db_complain(l, "database cannot be opened", db != NULL ? sqlite3_errmsg(db) : "out of memory");
        sqlite3_close(db);
        return ERR_IO;
    }
    sqlite3_busy_timeout(db, (int)l->set->timeout);
    sqlite3_progress_handler(db, PROGRESS_STEPS, on_progress, l);
    struct sqlite_handle *h = xcalloc(1, sizeof(*h));
    *h = (struct sqlite_handle){.db = db, .dev = st.st_dev, .ino = st.st_ino};
    l->handle = h;
    return 0;
}

/* True when the path leads to another file than the one that is open, or to none. */
static bool replaced(const struct db_link *l)
{
    const struct sqlite_handle *h = l->handle;
    struct stat st;
    return stat(l->set->file, &st) != 0 || st.st_dev != h->dev || st.st_ino != h->ino;
}

static void put_row(sqlite3_stmt *st, struct buf *record)
{
    for (int i = 0; i < sqlite3_column_count(st); i++) {
        if (sqlite3_column_type(st, i) == SQLITE_NULL)
            continue;
        const unsigned char *text = sqlite3_column_text(st, i);
        if (text == NULL)
            record->failed = true;
        else
            db_field_put(record, view_str(sqlite3_column_name(st, i)), view_make(text, (size_t)sqlite3_column_bytes(st, i)));
    }
}

static enum helper_result fail(const struct db_link *l, const char *what)
{
    const struct sqlite_handle *h = l->handle;
    db_complain(l, what, sqlite3_errmsg(h->db));
    return HELPER_TEMPORARY;
}

static enum helper_result run(struct db_link *l, sqlite3_stmt *st, const struct params_sql *places, const struct db_query *q,
                              struct buf *record)
{
    if (!sqlite3_stmt_readonly(st)) {
        db_complain(l, "query refused", "it would change the database");
        return HELPER_TEMPORARY;
    }
    for (unsigned i = 0; i < places->nplaces; i++) {
        struct view v = q->values[places->places[i]];
        if (sqlite3_bind_text(st, (int)i + 1, (const char *)v.ptr, (int)v.len, SQLITE_TRANSIENT) != SQLITE_OK)
            return fail(l, "query failed");
    }
    int rc = sqlite3_step(st);
    if (rc == SQLITE_DONE)
        return HELPER_UNKNOWN;
    if (rc != SQLITE_ROW)
        return fail(l, "query failed");
    put_row(st, record);
    rc = sqlite3_step(st);
    if (rc == SQLITE_DONE)
        return HELPER_OK;
    if (rc != SQLITE_ROW)
        return fail(l, "query failed");
    db_complain(l, "query failed", "it gives more than one row for a user");
    return HELPER_TEMPORARY;
}

static enum helper_result ask(struct db_link *l, const struct db_query *q, struct buf *record)
{
    enum helper_result result = HELPER_TEMPORARY;
    struct params_sql places;
    struct buf sql;
    sqlite3_stmt *st = NULL;
    if (replaced(l)) {
        l->broken = true;
        return HELPER_TEMPORARY;
    }
    buf_init(&sql, 2 * PROTO_RECORD_MAX);
    const struct sqlite_handle *h = l->handle;
    if (params_sql(view_str(q->ask->query), &places, &sql) != 0)
        db_complain(l, "query refused", "it cannot be read");
    else if (sqlite3_prepare_v2(h->db, (const char *)buf_view(&sql).ptr, (int)buf_len(&sql), &st, NULL) != SQLITE_OK ||
             st == NULL)
        result = fail(l, "query refused");
    else
        result = run(l, st, &places, q, record);
    sqlite3_finalize(st);
    buf_free(&sql);
    return result;
}

const struct db_driver sqlite_driver = {
    .proc = "auth-sqlite",
    .kind = HELPER_SQLITE,
    .profile = SANDBOX_HELPER_SQLITE,
    .reads_file = true,
    .open = open_handle,
    .ask = ask,
    .close = close_handle,
};
