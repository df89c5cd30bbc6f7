/*
 * What is listed here is complete. A capability with a value has it written by value(). The name of a row is what
 * capability_disable takes; a value is not part of it.
 */
#include "imap/capability.h"

#include "common/base/mem.h"
#include "common/login/capabilities.h"

static void value_appendlimit(const struct imap_session *s, struct buf *out)
{
    buf_put_byte(out, '=');
    buf_put_dec(out, s->host->set->message_size_max);
}

static void value_messagelimit(const struct imap_session *s, struct buf *out)
{
    buf_put_byte(out, '=');
    buf_put_dec(out, s->host->set->imap_message_limit);
}

static void value_savelimit(const struct imap_session *s, struct buf *out)
{
    buf_put_byte(out, '=');
    buf_put_dec(out, s->host->set->imap_save_limit);
}

static bool limits_messages(const struct imap_session *s)
{
    return s->host->set->imap_message_limit > 0;
}

/* Instead of the other (RFC 9738 3). */
static bool limits_saving(const struct imap_session *s)
{
    return s->host->set->imap_save_limit > 0 && !limits_messages(s);
}

/* Until it is active (RFC 4978 3). */
static bool may_compress(const struct imap_session *s)
{
    return s->host->compress != NULL && !s->host->compressed;
}

/* Never both (RFC 7888 5). */
static bool literal_plus(const struct imap_session *s)
{
    return !s->host->set->imap_literal_minus;
}

static bool literal_minus(const struct imap_session *s)
{
    return s->host->set->imap_literal_minus;
}

/* RFC 9208 3.1.2 leaves it to the server who may. */
static bool sets_quota(const struct imap_session *s)
{
    return s->host->admin;
}

static bool tells_progress(const struct imap_session *s)
{
    return s->host->set->imap_progress_interval > 0;
}

/* RFC 5267 4.1; CANCELUPDATE is there with CONTEXT=SEARCH. */
static bool sorts_on(const struct imap_session *s)
{
    return !imap_capability_disabled(s, "SORT") && !imap_capability_disabled(s, "CONTEXT=SEARCH");
}

static const struct {
    const char *name;
    void (*value)(const struct imap_session *s, struct buf *out);
} capabilities[] = {
    {"IMAP4rev1", NULL},
    {"IMAP4rev2", NULL},
    {"LITERAL+", NULL},
    {"LITERAL-", NULL},
    {"ID", NULL},
    {"ENABLE", NULL},
    {"IDLE", NULL},
    {"NAMESPACE", NULL},
    {"LANGUAGE", NULL},
    {"CHILDREN", NULL},
    {"UNSELECT", NULL},
    {"UIDPLUS", NULL},
    {"MULTIAPPEND", NULL},
    {"MOVE", NULL},
    {"ESEARCH", NULL},
    {"SEARCHRES", NULL},
    {"SORT", NULL},
    {"SORT=DISPLAY", NULL},
    {"ESORT", NULL},
    {"THREAD=ORDEREDSUBJECT", NULL},
    {"THREAD=REFERENCES", NULL},
    {"I18NLEVEL=1", NULL},
    {"I18NLEVEL=2", NULL},
    {"THREAD=REFS", NULL},
    {"WITHIN", NULL},
    {"LIST-EXTENDED", NULL},
    {"LIST-STATUS", NULL},
    {"SPECIAL-USE", NULL},
    {"CREATE-SPECIAL-USE", NULL},
    {"STATUS=SIZE", NULL},
    {"BINARY", NULL},
    {"SAVEDATE", NULL},
    {"PREVIEW", NULL},
    {"OBJECTID", NULL},
    {"CONDSTORE", NULL},
    {"QRESYNC", NULL},
    {"PARTIAL", NULL},
    {"CONTEXT=SEARCH", NULL},
    {"CONTEXT=SORT", NULL},
    {"MULTISEARCH", NULL},
    {"FILTERS", NULL},
    {"UIDONLY", NULL},
    {"METADATA", NULL},
    {"LIST-METADATA", NULL},
    {"ACL", NULL},
    {"RIGHTS=texk", NULL},
    {"LIST-MYRIGHTS", NULL},
    {"QUOTA", NULL},
    {"QUOTA=RES-STORAGE", NULL},
    {"QUOTA=RES-MESSAGE", NULL},
    {"QUOTA=RES-MAILBOX", NULL},
    {"QUOTA=RES-ANNOTATION-STORAGE", NULL},
    {"QUOTASET", NULL},
    {"UTF8=ACCEPT", NULL},
    {"APPENDLIMIT", value_appendlimit},
    {"COMPRESS=DEFLATE", NULL},
    {"CATENATE", NULL},
    {"URL-PARTIAL", NULL},
    {"REPLACE", NULL},
    {"NOTIFY", NULL},
    {"INPROGRESS", NULL},
    {"MESSAGELIMIT", value_messagelimit},
    {"SAVELIMIT", value_savelimit},
};

/* Those that not every session has. */
static const struct {
    const char *name;
    bool (*applies)(const struct imap_session *s);
} conditions[] = {
    {"COMPRESS=DEFLATE", may_compress}, {"LITERAL+", literal_plus},   {"LITERAL-", literal_minus},
    {"INPROGRESS", tells_progress},     {"CONTEXT=SORT", sorts_on},   {"QUOTASET", sets_quota},
    {"MESSAGELIMIT", limits_messages},  {"SAVELIMIT", limits_saving},
};

static bool applies(const struct imap_session *s, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
        if (strcmp(conditions[i].name, name) == 0)
            return conditions[i].applies(s);
    return true;
}

bool imap_capability_disabled(const struct imap_session *s, const char *name)
{
    return capability_is_disabled(s->host->set, &s->host->peer, s->host->capability_disable, name);
}

void imap_capability_put(const struct imap_session *s, struct buf *out)
{
    bool first = true;

    for (size_t i = 0; i < ARRAY_LEN(capabilities); i++) {
        if (imap_capability_disabled(s, capabilities[i].name) || !applies(s, capabilities[i].name))
            continue;
        if (!first)
            buf_put_byte(out, ' ');
        first = false;
        buf_put_str(out, capabilities[i].name);
        if (capabilities[i].value != NULL)
            capabilities[i].value(s, out);
    }
}
