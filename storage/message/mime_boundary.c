/*
 * The boundaries that are open, and which of them a line begins with.
 *
 * RFC 2046 5.1.1 wants the boundary compared with the beginning of the line; where several match, the longest does, and of equal
 * ones the innermost. To find it without comparing the line with each of them, the line is hashed byte by byte, and at each
 * length at which a boundary is open the hash is looked up: a line costs its length, however many are open. The multiplier of the
 * hash comes from where memory happens to lie, so that collisions cannot be prepared.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "storage/message/mime_parser_int.h"

#define BUCKETS 256u
#define NONE UINT32_MAX

struct boundary {
    struct view text;
    uint64_t hash;
    uint32_t frame;
    uint32_t next; /* the one that headed the bucket before */
};

static uint64_t hash_step(const struct boundaries *b, uint64_t h, uint8_t c)
{
    h = (h ^ c) * b->multiplier;
    return h ^ (h >> 29);
}

static uint32_t bucket_of(uint64_t hash)
{
    return (uint32_t)(hash >> 17) % BUCKETS;
}

void boundaries_init(struct boundaries *b, size_t longest)
{
    *b = (struct boundaries){.most = longest};
}

void boundaries_free(struct boundaries *b)
{
    free(b->open);
    free(b->buckets);
}

/* Most messages need none of this. */
static void first_open(struct boundaries *b)
{
    b->buckets = xcalloc(BUCKETS + b->most + 1, sizeof(*b->buckets));
    b->of_length = b->buckets + BUCKETS;
    b->multiplier = ((uint64_t)(uintptr_t)&b * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)b->buckets * 0xc2b2ae3d27d4eb4fu) | 1;
    for (size_t i = 0; i < BUCKETS; i++)
        b->buckets[i] = NONE;
}

void boundaries_open(struct boundaries *b, uint32_t frame, struct view text)
{
    uint64_t h = 0;
    if (b->buckets == NULL)
        first_open(b);
    for (size_t i = 0; i < text.len; i++)
        h = hash_step(b, h, text.ptr[i]);
    if (b->n == b->cap) {
        b->cap = b->cap == 0 ? 4 : b->cap * 2;
        b->open = xreallocarray(b->open, b->cap, sizeof(*b->open));
    }
    b->open[b->n] = (struct boundary){text, h, frame, b->buckets[bucket_of(h)]};
    b->buckets[bucket_of(h)] = b->n++;
    b->of_length[text.len]++;
    b->longest = MAX_OF(b->longest, text.len);
}

/* The one that was opened last heads its bucket. */
void boundaries_close(struct boundaries *b, uint32_t frame)
{
    const struct boundary *last = b->n == 0 ? NULL : &b->open[b->n - 1];
    if (last == NULL || last->frame != frame)
        return;
    b->buckets[bucket_of(last->hash)] = last->next;
    b->of_length[last->text.len]--;
    b->n--;
    if (b->n == 0)
        b->longest = 0;
}

bool boundaries_find(const struct boundaries *b, struct view rest, uint32_t *frame_out, size_t *len_out)
{
    uint64_t h = 0;
    size_t most = MIN_OF(rest.len, b->longest), found = 0;
    for (size_t i = 0; i < most; i++) {
        h = hash_step(b, h, rest.ptr[i]);
        if (b->of_length[i + 1] == 0)
            continue;
        for (uint32_t at = b->buckets[bucket_of(h)]; at != NONE; at = b->open[at].next) {
            const struct boundary *o = &b->open[at];
            if (o->hash == h && o->text.len == i + 1 && memcmp(o->text.ptr, rest.ptr, i + 1) == 0) {
                *frame_out = o->frame;
                found = i + 1;
                break;
            }
        }
    }
    *len_out = found;
    return found > 0;
}
