/* search-key (RFC 9051 section 9). Parentheses are bounded by depth, everything by the number of keys, which bounds the recursion
 * of OR and NOT. */
#include "common/base/mem.h"
#include "common/text/text.h"
#include "imap/search.h"

#define FILTER_DEPTH_MAX 10 /* RFC 5466 3.1: at least 3 */

enum argument { ARG_NONE, ARG_STRING, ARG_DATE, ARG_NUMBER, ARG_NUMBER64, ARG_SET, ARG_KEYWORD, ARG_SPECIAL };

static const struct key {
    const char *name;
    enum imap_search_op op;
    enum argument argument;
    unsigned value; /* flag, address, or comparison */
    bool negate;
} keys[] = {
    {"ALL", SEARCH_ALL, ARG_NONE, 0, false},
    {"ANSWERED", SEARCH_FLAG, ARG_NONE, MSG_ANSWERED, false},
    {"BCC", SEARCH_ADDRESS, ARG_STRING, SEARCH_BCC, false},
    {"BEFORE", SEARCH_DATE, ARG_DATE, SEARCH_BEFORE, false},
    {"BODY", SEARCH_BODY, ARG_STRING, 0, false},
    {"CC", SEARCH_ADDRESS, ARG_STRING, SEARCH_CC, false},
    {"DELETED", SEARCH_FLAG, ARG_NONE, MSG_DELETED, false},
    {"DRAFT", SEARCH_FLAG, ARG_NONE, MSG_DRAFT, false},
    {"EMAILID", SEARCH_EMAILID, ARG_KEYWORD, 0, false},
    {"FILTER", SEARCH_FILTER, ARG_SPECIAL, 0, false},
    {"FLAGGED", SEARCH_FLAG, ARG_NONE, MSG_FLAGGED, false},
    {"FROM", SEARCH_ADDRESS, ARG_STRING, SEARCH_FROM, false},
    {"HEADER", SEARCH_HEADER, ARG_SPECIAL, 0, false},
    {"KEYWORD", SEARCH_KEYWORD, ARG_KEYWORD, 0, false},
    {"LARGER", SEARCH_LARGER, ARG_NUMBER64, 0, false},
    {"MODSEQ", SEARCH_MODSEQ, ARG_SPECIAL, 0, false},
    {"NEW", SEARCH_AND, ARG_SPECIAL, 0, false},
    {"NOT", SEARCH_NOT, ARG_SPECIAL, 0, false},
    {"OLD", SEARCH_RECENT, ARG_NONE, 0, true},
    {"OLDER", SEARCH_AGE, ARG_NUMBER, SEARCH_BEFORE, false},
    {"ON", SEARCH_DATE, ARG_DATE, SEARCH_ON, false},
    {"OR", SEARCH_OR, ARG_SPECIAL, 0, false},
    {"RECENT", SEARCH_RECENT, ARG_NONE, 0, false},
    {"SAVEDATESUPPORTED", SEARCH_ALL, ARG_NONE, 0, false},
    {"SAVEDBEFORE", SEARCH_SAVED, ARG_DATE, SEARCH_BEFORE, false},
    {"SAVEDON", SEARCH_SAVED, ARG_DATE, SEARCH_ON, false},
    {"SAVEDSINCE", SEARCH_SAVED, ARG_DATE, SEARCH_SINCE, false},
    {"SEEN", SEARCH_FLAG, ARG_NONE, MSG_SEEN, false},
    {"SENTBEFORE", SEARCH_SENT, ARG_DATE, SEARCH_BEFORE, false},
    {"SENTON", SEARCH_SENT, ARG_DATE, SEARCH_ON, false},
    {"SENTSINCE", SEARCH_SENT, ARG_DATE, SEARCH_SINCE, false},
    {"SINCE", SEARCH_DATE, ARG_DATE, SEARCH_SINCE, false},
    {"SMALLER", SEARCH_SMALLER, ARG_NUMBER64, 0, false},
    {"SUBJECT", SEARCH_SUBJECT, ARG_STRING, 0, false},
    {"TEXT", SEARCH_TEXT, ARG_STRING, 0, false},
    {"THREADID", SEARCH_THREADID, ARG_KEYWORD, 0, false},
    {"TO", SEARCH_ADDRESS, ARG_STRING, SEARCH_TO, false},
    {"UID", SEARCH_UID, ARG_SET, 0, false},
    {"UIDAFTER", SEARCH_UIDAFTER, ARG_NUMBER, 0, false},
    {"UIDBEFORE", SEARCH_UIDBEFORE, ARG_NUMBER, 0, false},
    {"UNANSWERED", SEARCH_FLAG, ARG_NONE, MSG_ANSWERED, true},
    {"UNDELETED", SEARCH_FLAG, ARG_NONE, MSG_DELETED, true},
    {"UNDRAFT", SEARCH_FLAG, ARG_NONE, MSG_DRAFT, true},
    {"UNFLAGGED", SEARCH_FLAG, ARG_NONE, MSG_FLAGGED, true},
    {"UNKEYWORD", SEARCH_KEYWORD, ARG_KEYWORD, 0, true},
    {"UNSEEN", SEARCH_FLAG, ARG_NONE, MSG_SEEN, true},
    {"YOUNGER", SEARCH_AGE, ARG_NUMBER, SEARCH_SINCE, false},
};

static struct imap_search_node *parse_key(struct imap_parse *p, struct imap_search_program *prog);
static struct imap_search_node *parse_all(struct imap_parse *p, struct imap_search_program *prog);

static struct imap_search_node *node_new(struct imap_parse *p, struct imap_search_program *prog, enum imap_search_op op)
{
    struct imap_search_node *n = imap_pool_alloc(p->pool, sizeof(*n));

    if (n == NULL || ++prog->keys > IMAP_SEARCH_KEYS_MAX) {
        imap_parse_fail(p, "Too many search keys");
        return NULL;
    }
    n->op = op;
    n->all = prog->all;
    prog->all = n;
    switch (op) {
    case SEARCH_SENT:
    case SEARCH_SUBJECT:
    case SEARCH_ADDRESS:
    case SEARCH_THREADID:
        n->cost = SEARCH_COST_DIGEST;
        break;
    case SEARCH_HEADER:
        n->cost = SEARCH_COST_HEADER;
        break;
    case SEARCH_BODY:
    case SEARCH_TEXT:
        n->cost = SEARCH_COST_BODY;
        break;
    default:
        n->cost = SEARCH_COST_RECORD;
    }
    return n;
}

/* Keeps children sorted by cost; a parent costs what its dearest child does. */
static void add_child(struct imap_search_node *parent, struct imap_search_node *child)
{
    struct imap_search_node **at = &parent->children;

    if (child == NULL)
        return;
    while (*at != NULL && (*at)->cost <= child->cost)
        at = &(*at)->next;
    child->next = *at;
    *at = child;
    parent->cost = MAX_OF(parent->cost, child->cost);
}

static struct imap_search_node *negated(struct imap_parse *p, struct imap_search_program *prog, struct imap_search_node *n)
{
    struct imap_search_node *inverse = n == NULL ? NULL : node_new(p, prog, SEARCH_NOT);

    if (inverse != NULL)
        add_child(inverse, n);
    return inverse;
}

static void take_find(struct imap_parse *p, struct imap_search_program *prog, struct imap_search_node *n)
{
    struct view v = imap_parse_astring(p);

    if (prog->find_work == NULL)
        prog->find_work = imap_pool_alloc(p->pool, sizeof(*prog->find_work));
    if (imap_parse_ok(p) && (prog->find_work == NULL || !imap_find_init(&n->find, p->pool, prog->find_work, prog->collation, v)))
        imap_parse_fail(p, "Search too large");
}

/* MODSEQ [entry-name type] number (RFC 7162 3.1.5): mod-sequences here are of the message, so the entry does not matter. */
static void parse_modseq(struct imap_parse *p, struct imap_search_program *prog, struct imap_search_node *n)
{
    if (imap_parse_peek(p) == '"') {
        (void)imap_parse_string(p);
        imap_parse_space(p);
        if (!imap_parse_try_word(p, "priv") && !imap_parse_try_word(p, "shared") && !imap_parse_try_word(p, "all"))
            imap_parse_fail(p, "Invalid MODSEQ entry type");
        imap_parse_space(p);
    }
    n->number = imap_parse_number(p, 0, INT64_MAX);
    prog->uses_modseq = true;
}

struct imap_search_filter *imap_search_filter_new(struct imap_pool *pool, struct view name, struct view value)
{
    struct imap_search_filter *f = imap_pool_alloc(pool, sizeof(*f));

    if (f == NULL)
        return NULL;
    f->name = imap_pool_copy(pool, name);
    f->value = imap_pool_copy(pool, value);
    return f->name.ptr == NULL || f->value.ptr == NULL ? NULL : f;
}

/* private before shared (RFC 5466 3.1). name: in lower case */
static bool look_up_filter(struct account *acc, struct view name, struct view *value_out)
{
    static const char *const roots[] = {"/private/filters/values/", "/shared/filters/values/"};
    bool found = false;

    for (size_t i = 0; i < ARRAY_LEN(roots) && acc != NULL && !found; i++) {
        struct buf entry;

        buf_init(&entry, ANNOTATION_ENTRY_MAX);
        buf_put_str(&entry, roots[i]);
        buf_put_view(&entry, name);
        found = buf_ok(&entry) && account_annotation(acc, buf_view(&entry), value_out);
        buf_free(&entry);
    }
    return found;
}

/* The filter as the program has it already, or as it is now. NULL: there is none, or the pool is full. */
static const struct imap_search_filter *find_filter(struct imap_pool *pool, struct imap_search_program *prog, struct view name)
{
    struct imap_search_filter **at = &prog->filters;
    struct view value;
    struct buf lower;

    while (*at != NULL && !view_eq_nocase((*at)->name, name))
        at = &(*at)->next;
    if (*at != NULL)
        return *at;
    buf_init(&lower, name.len + 1);
    for (size_t i = 0; i < name.len; i++)
        buf_put_byte(&lower, ascii_lower(name.ptr[i]));
    if (look_up_filter(prog->acc, buf_view(&lower), &value))
        *at = imap_search_filter_new(pool, buf_view(&lower), value);
    buf_free(&lower);
    return *at;
}

/* FILTER name: the keys that are stored under that name, as if they stood here in parentheses (RFC 5466 3.1). They can name
 * filters in turn; one that is nested too deep, in a circle for instance, counts as missing. */
static struct imap_search_node *parse_filter(struct imap_parse *p, struct imap_search_program *prog)
{
    const struct imap_search_filter *filter = NULL;
    struct imap_parse inner;
    struct imap_search_node *n;
    struct view name;

    imap_parse_space(p);
    name = imap_parse_atom(p);
    if (!imap_parse_ok(p) || view_find(name, '/') < name.len) {
        imap_parse_fail(p, "Invalid filter name");
        return NULL;
    }
    prog->uses_filter = true;
    if (prog->undefined_filter.ptr != NULL)
        return node_new(p, prog, SEARCH_NONE);
    if (prog->filter_depth < FILTER_DEPTH_MAX)
        filter = find_filter(p->pool, prog, name);
    if (filter == NULL) {
        prog->undefined_filter = name;
        return node_new(p, prog, SEARCH_NONE);
    }
    imap_parse_init(&inner, filter->value, p->pool);
    inner.depth = p->depth;
    inner.uidonly = p->uidonly;
    prog->filter_depth++;
    n = parse_all(&inner, prog);
    prog->filter_depth--;
    imap_parse_end(&inner);
    if (!imap_parse_ok(&inner) && inner.code != NULL)
        imap_parse_fail_code(p, inner.code, imap_parse_error(&inner));
    else if (!imap_parse_ok(&inner) && prog->undefined_filter.ptr == NULL)
        prog->undefined_filter = name;
    return n;
}

static struct imap_search_node *parse_special(struct imap_parse *p, struct imap_search_program *prog, const struct key *key)
{
    struct imap_search_node *n, *unseen;

    if (key->op == SEARCH_FILTER)
        return parse_filter(p, prog);
    n = node_new(p, prog, key->op);
    if (n == NULL)
        return NULL;
    switch (key->op) {
    case SEARCH_NOT:
        imap_parse_space(p);
        add_child(n, parse_key(p, prog));
        break;
    case SEARCH_OR:
        imap_parse_space(p);
        add_child(n, parse_key(p, prog));
        imap_parse_space(p);
        add_child(n, parse_key(p, prog));
        break;
    case SEARCH_HEADER:
        imap_parse_space(p);
        n->text = imap_parse_astring(p);
        n->number = digest_name_hash(n->text);
        imap_parse_space(p);
        take_find(p, prog, n);
        break;
    case SEARCH_MODSEQ:
        imap_parse_space(p);
        parse_modseq(p, prog, n);
        break;
    default: /* NEW: RECENT UNSEEN */
        add_child(n, node_new(p, prog, SEARCH_RECENT));
        unseen = node_new(p, prog, SEARCH_FLAG);
        if (unseen != NULL)
            unseen->number = MSG_SEEN;
        add_child(n, negated(p, prog, unseen));
    }
    return n;
}

static void parse_argument(struct imap_parse *p, struct imap_search_program *prog, const struct key *key,
                           struct imap_search_node *n)
{
    if (key->argument == ARG_NONE) {
        n->number = key->value;
        return;
    }
    imap_parse_space(p);
    n->compare = (enum imap_search_compare)key->value;
    switch (key->argument) {
    case ARG_STRING:
        n->number = key->value;
        take_find(p, prog, n);
        break;
    case ARG_DATE:
        n->signed_number = imap_parse_date(p);
        break;
    case ARG_NUMBER:
        n->number = imap_parse_number(p, 1, UINT32_MAX);
        break;
    case ARG_NUMBER64:
        n->number = imap_parse_number(p, 0, INT64_MAX);
        break;
    case ARG_SET:
        imap_parse_set(p, &n->set);
        break;
    default:
        n->text = imap_parse_atom(p);
    }
}

static struct imap_search_node *parse_named(struct imap_parse *p, struct imap_search_program *prog)
{
    struct view name = imap_parse_atom(p);
    struct imap_search_node *n;
    size_t i = 0;

    while (i < ARRAY_LEN(keys) && !view_eq_nocase(name, view_str(keys[i].name)))
        i++;
    if (!imap_parse_ok(p) || i == ARRAY_LEN(keys)) {
        imap_parse_fail(p, "Unknown search key");
        return NULL;
    }
    if (keys[i].argument == ARG_SPECIAL)
        return parse_special(p, prog, &keys[i]);
    n = node_new(p, prog, keys[i].op);
    if (n == NULL)
        return NULL;
    parse_argument(p, prog, &keys[i], n);
    return keys[i].negate ? negated(p, prog, n) : n;
}

static struct imap_search_node *parse_all(struct imap_parse *p, struct imap_search_program *prog)
{
    struct imap_search_node *n = node_new(p, prog, SEARCH_AND);

    if (n == NULL)
        return NULL;
    do
        add_child(n, parse_key(p, prog));
    while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    return n;
}

static struct imap_search_node *parse_key(struct imap_parse *p, struct imap_search_program *prog)
{
    struct imap_search_node *n;

    if (!imap_parse_ok(p))
        return NULL;
    if (imap_parse_peek(p) == '(') {
        imap_parse_open(p);
        n = parse_all(p, prog);
        imap_parse_close(p);
        return n;
    }
    if (imap_parse_set_next(p)) {
        n = node_new(p, prog, SEARCH_SEQ);
        prog->uses_numbers = true;
        if (n == NULL)
            return NULL;
        imap_parse_set(p, &n->set);
        if (p->uidonly && !n->set.saved)
            imap_parse_fail_code(p, "UIDREQUIRED", "Message numbers cannot be used after ENABLE UIDONLY");
        return n;
    }
    return parse_named(p, prog);
}

static bool known_charset(struct view charset)
{
    return view_eq_nocase(charset, VIEW("UTF-8")) || view_eq_nocase(charset, VIEW("US-ASCII"));
}

void imap_search_parse_sorted(struct imap_parse *p, struct imap_search_program *prog)
{
    imap_parse_space(p);
    prog->bad_charset = !known_charset(imap_parse_astring(p));
    imap_parse_space(p);
    prog->root = parse_all(p, prog);
}

void imap_search_parse(struct imap_parse *p, struct imap_search_program *prog, bool utf8)
{
    imap_parse_space(p);
    if (imap_parse_try_word(p, "CHARSET ")) {
        struct view charset = imap_parse_astring(p);

        if (utf8)
            imap_parse_fail(p, "CHARSET is not allowed with UTF8=ACCEPT");
        prog->bad_charset = !known_charset(charset);
        imap_parse_space(p);
    }
    prog->root = parse_all(p, prog);
}

void imap_search_resolve(struct imap_search_program *prog, uint32_t count, uint32_t last_uid, const struct uidset *saved)
{
    for (struct imap_search_node *n = prog->all; n != NULL; n = n->all) {
        if (n->op != SEARCH_SEQ && n->op != SEARCH_UID)
            continue;
        uidset_free(&n->resolved); /* of the mailbox before */
        if (n->set.saved) {
            n->op = SEARCH_UID;
            for (size_t i = 0; i < saved->n; i++)
                uidset_add_range(&n->resolved, saved->ranges[i].first, saved->ranges[i].last);
        } else
            imap_set_resolve_uids(&n->set, n->op == SEARCH_SEQ ? count : last_uid, &n->resolved);
    }
}

void imap_search_free(struct imap_search_program *prog)
{
    for (struct imap_search_node *n = prog->all; n != NULL; n = n->all)
        uidset_free(&n->resolved);
    prog->all = NULL;
    buf_free(&prog->text);
}
