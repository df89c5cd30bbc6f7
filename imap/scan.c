#include "imap/scan.h"

#include <time.h>

#include "common/base/mem.h"
#include "imap/limit.h"

#define BACKWARDS_MAX 4096 /* results that are looked for from the end of the mailbox */
#define PASS_STEP 4096     /* messages that are passed over between two looks at the clock */

bool imap_search_refuse(struct imap_job *job, const struct imap_search_program *prog)
{
    if (prog->bad_charset && prog->uses_filter) /* RFC 5466 3.1 */
        (void)imap_job_bad_code(job, "BADCHARSET (US-ASCII UTF-8)", "Charset is not supported");
    else if (prog->bad_charset)
        (void)imap_job_no(job, "BADCHARSET (US-ASCII UTF-8)", "Charset is not supported");
    else if (prog->undefined_filter.ptr != NULL) {
        (void)imap_job_no(job, "UNDEFINED-FILTER ", "No such filter, or it is no search");
        buf_put_view(&job->code, prog->undefined_filter);
    }
    return job->answer_text != NULL;
}

enum imap_step imap_search_slice_end(struct imap_job *job, struct imap_search_program *prog, enum imap_step r)
{
    return imap_search_budget_end(prog) ? r : imap_job_no(job, "LIMIT", "The search takes too much time");
}

bool imap_search_within_limit(struct imap_job *job, const struct imap_search_program *prog)
{
    uint32_t limit = imap_message_limit(job->s);
    struct uidset candidates;

    if (limit == 0)
        return true;
    uidset_init(&candidates);
    imap_search_candidates(prog, job->s->view, &candidates);
    if (imap_limit_cut(&candidates, limit) != 0)
        (void)imap_limit_refuse(job, limit, 0, "Too many messages for one command: narrow it down with UIDAFTER and UIDBEFORE");
    uidset_free(&candidates);
    return job->answer_text == NULL;
}

static void note_modseq(struct imap_scan *a, uint64_t modseq)
{
    if (a->modseq_min == 0)
        a->modseq_min = modseq;
    a->modseq_max = modseq;
    a->highest = MAX_OF(a->highest, modseq);
}

/* The highest one of the messages in a set. */
static uint64_t set_modseq(const struct imap_scan *a, const struct uidset *set)
{
    uint64_t highest = 0;
    uint32_t n, next = 0;
    size_t range = 0;

    while ((n = imap_seqs_next(set, &range, &next)) != 0) {
        struct msg_info info;

        mailbox_view_info(a->view, a->uid ? mailbox_view_seq(a->view, n) : n, &info);
        highest = MAX_OF(highest, info.modseq);
    }
    return highest;
}

/* RFC 7162 3.1.10: of the messages that are returned, which with only MIN or MAX are one or two, with only PARTIAL some. */
static uint64_t result_modseq(const struct imap_scan *a)
{
    if (!a->program.uses_modseq)
        return 0;
    switch (a->ret.options & ~(unsigned)IMAP_RETURN_SAVE) {
    case IMAP_RETURN_MIN:
        return a->modseq_min;
    case IMAP_RETURN_MAX:
        return a->modseq_max;
    case IMAP_RETURN_MIN | IMAP_RETURN_MAX:
        return MAX_OF(a->modseq_min, a->modseq_max);
    case IMAP_RETURN_PARTIAL:
        return set_modseq(a, &a->shown);
    default:
        return a->highest;
    }
}

/* Where not all results are needed, not all are looked for, and the last ones from the end. */
static void plan(struct imap_scan *a)
{
    const struct imap_partial *p = &a->ret.partial;

    a->enough = 0;
    a->backwards = false;
    if (a->ret.update)
        return; /* all results are needed */
    switch (a->ret.options & ~(unsigned)IMAP_RETURN_SAVE) {
    case IMAP_RETURN_MIN:
        a->enough = 1;
        break;
    case IMAP_RETURN_MAX:
        a->enough = 1;
        a->backwards = true;
        break;
    case IMAP_RETURN_PARTIAL:
        a->enough = MAX_OF(p->first, p->last);
        a->backwards = p->from_end && a->enough <= BACKWARDS_MAX;
        if (p->from_end && !a->backwards)
            a->enough = 0;
        break;
    default:
        break;
    }
}

void imap_scan_begin(struct imap_session *s, struct imap_scan *a, struct mailbox_view *view, bool uid)
{
    uint32_t count = mailbox_view_count(view);

    uidset_free(&a->found);
    uidset_free(&a->shown);
    a->view = view;
    a->uid = uid;
    a->scanned = a->lowest = 0;
    a->end = count;
    a->nfound = a->highest = a->modseq_min = a->modseq_max = 0;
    imap_search_resolve(&a->program, count, count == 0 ? 0 : mailbox_view_uid(view, count), &s->saved);
    a->flags = imap_search_flags(&a->program);
    a->now.now = (int64_t)time(NULL);
    plan(a);
}

void imap_scan_limit(struct imap_scan *a, uint32_t limit)
{
    struct uidset candidates;
    uint32_t first;

    if (limit == 0)
        return;
    uidset_init(&candidates);
    imap_search_candidates(&a->program, a->view, &candidates);
    first = imap_limit_cut(&candidates, limit);
    uidset_free(&candidates);
    if (first == 0)
        return;
    a->lowest = mailbox_view_uid(a->view, first);
    if (a->backwards)
        a->end -= first - 1;
    else
        a->scanned = first - 1;
}

/* Passes over messages that their flags rule out, some at a time: these cost no more than a look at their records. False: the
 * next one has to be looked at. */
static bool pass_over(struct imap_scan *a, uint32_t count)
{
    uint32_t ahead = MIN_OF(a->end - a->scanned, (uint32_t)PASS_STEP), from, to, seq;

    if (a->flags.set == 0 && a->flags.clear == 0)
        return false;
    from = a->backwards ? count - a->scanned : a->scanned + 1;
    to = a->backwards ? from - (ahead - 1) : from + (ahead - 1);
    seq = mailbox_view_find_flags(a->view, from, to, a->flags.set, a->flags.clear);
    if (seq == 0)
        a->scanned += ahead;
    else
        a->scanned += a->backwards ? from - seq : seq - from;
    return seq == 0;
}

enum imap_step imap_scan_step(struct imap_job *job, struct imap_scan *a)
{
    struct imap_session *s = job->s;
    uint32_t count = mailbox_view_count(a->view);
    bool dear = a->program.root->cost > SEARCH_COST_RECORD, over = false;
    struct imap_message m = {.seq = 0};

    imap_search_budget_begin(&a->program);
    while (!over && a->scanned < a->end && (a->enough == 0 || a->nfound < a->enough)) {
        if (pass_over(a, count)) {
            over = imap_slice_spent(s);
            continue;
        }
        a->scanned++;
        imap_message_open_in(s, a->view, &m, a->backwards ? count + 1 - a->scanned : a->scanned);
        if (!m.info.expunged && imap_search_match(s, &a->program, &a->now, &m)) {
            uidset_add(&a->found, a->uid ? m.info.uid : m.seq);
            a->nfound++;
            note_modseq(a, m.info.modseq);
        }
        imap_message_close(&m);
        over = dear ? imap_slice_spent(s) : imap_slice_over(s);
    }
    (void)imap_search_slice_end(job, &a->program, IMAP_STEP_DONE);
    if (job->answer_text != NULL)
        return IMAP_STEP_DONE;
    if (over)
        return IMAP_STEP_AGAIN;
    if ((a->ret.options & IMAP_RETURN_PARTIAL) != 0 && a->shown.n == 0)
        imap_partial_cut(&a->ret.partial, &a->found, &a->shown);
    return IMAP_STEP_DONE;
}

struct imap_esearch imap_scan_esearch(const struct imap_scan *a)
{
    const struct uidset *f = &a->found;
    struct imap_esearch e = {.ret = &a->ret, .uid = a->uid, .n = a->nfound, .modseq = result_modseq(a)};

    if (f->n > 0) {
        e.min = f->ranges[0].first;
        e.max = f->ranges[f->n - 1].last;
    }
    return e;
}

static void save_range(struct imap_session *s, const struct imap_scan *a, uint32_t first, uint32_t last)
{
    if (a->uid) {
        uidset_add_range(&s->saved, first, last);
        return;
    }
    for (uint32_t seq = first; seq <= last; seq++)
        uidset_add(&s->saved, mailbox_view_uid(a->view, seq));
}

static void save_set(struct imap_session *s, const struct imap_scan *a, const struct uidset *set)
{
    for (size_t i = 0; i < set->n; i++)
        save_range(s, a, set->ranges[i].first, set->ranges[i].last);
}

void imap_scan_save(struct imap_session *s, const struct imap_scan *a)
{
    const unsigned some = IMAP_RETURN_MIN | IMAP_RETURN_MAX | IMAP_RETURN_PARTIAL;
    const struct uidset *f = &a->found;

    if ((a->ret.options & IMAP_RETURN_SAVE) == 0)
        return;
    uidset_free(&s->saved);
    if (f->n == 0)
        return;
    if ((a->ret.options & (IMAP_RETURN_ALL | IMAP_RETURN_COUNT)) != 0 || (a->ret.options & some) == 0) {
        save_set(s, a, f);
        return;
    }
    save_set(s, a, &a->shown);
    if ((a->ret.options & IMAP_RETURN_MIN) != 0)
        save_range(s, a, f->ranges[0].first, f->ranges[0].first);
    if ((a->ret.options & IMAP_RETURN_MAX) != 0)
        save_range(s, a, f->ranges[f->n - 1].last, f->ranges[f->n - 1].last);
}

void imap_scan_free(struct imap_scan *a)
{
    imap_search_free(&a->program);
    uidset_free(&a->found);
    uidset_free(&a->shown);
}
