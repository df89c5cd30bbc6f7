/* What every process is told. */
#include "common/conf/settings.h"

#include "common/log/log.h"

static const struct conf_word log_to_words[] = {
    {"stderr", SET_LOG_STDERR},
    {"syslog", SET_LOG_SYSLOG},
    {"file", SET_LOG_FILE},
    {NULL, 0},
};
static const struct conf_word log_level_words[] = {
    {"debug", LOG_LVL_DEBUG}, {"info", LOG_LVL_INFO}, {"warn", LOG_LVL_WARN}, {"error", LOG_LVL_ERROR}, {NULL, 0},
};
static const struct conf_word sandbox_words[] = {
    {"required", SET_SANDBOX_REQUIRED},
    {"best-effort", SET_SANDBOX_BEST_EFFORT},
    {NULL, 0},
};

#define AT(field) offsetof(struct set_general, field)
static const struct conf_setting settings[] = {
    {"log", CONF_ENUM, AT(log_to), 0, 0, "stderr", log_to_words,
     "Where log lines go. Under systemd stderr is the journal. With file, log_file names it; a reload opens it again after a "
     "rotation."},
    {"log_file", CONF_PATH, AT(log_file), 0, 1024, "", NULL, "The log file, with log = file."},
    {"log_level", CONF_ENUM, AT(log_level), 0, 0, "info", log_level_words, "The least important lines that are logged."},
    {"hostname", CONF_STRING, AT(hostname), 0, 253, "", NULL,
     "The name of this host in greetings and Received fields. Empty: the machine's own name."},
    {"sandbox", CONF_ENUM, AT(sandbox), 0, 0, "required", sandbox_words,
     "required: no process runs where the kernel cannot confine it. best-effort: without Landlock (before Linux 5.13) go on with "
     "a "
     "warning and the other fences."},
    {NULL, CONF_BOOL, 0, 0, 0, NULL, NULL, NULL},
};

const struct conf_component set_general_component = {
    "general", settings, NULL, sizeof(struct set_general), "Log, name of the host, and what the kernel must be able to do.",
};
