/* Which known name did a mistyped one mean? Optimal string alignment distance (a swap of neighbours counts once), bounded. */
#include "common/conf/conf_int.h"

#include "common/base/mem.h"

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    return MIN_OF(MIN_OF(a, b), c);
}

unsigned conf_name_distance(struct view a, struct view b, unsigned most)
{
    unsigned rows[3][CONF_NAME_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2], *spare;
    size_t i, j;

    if (a.len > CONF_NAME_MAX || b.len > CONF_NAME_MAX)
        return most + 1;
    for (j = 0; j <= b.len; j++)
        above[j] = before[j] = (unsigned)j;
    for (i = 1; i <= a.len; i++) {
        row[0] = (unsigned)i;
        for (j = 1; j <= b.len; j++) {
            row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]));
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                row[j] = MIN_OF(row[j], before[j - 2] + 1);
        }
        spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return MIN_OF(above[b.len], most + 1);
}
