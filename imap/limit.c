#include "imap/limit.h"

#include "common/base/mem.h"
#include "imap/capability.h"
#include "imap/respond.h"

uint32_t imap_message_limit(const struct imap_session *s)
{
    uint64_t limit = s->host->set->imap_message_limit;

    return limit == 0 || imap_capability_disabled(s, "MESSAGELIMIT") ? 0 : (uint32_t)limit;
}

uint32_t imap_save_limit(const struct imap_session *s)
{
    uint64_t limit = s->host->set->imap_save_limit;

    if (s->host->set->imap_message_limit > 0)
        return imap_message_limit(s);
    return limit == 0 || imap_capability_disabled(s, "SAVELIMIT") ? 0 : (uint32_t)limit;
}

uint32_t imap_limit_cut(struct uidset *set, uint32_t limit)
{
    uint64_t left = limit;
    size_t i = set->n;
    uint32_t lowest = 0;

    if (limit == 0)
        return 0;
    while (i > 0 && left > 0) { /* from the highest range down */
        const struct uid_range *r = &set->ranges[--i];
        uint64_t n = MIN_OF(left, (uint64_t)(r->last - r->first) + 1);

        lowest = r->last - (uint32_t)(n - 1);
        left -= n;
    }
    if (left > 0 || set->n == 0 || lowest == set->ranges[0].first)
        return 0;
    uidset_remove_range(set, 1, lowest - 1);
    return lowest;
}

void imap_limit_note(struct imap_job *job, uint32_t limit, uint32_t lowest)
{
    job->limit = limit;
    job->limited = lowest;
}

static void put_code(struct buf *code, uint32_t limit, uint32_t lowest)
{
    buf_put_str(code, "MESSAGELIMIT ");
    buf_put_dec(code, limit);
    if (lowest != 0) {
        buf_put_byte(code, ' ');
        buf_put_dec(code, lowest);
    }
}

void imap_limit_put(struct imap_job *job)
{
    struct buf code;

    if (job->limited == 0 || job->answer != IMAP_OK)
        return;
    if (buf_len(&job->code) == 0) {
        put_code(&job->code, job->limit, job->limited);
        return;
    }
    buf_init(&code, 64);
    put_code(&code, job->limit, job->limited);
    imap_put_tagged(job->s, (struct view){NULL, 0}, IMAP_NO, buf_view(&code),
                    "There are more messages than one command may work on");
    buf_free(&code);
}

enum imap_step imap_limit_refuse(struct imap_job *job, uint32_t limit, uint32_t lowest, const char *text)
{
    (void)imap_job_no(job, NULL, text);
    put_code(&job->code, limit, lowest);
    return IMAP_STEP_DONE;
}

void imap_limit_intersect(const struct uidset *a, const struct uidset *b, struct uidset *out)
{
    for (size_t i = 0, k = 0; i < a->n && k < b->n;) {
        uint32_t first = MAX_OF(a->ranges[i].first, b->ranges[k].first), last = MIN_OF(a->ranges[i].last, b->ranges[k].last);

        if (first <= last)
            uidset_add_range(out, first, last);
        if (a->ranges[i].last < b->ranges[k].last)
            i++;
        else
            k++;
    }
}
