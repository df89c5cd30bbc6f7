/* An account as a source: of an export, of salvage, or of an import from another account. */
#include <stdlib.h>

#include "storage/mailbox_view.h"
#include "worker/tool.h"

static int give_message(struct tool *t, struct mailbox_view *v, uint32_t seq, struct tool_sink *sink)
{
    struct mailbox *m = mailbox_view_mailbox(v);
    struct view keywords[KEYWORDS_MAX];
    struct tool_message out = {.keywords = keywords, .has_date = true};
    struct msg_info info;
    struct msg_data data;
    int err;

    mailbox_view_info(v, seq, &info);
    err = mailbox_view_data(v, seq, &data);
    if (err != 0) {
        char *name = tool_printable(mailbox_name(m));

        tool_complain(t, "%s, UID %u: %s", name, info.uid, err_str(err));
        t->failed++;
        free(name);
        return 0;
    }
    for (unsigned k = 0; k < mailbox_keyword_count(m); k++) {
        if ((info.keywords.bits[k / 64] & (uint64_t)1 << (k % 64)) != 0)
            keywords[out.nkeywords++] = mailbox_keyword(m, k);
    }
    out.uid = info.uid;
    out.flags = info.flags;
    out.date = info.date;
    out.zone = info.zone_minutes;
    out.uidl = mailbox_view_uidl(v, seq);
    out.bytes = data.bytes;
    err = sink->ops->message(sink, &out);
    msg_data_close(&data);
    return err;
}

static int give_mailbox(struct tool *t, struct account *acc, struct mailbox *m, struct tool_sink *sink)
{
    struct mailbox_view *v;
    struct mailbox_status st;
    struct tool_mailbox out = {.name = mailbox_name(m)};
    int err;

    mailbox_status(m, &st);
    out.uidvalidity = st.uidvalidity;
    out.uidnext = st.uidnext;
    err = sink->ops->mailbox(sink, &out);
    if (err != 0)
        return err == ERR_EXISTS ? 0 : err;
    v = mailbox_view_open(acc, m, false);
    for (uint32_t seq = 1; seq <= mailbox_view_count(v) && err == 0; seq++)
        err = give_message(t, v, seq, sink);
    mailbox_view_close(&v);
    return err == 0 ? sink->ops->mailbox_end(sink) : err;
}

struct giving {
    struct tool *tool;
    struct account *acc;
    struct tool_sink *sink;
    int err;
};

static bool give_entry(void *arg, const struct mailbox_entry *e)
{
    struct giving *g = arg;

    if (e->mailbox != NULL)
        g->err = give_mailbox(g->tool, g->acc, e->mailbox, g->sink);
    if (g->err == 0 && e->subscribed)
        g->err = g->sink->ops->subscribe(g->sink, e->name);
    return g->err == 0;
}

int tool_source_account(struct tool *t, struct account *acc, struct tool_sink *sink)
{
    struct giving g = {t, acc, sink, 0};

    account_each(acc, give_entry, &g);
    return g.err;
}
