/*
 * Sorting messages (RFC 5256 3, SORT=DISPLAY of RFC 5957): keys are taken from the digest once for each message, then the numbers
 * are merge-sorted in slices.
 */
#ifndef CULVER_IMAP_SORT_H
#define CULVER_IMAP_SORT_H

#include "imap/message.h"

#define IMAP_SORT_CRITERIA_MAX 16

enum imap_sort_by {
    SORT_ARRIVAL,
    SORT_CC,
    SORT_DATE,
    SORT_DISPLAYFROM,
    SORT_DISPLAYTO,
    SORT_FROM,
    SORT_SIZE,
    SORT_SUBJECT,
    SORT_TO
};

struct imap_sorter {
    struct {
        enum imap_sort_by by;
        bool reverse;
    } criteria[IMAP_SORT_CRITERIA_MAX];
    size_t ncriteria;
    struct comparator comparator; /* of texts */
    uint32_t *numbers;            /* of the messages, in the order of the mailbox */
    int64_t *keys;                /* [n][ncriteria]: a number, or where a string is */
    size_t n, cap;
    struct buf strings;
    uint32_t *order, *other; /* indexes into numbers; what is being merged goes from one to the other */
    size_t width, at;
    bool sorted;
};

/* sort-criteria, in parentheses. */
void imap_sort_parse(struct imap_parse *p, struct imap_sorter *sorter);
/* Adds a message that is answered as number. ERR_LIMIT: too much to be sorted. */
MUST_CHECK int imap_sort_add(struct imap_session *s, struct imap_sorter *sorter, struct imap_message *m, uint32_t number);
/* Goes on sorting; true when all is in order. */
bool imap_sort_step(struct imap_session *s, struct imap_sorter *sorter);
/* The number of place i, once sorted. */
uint32_t imap_sort_number(const struct imap_sorter *sorter, size_t i);
/* Of place i, once sorted, and a message that is answered as number: <0 when the former comes first, never 0. */
int imap_sort_compare(struct imap_session *s, struct imap_sorter *sorter, size_t i, struct imap_message *m, uint32_t number);
/* The same criteria again, without messages. */
void imap_sort_again(struct imap_sorter *sorter, const struct imap_sorter *from);
void imap_sort_free(struct imap_sorter *sorter);

/* The date of RFC 5256 2.2: Date: in UTC, else INTERNALDATE. */
int64_t imap_sent_date(const struct imap_message *m, const struct digest *d);

#endif
