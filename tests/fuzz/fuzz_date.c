/* Any bytes as a date: refused, or a date between the years 999 and 10000 with a zone below 24 hours, that reads the same once
 * written. */
#include <stdlib.h>

#include "common/text/text.h"
#include "storage/message/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t t, again;
    int zone, zone_again;
    struct buf b;
    if (date_parse_header(view_make(data, size), &t, &zone) != 0)
        return 0;
    struct civil_time c;
    time_to_civil(t, zone, &c);
    if (c.year < 1000 || c.year > 10000 || zone <= -24 * 60 || zone >= 24 * 60)
        abort();
    if (c.year == 10000) /* 24:00 or a leap second at the very end */
        return 0;
    buf_init(&b, 100);
    time_put_rfc5322(&b, t, zone);
    if (date_parse_header(buf_view(&b), &again, &zone_again) != 0 || again != t || zone_again != zone)
        abort();
    buf_free(&b);
    return 0;
}
