/* LIST patterns: the automaton agrees with a plain matcher on short inputs and ends on long ones. */
#include <stdlib.h>

#include "imap/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool plain(struct view p, struct view n, unsigned *budget)
{
    if (*budget == 0)
        return false;
    --*budget;
    if (p.len == 0)
        return n.len == 0;
    if (p.ptr[0] == '*' || p.ptr[0] == '%')
        return plain(view_sub(p, 1, p.len), n, budget) ||
               (n.len > 0 && (p.ptr[0] == '*' || n.ptr[0] != '/') && plain(p, view_sub(n, 1, n.len), budget));
    return n.len > 0 && n.ptr[0] == p.ptr[0] && plain(view_sub(p, 1, p.len), view_sub(n, 1, n.len), budget);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view all = view_make(data, size), pattern, name;
    size_t cut = view_find(all, '\n');
    struct imap_match *m;
    unsigned budget = 20000;
    bool got, want;

    if (size > 2048)
        return 0;
    pattern = view_sub(all, 0, cut < 1024 ? cut : 1024);
    name = view_sub(all, cut + 1, size);
    m = imap_match_new(pattern);
    got = imap_match_name(m, name);
    imap_match_free(&m);
    want = plain(pattern, name, &budget);
    if (budget > 0 && got != want && !view_starts(name, VIEW("INBOX"))) /* whose case is folded */
        abort();
    return 0;
}
