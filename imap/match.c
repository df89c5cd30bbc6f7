/*
 * The pattern as a non-deterministic automaton whose state i means "the first i literal bytes are matched". Wildcards are no
 * states but loops: star[i] stays in i on any byte, percent[i] on any but '/'. All states are advanced at once with shifts.
 */
#include "imap/match.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/text/text.h"

struct imap_match {
    size_t nliterals, words;
    uint64_t *star, *percent;     /* [words] */
    uint64_t *step, *step_nocase; /* [256][words]: bit i: literal i is this byte (ASCII case folded) */
    uint64_t bits[];
};

static void bit_set(uint64_t *bits, size_t i)
{
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

struct imap_match *imap_match_new(struct view pattern)
{
    size_t literals = 0, words;
    struct imap_match *m;

    for (size_t i = 0; i < pattern.len; i++)
        literals += pattern.ptr[i] != '*' && pattern.ptr[i] != '%';
    words = literals / 64 + 1;
    m = xcalloc(1, sizeof(*m) + (2 + 2 * 256) * words * sizeof(uint64_t));
    m->nliterals = literals;
    m->words = words;
    m->star = m->bits;
    m->percent = m->star + words;
    m->step = m->percent + words;
    m->step_nocase = m->step + 256 * words;
    literals = 0;
    for (size_t i = 0; i < pattern.len; i++) {
        uint8_t c = pattern.ptr[i];

        if (c == '*')
            bit_set(m->star, literals);
        else if (c == '%')
            bit_set(m->percent, literals);
        else {
            bit_set(m->step + c * words, literals);
            bit_set(m->step_nocase + ascii_lower(c) * words, literals);
            if (ascii_upper(c) != ascii_lower(c))
                bit_set(m->step_nocase + ascii_upper(c) * words, literals);
            literals++;
        }
    }
    return m;
}

void imap_match_free(struct imap_match **m)
{
    free(*m);
    *m = NULL;
}

/* One byte for all states; false when none is left. */
static bool advance(const struct imap_match *m, uint64_t *state, const uint64_t *step, bool separator)
{
    uint64_t carry = 0, any = 0;

    for (size_t w = 0; w < m->words; w++) {
        uint64_t moved = state[w] & step[w];
        uint64_t loops = state[w] & (separator ? m->star[w] : m->star[w] | m->percent[w]);

        state[w] = (moved << 1) | carry | loops;
        carry = moved >> 63;
        any |= state[w];
    }
    return any != 0;
}

bool imap_match_name(const struct imap_match *m, struct view name)
{
    uint64_t small[20] = {0}, *state = small;
    size_t inbox = view_starts(name, VIEW("INBOX")) && (name.len == 5 || name.ptr[5] == '/') ? 5 : 0;
    bool alive = true, matched;

    if (m->words > ARRAY_LEN(small))
        state = xcalloc(m->words, sizeof(*state));
    state[0] = 1;
    for (size_t i = 0; i < name.len && alive; i++) {
        const uint64_t *table = i < inbox ? m->step_nocase : m->step;

        alive = advance(m, state, table + name.ptr[i] * m->words, name.ptr[i] == '/');
    }
    matched = alive && (state[m->nliterals / 64] >> (m->nliterals % 64) & 1) != 0;
    if (state != small)
        free(state);
    return matched;
}
