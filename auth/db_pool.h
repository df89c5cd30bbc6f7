/*
 * The connections to one database, each held by a helper process: culver-auth asks, and never waits itself. At most
 * `connections` helpers exist, started when there is a question that no idle one can take; further questions wait in a bounded
 * queue. Every question ends in one place: with the helper's answer, or with HELPER_TEMPORARY when it was too late, or the helper
 * died or broke the protocol. A helper that dies before it has answered anything is not started again at once.
 */
#ifndef CULVER_AUTH_DB_POOL_H
#define CULVER_AUTH_DB_POOL_H

#include "common/conf/settings.h"
#include "common/io/loop.h"
#include "common/ipc/ipc.h"
#include "common/ipc/proto.h"

#define DB_QUEUE_MAX 1024

struct db_pool;
struct db_question;

/* Called once for each question that was not cancelled, never from within db_pool_ask. answer is valid during the call. */
typedef void db_done_fn(void *arg, const struct msg_helper_db *answer);

/* master and set must outlive the pool. */
struct db_pool *db_pool_new(struct loop *loop, struct ipc *master, const struct set_database *set);
/* Drops everything that is pending without calling anybody. */
void db_pool_free(struct db_pool **pool);

/* ERR_LIMIT: the queue is full, or no such question is possible. sid: for log lines. */
MUST_CHECK int db_pool_ask(struct db_pool *pool, const struct msg_ask_db *msg, uint64_t sid, db_done_fn *done, void *arg,
                           struct db_question **out);
/* Nobody waits for it any more. Sets the pointer to NULL, accepts NULL. */
void db_pool_cancel(struct db_question **q);

#endif
