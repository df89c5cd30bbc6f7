/* The envelope of one header block: which fields, which of several, and the defaults of RFC 9051 7.5.2. */
#include "storage/message/envelope.h"

#include <stdlib.h>

#include "storage/message/address.h"
#include "storage/message/header_int.h"

enum field {
    FIELD_FROM,
    FIELD_SENDER,
    FIELD_REPLY_TO,
    FIELD_TO,
    FIELD_CC,
    FIELD_BCC,
    FIELD_LISTS,
    FIELD_DATE = FIELD_LISTS,
    FIELD_SUBJECT,
    FIELD_IN_REPLY_TO,
    FIELD_MESSAGE_ID,
    FIELD_NONE
};

static enum field field_of(struct view name)
{
    static const char *const names[FIELD_NONE] = {"from", "sender", "reply-to", "to",          "cc",
                                                  "bcc",  "date",   "subject",  "in-reply-to", "message-id"};
    for (enum field i = 0; i < FIELD_NONE; i++) {
        if (view_eq_nocase(name, view_str(names[i])))
            return i;
    }
    return FIELD_NONE;
}

struct parse {
    struct envelope *out;
    struct arena *arena;
    struct header_budget budget;
    struct address_vec lists[FIELD_LISTS];
    unsigned addresses_left;
};

static struct view *text_field(struct envelope *e, enum field which)
{
    switch (which) {
    case FIELD_DATE:
        return &e->date;
    case FIELD_SUBJECT:
        return &e->subject;
    case FIELD_IN_REPLY_TO:
        return &e->in_reply_to;
    default:
        return &e->message_id;
    }
}

/* The first of a field counts, but the recipients of several fields are one list (RFC 5322 4.5.3). */
static void take_field(struct parse *p, enum field which, struct view value)
{
    bool cut = false;
    if (which < FIELD_LISTS) {
        struct address_vec *list = &p->lists[which];
        if (list->n > 0 && which != FIELD_TO && which != FIELD_CC && which != FIELD_BCC)
            return;
        value = header_clean(p->arena, header_budget_take(&p->budget, value, &cut));
        address_list_parse(p->arena, value, &p->addresses_left, list);
        return;
    }
    struct view *field = text_field(p->out, which);
    if (field->ptr == NULL)
        *field = header_clean(p->arena, header_budget_take(&p->budget, value, &cut));
}

static struct address_list keep_list(struct parse *p, enum field which)
{
    struct address_vec *v = &p->lists[which];
    struct address_list list = {NULL, 0};
    if (v->n > 0)
        list.items = arena_alloc(p->arena, v->n, sizeof(*list.items));
    if (list.items != NULL) {
        memcpy(list.items, v->items, v->n * sizeof(*list.items));
        list.n = v->n;
    }
    free(v->items);
    return list;
}

void envelope_parse(struct view header, const struct message_limits *limits, struct envelope *out)
{
    struct parse p = {.out = out, .addresses_left = limits->addresses};
    struct header_field f;
    memset(out, 0, sizeof(*out));
    p.arena = arena_new(limits->header_kept * 4 + (size_t)limits->addresses * 2 * sizeof(struct address));
    p.budget = header_budget_make(limits->header_kept);
    while (header_next(&header, &f)) {
        enum field which = field_of(f.name);
        if (which != FIELD_NONE)
            take_field(&p, which, f.value);
    }
    out->from = keep_list(&p, FIELD_FROM);
    out->sender = keep_list(&p, FIELD_SENDER);
    out->reply_to = keep_list(&p, FIELD_REPLY_TO);
    out->to = keep_list(&p, FIELD_TO);
    out->cc = keep_list(&p, FIELD_CC);
    out->bcc = keep_list(&p, FIELD_BCC);
    if (out->sender.n == 0)
        out->sender = out->from;
    if (out->reply_to.n == 0)
        out->reply_to = out->from;
    out->arena = p.arena; /* transferred */
}

void envelope_free(struct envelope *e)
{
    struct arena *a = e->arena;
    arena_free(&a);
    memset(e, 0, sizeof(*e));
}
