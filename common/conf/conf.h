/*
 * The configuration parser. One file, one grammar, tables of settings:
 *
 *   # comment
 *   name = value
 *   kind label {            a section; the label may be left out where the table allows it
 *       name = value
 *   }
 *   include other.conf      relative to the including file; at most 8 deep
 *
 * A value runs to the end of the line, trimmed; "double quotes" keep blanks and allow \" and \\ ; a '#' begins a comment when
 * it follows a blank outside quotes. All errors are collected (file:line, what is wrong, the nearest known name for an unknown
 * one), never only the first.
 *
 * Values live in plain structs that the tables describe with offsetof(); strings and lists belong to the struct conf.
 */
#ifndef CULVER_COMMON_CONF_CONF_H
#define CULVER_COMMON_CONF_CONF_H

#include "common/base/buf.h"

enum conf_type {
    CONF_BOOL,   /* bool: yes, no */
    CONF_UINT,   /* uint64_t in [min, max] */
    CONF_SIZE,   /* uint64_t bytes: 10, 64K, 64M, 2G (powers of 1024) */
    CONF_TIME,   /* uint64_t milliseconds: 500ms, 30s, 2min, 1h, 1d; a bare number is seconds */
    CONF_STRING, /* const char *, never NULL; "" when unset; min and max bound its length */
    CONF_PATH,   /* const char *: "" or absolute (a relative one is taken from the file's folder); min and max as above */
    CONF_ENUM,   /* int: one of the words */
    CONF_LIST    /* struct conf_list: items separated by blanks or commas, each may be quoted; min and max bound their number;
                  * with words set, each item must be one of them */
};

struct conf_list {
    const char **items;
    size_t n;
};

struct conf_word { /* of a CONF_ENUM or CONF_LIST; ends with word NULL */
    const char *word;
    int value;
};

struct conf_setting { /* a table ends with name NULL */
    const char *name;
    enum conf_type type;
    size_t offset;
    uint64_t min, max;
    const char *def; /* in the form that the file uses */
    const struct conf_word *words;
    const char *help; /* one or two sentences; the man page and the comments of conf/culver.conf are made from it */
};

struct conf_section { /* a table ends with kind NULL */
    const char *kind;
    bool labelled; /* a label is required and unique within the kind */
    const struct conf_setting *settings;
    size_t size;         /* of one element's struct */
    size_t label_offset; /* const char * in that struct; used when labelled */
    size_t array_offset; /* in the component's struct: T *elements; */
    size_t count_offset; /* in the component's struct: size_t count; */
    size_t max_count;
    const char *help;
    const char *sample; /* example sections for conf/culver.conf, in the grammar; may be NULL */
};

/* What one component may read of the file. */
struct conf_component {
    const char *name;                    /* "imap", "auth" */
    const struct conf_setting *settings; /* top-level settings, may be NULL */
    const struct conf_section *sections; /* may be NULL */
    size_t size;                         /* of the component's struct */
    const char *help;
};

struct conf; /* parsed values of one or more components */

#define CONF_BYTES_MAX (1024 * 1024) /* of a configuration, its included files counted */
#define CONF_FILES_MAX 64            /* included files in all */
#define CONF_DEPTH_MAX 8             /* files that include files */
#define CONF_ERRORS_MAX 100          /* lines of errors; a last line says when there were more */

/* Parses the file (or, with path NULL, `text`, which may hold neither an include nor a relative path) for these components. On
 * success *out is set. On an error `errors` (owned by the caller, 64 KiB are enough) holds one line of text for each
 * ("culver.conf:12: …") and the result is ERR_SYNTAX, or why the file could not be read. A setting of a component not in the list
 * is an unknown name. */
MUST_CHECK int conf_parse(const char *path, struct view text, const struct conf_component *const *components, size_t ncomponents,
                          struct conf **out, struct buf *errors);
void conf_free(struct conf **conf);

/* The values: the component's struct; valid until conf_free. NULL when the component was not asked for. */
const void *conf_get(const struct conf *conf, const struct conf_component *component);

/* Writes the effective values of one component in the grammar above (only_changed: leaves out defaults). What master hands to a
 * child is this text in a sealed memfd, and `culver -n` prints it. */
void conf_write(const struct conf *conf, const struct conf_component *component, bool only_changed, struct buf *out);

/* Writes a commented sample (every setting with its help and default): conf/culver.conf. Lines of help begin with "##", settings
 * are commented out with one "#". */
void conf_write_sample(const struct conf_component *const *components, size_t ncomponents, struct buf *out);

#endif
