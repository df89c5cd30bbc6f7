/* Writing a configuration: the effective values in the file's grammar, and the commented sample. */
#include "common/conf/conf_int.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define SAMPLE_WIDTH 100

/* True when the value in base is the default; both are compared as they would be written. */
static bool is_default(const struct conf_setting *s, const void *base, const void *defaults)
{
    struct buf now, then;
    bool same;

    buf_init(&now, CONF_BYTES_MAX);
    buf_init(&then, CONF_BYTES_MAX);
    conf_value_write(s, base, &now);
    conf_value_write(s, defaults, &then);
    same = view_eq(buf_view(&now), buf_view(&then));
    buf_free(&now);
    buf_free(&then);
    return same;
}

static void write_settings(const struct conf_setting *settings, const void *base, size_t size, bool only_changed,
                           const char *indent, struct buf *out)
{
    struct conf *scratch = conf_new(NULL, 0);
    void *defaults = conf_keep(scratch, size);
    const struct conf_setting *s;

    conf_value_defaults(scratch, settings, defaults);
    for (s = settings; s != NULL && s->name != NULL; s++) {
        if (only_changed && is_default(s, base, defaults))
            continue;
        buf_put_fmt(out, "%s%s = ", indent, s->name);
        conf_value_write(s, base, out);
        buf_put_byte(out, '\n');
    }
    conf_free(&scratch);
}

static void write_section(const struct conf_section *section, const void *element, bool only_changed, struct buf *out)
{
    const char *label = NULL;

    if (section->labelled)
        memcpy(&label, (const char *)element + section->label_offset, sizeof(label));
    buf_put_str(out, section->kind);
    if (label != NULL)
        buf_put_fmt(out, " %s", label);
    buf_put_str(out, " {\n");
    write_settings(section->settings, element, section->size, only_changed, "    ", out);
    buf_put_str(out, "}\n");
}

void conf_write(const struct conf *conf, const struct conf_component *component, bool only_changed, struct buf *out)
{
    const void *values = conf_get(conf, component);
    const struct conf_section *section;
    size_t i;

    if (values == NULL)
        return;
    write_settings(component->settings, values, component->size, only_changed, "", out);
    for (section = component->sections; section != NULL && section->kind != NULL; section++)
        for (i = 0; i < conf_section_count(values, section); i++)
            write_section(section, conf_section_at(values, section, i), only_changed, out);
}

/* --- the sample ---------------------------------------------------------------------------------------------------- */

/* Text as lines of comment, broken between words. */
static void put_prose(struct buf *out, const char *indent, struct view text)
{
    size_t column = 0, n;

    while (text.len > 0) {
        n = view_find(text, ' ');
        if (column == 0 || column + 1 + n > SAMPLE_WIDTH) {
            buf_put_fmt(out, "%s## %s", column == 0 ? "" : "\n", indent);
            column = 3 + strlen(indent) + n;
        } else {
            buf_put_byte(out, ' ');
            column += 1 + n;
        }
        buf_put_view(out, view_sub(text, 0, n));
        text = view_sub(text, n + 1, text.len);
    }
    buf_put_byte(out, '\n');
}

static void put_help(struct buf *out, const char *indent, const struct conf_setting *s)
{
    struct buf text, bounds;

    buf_init(&text, 65536);
    buf_init(&bounds, 4096);
    conf_value_bounds(s, &bounds);
    buf_put_str(&text, s->help);
    if (buf_len(&bounds) > 0) {
        buf_put_str(&text, " (");
        buf_put_view(&text, buf_view(&bounds));
        buf_put_byte(&text, ')');
    }
    put_prose(out, indent, buf_view(&text));
    buf_free(&text);
    buf_free(&bounds);
}

static void put_sample_settings(struct buf *out, const char *indent, const struct conf_setting *settings, size_t size)
{
    struct conf *scratch = conf_new(NULL, 0);
    void *defaults = conf_keep(scratch, size);
    const struct conf_setting *s;

    conf_value_defaults(scratch, settings, defaults);
    for (s = settings; s != NULL && s->name != NULL; s++) {
        put_help(out, indent, s);
        buf_put_fmt(out, "#%s%s = ", indent, s->name);
        conf_value_write(s, defaults, out);
        buf_put_str(out, *indent == '\0' ? "\n\n" : "\n");
    }
    conf_free(&scratch);
}

/* Every line with a '#' before it. */
static void put_commented(struct buf *out, struct view text)
{
    size_t n;

    while (text.len > 0) {
        n = view_find(text, '\n');
        buf_put_byte(out, '#');
        buf_put_view(out, view_sub(text, 0, n));
        buf_put_byte(out, '\n');
        text = view_sub(text, n + 1, text.len);
    }
}

static void put_sample_section(struct buf *out, const struct conf_section *section)
{
    put_prose(out, "", view_str(section->help));
    buf_put_fmt(out, "#%s%s {\n", section->kind, section->labelled ? " name" : "");
    put_sample_settings(out, "    ", section->settings, section->size);
    buf_put_str(out, "#}\n\n");
    if (section->sample != NULL) {
        buf_put_str(out, "## Examples:\n");
        put_commented(out, view_str(section->sample));
        buf_put_byte(out, '\n');
    }
}

void conf_write_sample(const struct conf_component *const *components, size_t ncomponents, struct buf *out)
{
    const struct conf_section *section;
    size_t i;

    buf_put_str(out,
                "## Configuration of Culver. Every setting is here with its meaning and default; remove the '#' to change one.\n"
                "## 'culver -n' checks the file and prints what differs from the defaults.\n");
    for (i = 0; i < ncomponents; i++) {
        buf_put_fmt(out, "\n## ---- %s ----\n", components[i]->name);
        put_prose(out, "", view_str(components[i]->help));
        buf_put_byte(out, '\n');
        put_sample_settings(out, "", components[i]->settings, components[i]->size);
        for (section = components[i]->sections; section != NULL && section->kind != NULL; section++)
            put_sample_section(out, section);
    }
}
