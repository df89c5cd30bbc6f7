/*
 * Log lines: one non-blocking write each, key=value, control bytes escaped, never a secret.
 *
 *   ts=2026-01-31T12:00:00.123Z level=info proc=imap pid=77 sid=3f9c… msg="logged in" user=alice peer=192.0.2.1
 *
 * A destination that does not take the line now loses it; the number of lost lines is reported (lost=N) with the next line
 * that gets through. Nothing ever waits for a log.
 */
#ifndef CULVER_COMMON_LOG_LOG_H
#define CULVER_COMMON_LOG_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/view.h"

enum log_level { LOG_LVL_DEBUG, LOG_LVL_INFO, LOG_LVL_WARN, LOG_LVL_ERROR, LOG_LVL_FATAL };

/* The shape of the destination descriptor. */
enum log_sink { LOG_SINK_STREAM, LOG_SINK_SYSLOG /* a connected /dev/log datagram socket */ };

/* proc: a constant name such as "imap-login". fd is not owned and must be non-blocking or O_APPEND on a file. */
void log_init(const char *proc, int fd, enum log_sink sink, enum log_level least);
/* After rotation: lines go to fd from now on; the caller closes the old one. */
void log_set_fd(int fd);
void log_set_level(enum log_level least);
bool log_enabled(enum log_level level);

/* One field of a line. Built with the F_ macros below; values are escaped by the writer. */
enum log_field_type { LOG_F_STR, LOG_F_VIEW, LOG_F_INT, LOG_F_UINT, LOG_F_ID };
struct log_field {
    const char *key;
    enum log_field_type type;
    struct view view;
    uint64_t num;
};
#define F_STR(k, s) ((struct log_field){(k), LOG_F_STR, view_str(s), 0})
#define F_VIEW(k, v) ((struct log_field){(k), LOG_F_VIEW, (v), 0})
#define F_INT(k, n) ((struct log_field){(k), LOG_F_INT, {0}, (uint64_t)(int64_t)(n)})
#define F_UINT(k, n) ((struct log_field){(k), LOG_F_UINT, {0}, (uint64_t)(n)})
/* 16 hexadecimal digits: session and connection ids. */
#define F_ID(k, n) ((struct log_field){(k), LOG_F_ID, {0}, (uint64_t)(n)})
/* err=text for one of enum err; F_ERRNO: err=text for an errno value. */
#define F_ERR(e) F_STR("err", err_str(e))
#define F_ERRNO(e) F_STR("err", log_errno_text(e))

/* A static text for errno values (strerrorname_np form, "ENOENT"), safe in every sandbox. */
const char *log_errno_text(int errnum);

/* sid: the session or connection id, 0 for none (the field is then left out). msg: a constant text. */
void log_line(enum log_level level, uint64_t sid, const char *msg, const struct log_field *fields, unsigned nfields);

#define LOG_AT(level, sid, msg, ...)                                                                      \
    do {                                                                                                  \
        if (log_enabled(level)) {                                                                         \
            const struct log_field log_fields_[] = {F_STR(NULL, NULL), ##__VA_ARGS__};                    \
            log_line(level, sid, msg, log_fields_ + 1, sizeof(log_fields_) / sizeof(log_fields_[0]) - 1); \
        }                                                                                                 \
    } while (0)
#define LOG_DEBUG(sid, msg, ...) LOG_AT(LOG_LVL_DEBUG, sid, msg, ##__VA_ARGS__)
#define LOG_INFO(sid, msg, ...) LOG_AT(LOG_LVL_INFO, sid, msg, ##__VA_ARGS__)
#define LOG_WARN(sid, msg, ...) LOG_AT(LOG_LVL_WARN, sid, msg, ##__VA_ARGS__)
#define LOG_ERROR(sid, msg, ...) LOG_AT(LOG_LVL_ERROR, sid, msg, ##__VA_ARGS__)

/* Logs at fatal level and exits with status 1: configuration and start-up only. */
_Noreturn void log_fatal(const char *msg, const struct log_field *fields, unsigned nfields);
#define LOG_FATAL(msg, ...)                                                                \
    do {                                                                                   \
        const struct log_field log_fields_[] = {F_STR(NULL, NULL), ##__VA_ARGS__};         \
        log_fatal(msg, log_fields_ + 1, sizeof(log_fields_) / sizeof(log_fields_[0]) - 1); \
    } while (0)

/* Our bug: logs file and line and aborts (no core of a process that holds secrets). */
_Noreturn void log_panic(const char *file, int line, const char *what);
#define PANIC(what) log_panic(__FILE__, __LINE__, what)
#define ASSERT(cond)      \
    do {                  \
        if (!(cond))      \
            PANIC(#cond); \
    } while (0)

#endif
