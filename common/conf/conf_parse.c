/*
 * Reading a configuration: lines, sections, includes. Every error is noted with its place and reading goes on behind it: after a
 * section of an unknown kind behind its '}', after a missing brace as if it stood where it should. What a file can cost is
 * bounded by the sum of octets, the number of files, and the number of errors after which nothing more is read.
 */
#include "common/conf/conf_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"

struct origin { /* where something was set; line 0: not yet */
    const char *file;
    unsigned line;
};

struct seen_section { /* a section that the file had, for "again" */
    const struct conf_section *section;
    const char *label;
    struct origin at;
};

struct parser {
    struct conf *conf;
    struct buf *errors;
    unsigned nerrors;
    size_t bytes_left;
    unsigned files_left, depth;
    struct origin **set; /* set[component][row of its table] */
    struct seen_section *seen;
    size_t nseen;
    /* the line that is being read */
    struct origin here;
    const char *folder; /* NULL: neither includes nor relative paths */
    /* the open section */
    const struct conf_section *section;
    void *element;
    const char *label;
    struct origin section_at;
    struct origin *section_set;
    bool brace_missing; /* its '{' was not on its line */
    unsigned skip;      /* depth inside a section that is not read */
};

/* --- errors -------------------------------------------------------------------------------------------------- */

static bool parser_full(const struct parser *p)
{
    return p->nerrors > CONF_ERRORS_MAX;
}

/* Begins a line of errors; false when there are too many already. */
static bool begin_error_at(struct parser *p, struct origin at)
{
    if (parser_full(p))
        return false;
    p->nerrors++;
    if (parser_full(p)) {
        buf_put_fmt(p->errors, "%s: more than %d errors; the rest was not read\n", at.file, CONF_ERRORS_MAX);
        return false;
    }
    buf_put_fmt(p->errors, "%s:%u: ", at.file, at.line);
    return true;
}

static bool begin_error(struct parser *p)
{
    return begin_error_at(p, p->here);
}

static void end_error(struct parser *p)
{
    buf_put_byte(p->errors, '\n');
}

static void error_text(struct parser *p, const char *text)
{
    if (begin_error(p)) {
        buf_put_str(p->errors, text);
        end_error(p);
    }
}

/* Text of the file, made fit to be shown. */
static void put_name(struct parser *p, struct view v)
{
    struct view cut = view_sub(v, 0, CONF_NAME_MAX);
    size_t i;

    for (i = 0; i < cut.len; i++)
        buf_put_byte(p->errors, cut.ptr[i] < ' ' || cut.ptr[i] == 0x7f ? '?' : cut.ptr[i]);
    if (cut.len < v.len)
        buf_put_str(p->errors, "…");
}

static void put_origin(struct parser *p, struct origin at)
{
    buf_put_fmt(p->errors, "%s:%u", at.file, at.line);
}

/* --- the nearest known name ---------------------------------------------------------------------------------- */

struct nearest {
    struct view name;
    const char *best;
    unsigned distance;
};

static struct nearest nearest_init(struct view name)
{
    return (struct nearest){name, NULL, name.len < 5 ? 2 : name.len < 9 ? 3 : 4};
}

static void nearest_try(struct nearest *n, const char *candidate)
{
    unsigned d = conf_name_distance(n->name, view_str(candidate), n->distance);

    if (d < n->distance) {
        n->distance = d;
        n->best = candidate;
    }
}

static void nearest_try_settings(struct nearest *n, const struct conf_setting *settings)
{
    const struct conf_setting *s;

    for (s = settings; s != NULL && s->name != NULL; s++)
        nearest_try(n, s->name);
}

static void nearest_put(struct parser *p, const struct nearest *n)
{
    if (n->best != NULL)
        buf_put_fmt(p->errors, "; did you mean '%s'?", n->best);
}

/* --- looking up names ------------------------------------------------------------------------------------------ */

static const struct conf_setting *find_setting(const struct conf_setting *settings, struct view name)
{
    const struct conf_setting *s;

    for (s = settings; s != NULL && s->name != NULL; s++)
        if (view_eq(name, view_str(s->name)))
            return s;
    return NULL;
}

static const struct conf_setting *find_global(const struct parser *p, struct view name, size_t *component_out)
{
    const struct conf_setting *s;
    size_t i;

    for (i = 0; i < p->conf->n; i++) {
        s = find_setting(p->conf->components[i]->settings, name);
        if (s != NULL) {
            *component_out = i;
            return s;
        }
    }
    return NULL;
}

static const struct conf_section *find_section(const struct parser *p, struct view kind, size_t *component_out)
{
    const struct conf_section *s;
    size_t i;

    for (i = 0; i < p->conf->n; i++)
        for (s = p->conf->components[i]->sections; s != NULL && s->kind != NULL; s++)
            if (view_eq(kind, view_str(s->kind))) {
                *component_out = i;
                return s;
            }
    return NULL;
}

/* The kind of section that has a setting of this name, to say where it belongs. */
static const char *section_with(const struct parser *p, struct view name)
{
    const struct conf_section *s;
    size_t i;

    for (i = 0; i < p->conf->n; i++)
        for (s = p->conf->components[i]->sections; s != NULL && s->kind != NULL; s++)
            if (find_setting(s->settings, name) != NULL)
                return s->kind;
    return NULL;
}

static void report_unknown_global(struct parser *p, struct view name)
{
    struct nearest near = nearest_init(name);
    const char *kind = section_with(p, name);
    size_t i;

    if (!begin_error(p))
        return;
    buf_put_str(p->errors, "unknown setting '");
    put_name(p, name);
    buf_put_byte(p->errors, '\'');
    if (kind != NULL) {
        buf_put_fmt(p->errors, "; it belongs in a section '%s'", kind);
    } else {
        for (i = 0; i < p->conf->n; i++)
            nearest_try_settings(&near, p->conf->components[i]->settings);
        nearest_put(p, &near);
    }
    end_error(p);
}

static void report_unknown_in_section(struct parser *p, struct view name)
{
    struct nearest near = nearest_init(name);
    size_t component;

    if (!begin_error(p))
        return;
    buf_put_str(p->errors, "unknown setting '");
    put_name(p, name);
    buf_put_fmt(p->errors, "' in section '%s'", p->section->kind);
    if (find_global(p, name, &component) != NULL) {
        buf_put_str(p->errors, "; it belongs outside of sections");
    } else {
        nearest_try_settings(&near, p->section->settings);
        nearest_put(p, &near);
    }
    end_error(p);
}

static void report_unknown_section(struct parser *p, struct view kind)
{
    struct nearest near = nearest_init(kind);
    const struct conf_section *s;
    size_t i;

    if (!begin_error(p))
        return;
    buf_put_str(p->errors, "unknown kind of section '");
    put_name(p, kind);
    buf_put_byte(p->errors, '\'');
    for (i = 0; i < p->conf->n; i++)
        for (s = p->conf->components[i]->sections; s != NULL && s->kind != NULL; s++)
            nearest_try(&near, s->kind);
    nearest_put(p, &near);
    end_error(p);
}

/* --- settings ---------------------------------------------------------------------------------------------------- */

static void set_value(struct parser *p, const struct conf_setting *setting, void *base, struct origin *where, struct view raw)
{
    struct buf why;

    if (where->line != 0) {
        if (begin_error(p)) {
            buf_put_fmt(p->errors, "'%s' is set again; first at ", setting->name);
            put_origin(p, *where);
            end_error(p);
        }
        return;
    }
    *where = p->here;
    buf_init(&why, 1024);
    if (conf_value_parse(p->conf, setting, raw, p->folder, base, &why) != 0 && begin_error(p)) {
        buf_put_fmt(p->errors, "%s: ", setting->name);
        buf_put_view(p->errors, buf_view(&why));
        end_error(p);
    }
    buf_free(&why);
}

static void read_setting(struct parser *p, struct view name, struct view raw)
{
    const struct conf_setting *setting;
    size_t component = 0;

    if (p->section != NULL) {
        setting = find_setting(p->section->settings, name);
        if (setting == NULL)
            report_unknown_in_section(p, name);
        else
            set_value(p, setting, p->element, &p->section_set[setting - p->section->settings], raw);
        return;
    }
    setting = find_global(p, name, &component);
    if (setting == NULL)
        report_unknown_global(p, name);
    else
        set_value(p, setting, p->conf->values[component], &p->set[component][setting - p->conf->components[component]->settings],
                  raw);
}

/* --- sections ---------------------------------------------------------------------------------------------------- */

static size_t count_settings(const struct conf_setting *settings)
{
    size_t n = 0;

    while (settings != NULL && settings[n].name != NULL)
        n++;
    return n;
}

static void close_section(struct parser *p)
{
    free(p->section_set);
    p->section_set = NULL;
    p->section = NULL;
    p->element = NULL;
    p->label = NULL;
    p->brace_missing = false;
}

static void report_missing_close(struct parser *p)
{
    if (!begin_error(p))
        return;
    buf_put_fmt(p->errors, "a '}' is missing before this: section '%s", p->section->kind);
    if (p->label != NULL)
        buf_put_fmt(p->errors, " %s", p->label);
    buf_put_str(p->errors, "' of ");
    put_origin(p, p->section_at);
    buf_put_str(p->errors, " is still open");
    end_error(p);
}

static bool label_is_valid(struct view label)
{
    size_t i;

    for (i = 0; i < label.len; i++)
        if (label.ptr[i] <= ' ' || label.ptr[i] >= 0x7f || label.ptr[i] == '"' || label.ptr[i] == '#' || label.ptr[i] == '{' ||
            label.ptr[i] == '}' || label.ptr[i] == '=' || label.ptr[i] == ',')
            return false;
    return label.len >= 1 && label.len <= CONF_LABEL_MAX;
}

/* False (and reported) when the label does not do. */
static bool check_label(struct parser *p, const struct conf_section *section, struct view label)
{
    size_t i;

    if (!section->labelled && label.len == 0)
        return true;
    if (!section->labelled || !label_is_valid(label)) {
        if (begin_error(p)) {
            buf_put_fmt(p->errors, "section '%s' ", section->kind);
            buf_put_str(p->errors, !section->labelled ? "takes no label"
                                   : label.len == 0   ? "needs a label: a name before the '{'"
                                                      : "has a label with characters that are not allowed, or it is too long");
            end_error(p);
        }
        return false;
    }
    for (i = 0; i < p->nseen; i++)
        if (p->seen[i].section == section && view_eq(label, view_str(p->seen[i].label))) {
            if (begin_error(p)) {
                buf_put_fmt(p->errors, "section '%s %s' is there again; first at ", section->kind, p->seen[i].label);
                put_origin(p, p->seen[i].at);
                end_error(p);
            }
            return false;
        }
    return true;
}

/* Appends an element with defaults to the section's array. */
static void *add_element(struct parser *p, const struct conf_section *section, void *values)
{
    size_t count = conf_section_count(values, section);
    char *grown = conf_keep(p->conf, (count + 1) * section->size);

    /* The array moves with each element: sections are few, and what is left behind goes with the configuration. */
    if (count > 0)
        memcpy(grown, conf_section_at(values, section, 0), count * section->size);
    memcpy((char *)values + section->array_offset, &grown, sizeof(grown));
    count++;
    memcpy((char *)values + section->count_offset, &count, sizeof(count));
    conf_value_defaults(p->conf, section->settings, grown + (count - 1) * section->size);
    return grown + (count - 1) * section->size;
}

static void remember_section(struct parser *p, const struct conf_section *section, const char *label)
{
    p->seen = xreallocarray(p->seen, p->nseen + 1, sizeof(*p->seen));
    p->seen[p->nseen++] = (struct seen_section){section, label, p->here};
}

/* Opens the section, or sets skip when its content cannot be read. */
static void open_section(struct parser *p, struct view kind, struct view label)
{
    const struct conf_section *section;
    size_t component = 0;

    section = find_section(p, kind, &component);
    if (section == NULL) {
        report_unknown_section(p, kind);
        p->skip = 1;
        return;
    }
    if (conf_section_count(p->conf->values[component], section) == section->max_count) {
        if (begin_error(p)) {
            buf_put_fmt(p->errors, "more than %zu sections '%s'", section->max_count, section->kind);
            end_error(p);
        }
        p->skip = 1;
        return;
    }
    /* With a label that does not do the content is still read, for its errors. */
    p->label = check_label(p, section, label) && section->labelled ? conf_keep_view(p->conf, label) : NULL;
    p->element = add_element(p, section, p->conf->values[component]);
    if (section->labelled)
        memcpy((char *)p->element + section->label_offset, &p->label, sizeof(p->label));
    if (p->label != NULL)
        remember_section(p, section, p->label);
    p->section = section;
    p->section_at = p->here;
    p->section_set = xcalloc(count_settings(section->settings) + 1, sizeof(*p->section_set));
}

/* A line "kind label {" with its brace cut off (has_brace), or such a line without one. */
static void read_section_start(struct parser *p, struct view kind, struct view rest, bool has_brace)
{
    size_t component;

    if (p->section != NULL) {
        if (find_section(p, kind, &component) == NULL) {
            error_text(p, "sections cannot stand inside of sections");
            p->skip = has_brace ? 1 : 0;
            return;
        }
        report_missing_close(p);
        close_section(p);
    }
    if (!has_brace && begin_error(p)) {
        buf_put_str(p->errors, "a '{' is missing at the end of the line");
        end_error(p);
    }
    open_section(p, kind, rest);
    if (!has_brace && p->section == NULL)
        p->skip = 0;
    else
        p->brace_missing = !has_brace;
}

static void read_section_end(struct parser *p)
{
    if (p->section == NULL)
        error_text(p, "a '}' without a section that it could close");
    else
        close_section(p);
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

static void read_include(struct parser *p, struct view name);

/* The line up to its comment. */
static struct view cut_comment(struct view line)
{
    bool quoted = false;
    size_t i;

    for (i = 0; i < line.len; i++) {
        if (line.ptr[i] == '"')
            quoted = !quoted;
        else if (quoted && line.ptr[i] == '\\')
            i++;
        else if (!quoted && line.ptr[i] == '#' && (i == 0 || line.ptr[i - 1] == ' ' || line.ptr[i - 1] == '\t'))
            return view_sub(line, 0, i);
    }
    return line;
}

static bool has_control(struct view line)
{
    size_t i;

    for (i = 0; i < line.len; i++)
        if ((line.ptr[i] < ' ' && line.ptr[i] != '\t') || line.ptr[i] == 0x7f)
            return true;
    return false;
}

static struct view first_word(struct view line)
{
    size_t n = 0;

    while (n < line.len && line.ptr[n] != ' ' && line.ptr[n] != '\t' && line.ptr[n] != '=' && line.ptr[n] != '{')
        n++;
    return view_sub(line, 0, n);
}

static void report_no_form(struct parser *p, struct view word)
{
    size_t component;

    if (!begin_error(p))
        return;
    if (find_global(p, word, &component) != NULL || (p->section != NULL && find_setting(p->section->settings, word) != NULL)) {
        buf_put_str(p->errors, "a '=' is missing after '");
        put_name(p, word);
        buf_put_byte(p->errors, '\'');
    } else {
        buf_put_str(p->errors, "this is none of 'name = value', 'kind label {', '}' and 'include file'");
    }
    end_error(p);
}

/* A line inside a section that is not read: only its braces count. */
static void skip_line(struct parser *p, struct view line)
{
    if (view_eq(line, VIEW("}")))
        p->skip--;
    else if (line.len > 0 && line.ptr[line.len - 1] == '{' && view_find(line, '=') == line.len)
        p->skip++;
}

static void read_words(struct parser *p, struct view line)
{
    struct view word = first_word(line);
    struct view rest = view_trim(view_sub(line, word.len, line.len));
    bool brace = rest.len > 0 && rest.ptr[rest.len - 1] == '{';
    size_t component;

    if (rest.len > 0 && rest.ptr[0] == '=' && word.len > 0)
        read_setting(p, word, view_trim(view_sub(rest, 1, rest.len)));
    else if (brace && word.len > 0)
        read_section_start(p, word, view_trim(view_sub(rest, 0, rest.len - 1)), true);
    else if (view_eq(word, VIEW("include")))
        read_include(p, rest);
    else if (find_section(p, word, &component) != NULL)
        read_section_start(p, word, rest, false);
    else
        report_no_form(p, word);
}

static void read_line(struct parser *p, struct view raw)
{
    struct view line = view_trim(cut_comment(raw));

    if (line.len == 0)
        return;
    if (has_control(line)) {
        error_text(p, "control characters are not allowed");
        return;
    }
    if (p->skip > 0) {
        skip_line(p, line);
    } else if (view_eq(line, VIEW("}"))) {
        read_section_end(p);
    } else if (p->brace_missing && view_eq(line, VIEW("{"))) {
        p->brace_missing = false; /* reported with the section's line */
    } else {
        read_words(p, line);
    }
}

/* All lines of one file; a section must end in the file in which it began. */
static void read_text(struct parser *p, struct view text)
{
    size_t n;

    p->here.line = 0;
    while (text.len > 0 && !parser_full(p)) {
        struct view line;

        n = view_find(text, '\n');
        line = view_sub(text, 0, n);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        p->here.line++;
        read_line(p, line);
        text = view_sub(text, n + 1, text.len);
    }
    p->here.line += p->here.line == 0;
    if (p->section != NULL) {
        report_missing_close(p);
        close_section(p);
    } else if (p->skip > 0) {
        error_text(p, "a '}' is missing at the end of the file");
    }
    p->skip = 0;
}

/* --- files ------------------------------------------------------------------------------------------------------- */

/* Reads all of fd; ERR_LIMIT when that fills the buffer. */
static int read_all(int fd, struct buf *text)
{
    uint8_t *room;
    size_t want;
    ssize_t n;

    for (;;) {
        want = MIN_OF((size_t)65536, text->max - buf_len(text));
        room = buf_reserve(text, want);
        if (room == NULL || want == 0)
            return ERR_LIMIT;
        n = read(fd, room, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_from_errno(errno);
        if (n == 0)
            return 0;
        buf_commit(text, (size_t)n);
    }
}

static int open_regular(const char *path, int *fd_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;

    if (fd < 0)
        return err_from_errno(errno);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return ERR_UNSUPPORTED;
    }
    *fd_out = fd;
    return 0;
}

/* The absolute path of the folder that holds the file. */
static const char *folder_of(struct parser *p, const char *path)
{
    const char *slash = strrchr(path, '/'), *kept;
    char *cwd;
    struct buf folder;

    if (slash != NULL && path[0] == '/')
        return conf_keep_view(p->conf, view_make(path, (size_t)(slash - path)));
    cwd = getcwd(NULL, 0);
    buf_init(&folder, 8192);
    buf_put_str(&folder, cwd != NULL ? cwd : "");
    if (slash != NULL) {
        buf_put_byte(&folder, '/');
        buf_put(&folder, path, (size_t)(slash - path));
    }
    kept = conf_keep_view(p->conf, buf_view(&folder));
    buf_free(&folder);
    free(cwd);
    return kept;
}

/* Reads one file; what is wrong with the file itself is returned, what is wrong in it is in errors. */
static int read_file(struct parser *p, const char *path)
{
    struct origin outer = p->here;
    const char *outer_folder = p->folder;
    struct buf text;
    int err, fd = -1;

    buf_init(&text, p->bytes_left + 1);
    err = open_regular(path, &fd);
    if (err == 0)
        err = read_all(fd, &text);
    if (err == 0) {
        p->bytes_left -= buf_len(&text);
        p->here.file = path;
        p->folder = folder_of(p, path);
        read_text(p, buf_view(&text));
    }
    if (fd >= 0)
        close(fd);
    buf_free(&text);
    p->here = outer;
    p->folder = outer_folder;
    return err;
}

static void report_file(struct parser *p, const char *path, int err)
{
    if (!begin_error(p))
        return;
    buf_put_fmt(p->errors, "cannot read '%s': %s", path,
                err == ERR_LIMIT         ? "the configuration is larger than 1 MiB"
                : err == ERR_UNSUPPORTED ? "it is not a regular file"
                                         : err_str(err));
    end_error(p);
}

static void read_include(struct parser *p, struct view name)
{
    struct conf_setting path_row = {"include", CONF_PATH, 0, 1, 4095, "", NULL, NULL};
    const char *path = NULL;
    struct buf why;
    int err;

    if (p->section != NULL || p->folder == NULL) {
        error_text(p, p->section != NULL ? "include cannot stand inside of a section" : "include is not possible here");
        return;
    }
    if (p->depth == CONF_DEPTH_MAX || p->files_left == 0) {
        error_text(p, p->files_left == 0 ? "too many included files" : "include is nested too deeply");
        return;
    }
    buf_init(&why, 1024);
    err = conf_value_parse(p->conf, &path_row, name, p->folder, &path, &why);
    if (err != 0 && begin_error(p)) {
        buf_put_str(p->errors, "include: ");
        buf_put_view(p->errors, buf_view(&why));
        end_error(p);
    }
    buf_free(&why);
    if (err != 0)
        return;
    p->depth++;
    p->files_left--;
    err = read_file(p, path);
    p->depth--;
    if (err != 0)
        report_file(p, path, err);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static void parser_init(struct parser *p, struct conf *conf, struct buf *errors)
{
    size_t i;

    *p = (struct parser){.conf = conf, .errors = errors, .bytes_left = CONF_BYTES_MAX, .files_left = CONF_FILES_MAX};
    p->set = xcalloc(conf->n + 1, sizeof(*p->set));
    for (i = 0; i < conf->n; i++)
        p->set[i] = xcalloc(count_settings(conf->components[i]->settings) + 1, sizeof(**p->set));
}

static void parser_deinit(struct parser *p)
{
    size_t i;

    for (i = 0; i < p->conf->n; i++)
        free(p->set[i]);
    free(p->set);
    free(p->seen);
    free(p->section_set);
}

int conf_parse(const char *path, struct view text, const struct conf_component *const *components, size_t ncomponents,
               struct conf **out, struct buf *errors)
{
    struct conf *conf = conf_new(components, ncomponents);
    struct parser p;
    int err = 0;

    parser_init(&p, conf, errors);
    if (path != NULL) {
        p.here = (struct origin){path, 0};
        err = read_file(&p, path);
        if (err != 0)
            report_file(&p, path, err);
    } else if (text.len > CONF_BYTES_MAX) {
        p.here = (struct origin){"configuration", 1};
        error_text(&p, "larger than 1 MiB");
    } else {
        p.here = (struct origin){"configuration", 0};
        read_text(&p, text);
    }
    parser_deinit(&p);
    if (err == 0 && p.nerrors > 0)
        err = ERR_SYNTAX;
    if (err != 0) {
        conf_free(&conf);
        return err;
    }
    *out = conf;
    return 0;
}
