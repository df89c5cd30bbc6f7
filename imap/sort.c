#include "imap/sort.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define STRINGS_MAX (128 * 1024 * 1024)
#define STRING_MAX 256 /* octets of a string that count */
#define DECODED_MAX (64 * 1024)
#define LEN_BITS 16

static const struct {
    const char *name;
    enum imap_sort_by by;
} names[] = {{"ARRIVAL", SORT_ARRIVAL},
             {"CC", SORT_CC},
             {"DATE", SORT_DATE},
             {"DISPLAYFROM", SORT_DISPLAYFROM},
             {"DISPLAYTO", SORT_DISPLAYTO},
             {"FROM", SORT_FROM},
             {"SIZE", SORT_SIZE},
             {"SUBJECT", SORT_SUBJECT},
             {"TO", SORT_TO}};

static void parse_criterion(struct imap_parse *p, struct imap_sorter *sorter)
{
    bool reverse = imap_parse_try_word(p, "REVERSE ");
    struct view name = imap_parse_atom(p);
    size_t i = 0;

    while (i < ARRAY_LEN(names) && !view_eq_nocase(name, view_str(names[i].name)))
        i++;
    if (i == ARRAY_LEN(names))
        imap_parse_fail(p, "Unknown sort criterion");
    else if (sorter->ncriteria == IMAP_SORT_CRITERIA_MAX)
        imap_parse_fail(p, "Too many sort criteria");
    else {
        sorter->criteria[sorter->ncriteria].by = names[i].by;
        sorter->criteria[sorter->ncriteria++].reverse = reverse;
    }
}

void imap_sort_parse(struct imap_parse *p, struct imap_sorter *sorter)
{
    imap_parse_open(p);
    do
        parse_criterion(p, sorter);
    while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    imap_parse_close(p);
}

int64_t imap_sent_date(const struct imap_message *m, const struct digest *d)
{
    return d->sent_date == INT64_MIN ? m->info.date : d->sent_date;
}

static int64_t string_key(const struct imap_sorter *sorter, size_t from)
{
    size_t len = buf_len(&sorter->strings) - from;

    return (int64_t)(from << LEN_BITS | MIN_OF(len, (size_t)STRING_MAX));
}

static int64_t put_string(struct imap_sorter *sorter, struct view v)
{
    size_t from = buf_len(&sorter->strings);

    buf_put_view(&sorter->strings, view_sub(v, 0, STRING_MAX));
    return string_key(sorter, from);
}

static int64_t put_mapped(struct imap_sorter *sorter, struct view v)
{
    size_t from = buf_len(&sorter->strings);

    collation_put(sorter->comparator.collation, &sorter->strings, view_sub(v, 0, STRING_MAX));
    return string_key(sorter, from);
}

static int64_t put_subject(struct imap_sorter *sorter, const struct digest *summary)
{
    struct buf text = {.max = 0};
    int64_t key = put_string(sorter, imap_message_subject(summary, sorter->comparator.collation, &text));

    buf_free(&text);
    return key;
}

/* RFC 5957 3: the display name, or else the whole address. */
static int64_t put_display(struct imap_sorter *sorter, const struct address *a)
{
    struct buf text;
    int64_t key;

    buf_init(&text, DECODED_MAX);
    if (a->name.ptr != NULL)
        header_decode(&text, view_sub(a->name, 0, STRING_MAX * 4));
    if (buf_len(&text) == 0) {
        buf_put_view(&text, a->mailbox);
        if (a->host.ptr != NULL) {
            buf_put_byte(&text, '@');
            buf_put_view(&text, a->host);
        }
    }
    key = put_mapped(sorter, buf_view(&text));
    buf_free(&text);
    return key;
}

static int64_t address_key(struct imap_sorter *sorter, const struct envelope *e, enum imap_sort_by by)
{
    bool display = by == SORT_DISPLAYFROM || by == SORT_DISPLAYTO;
    const struct address_list *list = by == SORT_CC ? &e->cc : by == SORT_TO || by == SORT_DISPLAYTO ? &e->to : &e->from;

    if (list->n == 0)
        return put_string(sorter, VIEW(""));
    return display ? put_display(sorter, &list->items[0]) : put_mapped(sorter, list->items[0].mailbox);
}

/* What cannot be read sorts as if it had no header. */
static int64_t make_key(struct imap_session *s, struct imap_sorter *sorter, struct imap_message *m, enum imap_sort_by by)
{
    struct digest summary;

    switch (by) {
    case SORT_ARRIVAL:
        return m->info.date;
    case SORT_SIZE:
        return (int64_t)m->info.size;
    case SORT_DATE:
        return imap_message_summary(s, m, &summary) != 0 ? m->info.date : imap_sent_date(m, &summary);
    case SORT_SUBJECT:
        return imap_message_summary(s, m, &summary) != 0 ? put_string(sorter, VIEW("")) : put_subject(sorter, &summary);
    case SORT_CC:
    case SORT_FROM:
    case SORT_TO:
    case SORT_DISPLAYFROM:
    case SORT_DISPLAYTO:
        break;
    }
    if (imap_message_digest(s, m) != 0)
        return put_string(sorter, VIEW(""));
    return address_key(sorter, &m->digest.envelope, by);
}

int imap_sort_add(struct imap_session *s, struct imap_sorter *sorter, struct imap_message *m, uint32_t number)
{
    if (sorter->strings.max == 0)
        buf_init(&sorter->strings, STRINGS_MAX);
    if (sorter->n == sorter->cap) {
        sorter->cap = sorter->cap == 0 ? 256 : sorter->cap * 2;
        sorter->numbers = xreallocarray(sorter->numbers, sorter->cap, sizeof(*sorter->numbers));
        sorter->keys = xreallocarray(sorter->keys, sorter->cap, sorter->ncriteria * sizeof(*sorter->keys));
    }
    sorter->numbers[sorter->n] = number;
    for (size_t i = 0; i < sorter->ncriteria; i++)
        sorter->keys[sorter->n * sorter->ncriteria + i] = make_key(s, sorter, m, sorter->criteria[i].by);
    sorter->n++;
    return buf_ok(&sorter->strings) ? 0 : ERR_LIMIT;
}

static struct view get_string(const struct imap_sorter *sorter, int64_t key)
{
    return view_sub(buf_view(&sorter->strings), (size_t)(key >> LEN_BITS), (size_t)key & ((1u << LEN_BITS) - 1));
}

/* <0, 0, >0. Equal ones keep the order of the mailbox (RFC 5256 3), because merging is stable. */
static int compare(const struct imap_sorter *sorter, uint32_t x, uint32_t y)
{
    for (size_t i = 0; i < sorter->ncriteria; i++) {
        enum imap_sort_by by = sorter->criteria[i].by;
        int64_t a = sorter->keys[x * sorter->ncriteria + i], b = sorter->keys[y * sorter->ncriteria + i];
        int order = a < b ? -1 : a > b;

        if (by != SORT_ARRIVAL && by != SORT_DATE && by != SORT_SIZE) {
            order = view_cmp(get_string(sorter, a), get_string(sorter, b));
            order = sorter->comparator.descends ? -order : order;
        }
        if (order != 0)
            return sorter->criteria[i].reverse ? -order : order;
    }
    return 0;
}

/* Two runs of width from at on become one in other. */
static void merge(struct imap_sorter *sorter)
{
    size_t a = sorter->at, mid = MIN_OF(a + sorter->width, sorter->n), end = MIN_OF(mid + sorter->width, sorter->n);
    size_t b = mid, to = a;

    while (to < end) {
        bool first = b == end || (a < mid && compare(sorter, sorter->order[a], sorter->order[b]) <= 0);

        sorter->other[to++] = sorter->order[first ? a++ : b++];
    }
    sorter->at = end;
}

static void begin(struct imap_sorter *sorter)
{
    sorter->order = xreallocarray(NULL, sorter->n + 1, sizeof(*sorter->order));
    sorter->other = xreallocarray(NULL, sorter->n + 1, sizeof(*sorter->other));
    for (size_t i = 0; i < sorter->n; i++)
        sorter->order[i] = (uint32_t)i;
    sorter->width = 1;
}

bool imap_sort_step(struct imap_session *s, struct imap_sorter *sorter)
{
    if (sorter->order == NULL)
        begin(sorter);
    while (sorter->width < sorter->n) {
        merge(sorter);
        if (sorter->at == sorter->n) {
            uint32_t *done = sorter->other;

            sorter->other = sorter->order;
            sorter->order = done;
            sorter->at = 0;
            sorter->width *= 2;
        }
        if (imap_slice_over(s))
            return sorter->width >= sorter->n;
    }
    return true;
}

uint32_t imap_sort_number(const struct imap_sorter *sorter, size_t i)
{
    return sorter->numbers[sorter->order[i]];
}

int imap_sort_compare(struct imap_session *s, struct imap_sorter *sorter, size_t i, struct imap_message *m, uint32_t number)
{
    size_t strings = buf_len(&sorter->strings);
    uint32_t at = sorter->order[i];
    int order = 0;

    if (imap_sort_add(s, sorter, m, number) == 0)
        order = compare(sorter, at, (uint32_t)sorter->n - 1);
    buf_truncate(&sorter->strings, strings);
    sorter->n--;
    if (order != 0)
        return order;
    return sorter->numbers[at] < number ? -1 : 1;
}

void imap_sort_again(struct imap_sorter *sorter, const struct imap_sorter *from)
{
    *sorter = (struct imap_sorter){.ncriteria = from->ncriteria, .comparator = from->comparator};
    memcpy(sorter->criteria, from->criteria, sizeof(sorter->criteria));
}

void imap_sort_free(struct imap_sorter *sorter)
{
    free(sorter->numbers);
    free(sorter->keys);
    free(sorter->order);
    free(sorter->other);
    buf_free(&sorter->strings);
}
