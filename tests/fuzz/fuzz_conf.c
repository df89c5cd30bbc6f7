/* Any text: either errors that name a line, or values that read back the same after they were written. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/conf/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conf *parse(struct view text)
{
    struct conf *conf = NULL;
    struct buf errors;
    int err;

    buf_init(&errors, 65536);
    err = conf_parse(NULL, text, set_all_components, set_all_ncomponents, &conf, &errors);
    if ((err == 0) != (conf != NULL) || (err == 0) != (buf_len(&errors) == 0) || !buf_ok(&errors))
        abort();
    buf_free(&errors);
    return conf;
}

static void write_all(const struct conf *conf, bool only_changed, struct buf *out)
{
    size_t i;

    buf_init(out, 4 << 20);
    for (i = 0; i < set_all_ncomponents; i++)
        conf_write(conf, set_all_components[i], only_changed, out);
    if (!buf_ok(out))
        abort();
}

/* What was written parses again, to the same values. */
static void check_round_trip(const struct conf *conf, bool only_changed)
{
    struct buf text, full, again;
    struct conf *second;

    write_all(conf, only_changed, &text);
    write_all(conf, false, &full);
    second = parse(buf_view(&text));
    if (second == NULL)
        abort();
    write_all(second, false, &again);
    if (!view_eq(buf_view(&full), buf_view(&again)))
        abort();
    conf_free(&second);
    buf_free(&text);
    buf_free(&full);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf *conf = parse(view_make(data, size));
    struct buf errors;

    if (conf == NULL)
        return 0;
    check_round_trip(conf, false);
    check_round_trip(conf, true);
    buf_init(&errors, 1 << 20);
    if ((set_check(conf, &errors) == 0) != (buf_len(&errors) == 0))
        abort();
    buf_free(&errors);
    conf_free(&conf);
    return 0;
}
