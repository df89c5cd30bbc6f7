/* Address lists inside storage/message. */
#ifndef CULVER_STORAGE_MESSAGE_ADDRESS_H
#define CULVER_STORAGE_MESSAGE_ADDRESS_H

#include "storage/message/arena.h"
#include "storage/message/envelope.h"

struct address_vec {
    struct address *items;
    size_t n, cap;
};

/* Appends the addresses of one field's value (clean: header_clean()) to out; each costs one of *left (the start of a group too),
 * and parsing stops when none is left or the arena is full. All text is copied to the arena. The caller frees out->items. */
void address_list_parse(struct arena *a, struct view value, unsigned *left, struct address_vec *out);

#endif
