/*
 * SETQUOTA (RFC 9208 4.1.3), for administrators: for a session that a master user has opened. Others are told why they cannot.
 *
 * What is set holds instead of the user database's and the configuration's limits, all of them: a resource that is not listed has
 * none, but for those that the server has of itself (MAILBOX has a default, ANNOTATION-STORAGE is fixed). An empty list, of which
 * the RFC only says that it discards what was set before, gives back the configured limits.
 */
#include "common/base/mem.h"
#include "common/log/log.h"
#include "imap/capability.h"
#include "imap/command.h"
#include "imap/quota.h"

static const char *const resources[] = {"STORAGE", "MESSAGE", "MAILBOX", "ANNOTATION-STORAGE"};
enum { STORAGE, MESSAGE, MAILBOX, ANNOTATION_STORAGE, RESOURCES };

struct setquota_args {
    struct view root;
    uint64_t limits[RESOURCES];
    unsigned listed; /* bits of those */
    bool unknown;    /* another resource is listed */
    bool staged;
};

static void parse_resource(struct imap_parse *p, struct setquota_args *a)
{
    struct view name = imap_parse_atom(p);
    uint64_t limit;
    size_t i = 0;

    imap_parse_space(p);
    limit = imap_parse_number(p, 0, INT64_MAX);
    while (i < RESOURCES && !view_eq_nocase(name, view_str(resources[i])))
        i++;
    if (i == RESOURCES) {
        a->unknown = true;
        return;
    }
    if ((a->listed & 1u << i) != 0)
        imap_parse_fail(p, "Resource listed twice");
    a->listed |= 1u << i;
    a->limits[i] = limit;
}

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct setquota_args *a = job->args;

    imap_parse_space(p);
    a->root = imap_parse_astring(p);
    imap_parse_space(p);
    imap_parse_open(p);
    if (imap_parse_peek(p) != ')') {
        do {
            parse_resource(p, a);
        } while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    }
    imap_parse_close(p);
}

static uint64_t limit_of(const struct setquota_args *a, unsigned resource, uint64_t unit)
{
    return (a->listed & 1u << resource) != 0 ? a->limits[resource] * unit : QUOTA_NONE;
}

static enum imap_step stage(struct imap_job *job, struct setquota_args *a)
{
    const struct quota_limits limits = {limit_of(a, STORAGE, 1024), limit_of(a, MESSAGE, 1), limit_of(a, MAILBOX, 1)};
    struct txn *t = txn_begin(job->s->acc);
    int err = txn_set_limits(t, a->listed != 0 ? &limits : NULL);

    if (err != 0) {
        txn_abort(&t);
        return imap_job_fail(job, err);
    }
    imap_job_commit(job, &t);
    a->staged = true;
    return IMAP_STEP_COMMIT;
}

static enum imap_step check(struct imap_job *job, struct setquota_args *a)
{
    const struct imap_session *s = job->s;

    if (!s->host->admin || imap_capability_disabled(s, "QUOTASET"))
        return imap_job_no(job, "NOPERM", "Quotas are set by the administrator");
    if (!view_eq(a->root, VIEW(IMAP_QUOTA_ROOT)))
        return imap_job_no(job, "NONEXISTENT", "No such quota root");
    if (a->unknown || (a->listed & 1u << ANNOTATION_STORAGE) != 0)
        return imap_job_no(job, "CANNOT", "This resource has no limit that can be set");
    if (a->limits[STORAGE] > UINT64_MAX / 1024 - 1)
        return imap_job_no(job, "LIMIT", "Limit too large");
    if (s->host->set->mailboxes_max != 0 && a->limits[MAILBOX] > s->host->set->mailboxes_max)
        return imap_job_no(job, "LIMIT", "No user may have so many mailboxes on this server");
    return stage(job, a);
}

static enum imap_step step(struct imap_job *job)
{
    struct setquota_args *a = job->args;
    struct quota_usage q;

    if (!a->staged)
        return check(job, a);
    if (job->commit_err != 0)
        return imap_job_fail(job, job->commit_err);
    account_quota(job->s->acc, &q);
    LOG_INFO(job->s->host->id, a->listed != 0 ? "quota set" : "quota is the configured one again",
             F_STR("user", job->s->host->user), F_INT("bytes", q.limits.bytes), F_INT("messages", q.limits.messages),
             F_INT("mailboxes", q.limits.mailboxes));
    imap_quota_put(job->s);
    return imap_job_ok(job, "SETQUOTA completed");
}

const struct imap_command imap_cmd_setquota = {.name = "SETQUOTA",
                                               .states = IMAP_ANY,
                                               .capability = "QUOTA",
                                               .args_size = sizeof(struct setquota_args),
                                               .parse = parse,
                                               .step = step};
