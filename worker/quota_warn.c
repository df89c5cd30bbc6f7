/*
 * Warnings that the quota is nearly used up (quota_warnings): a message in INBOX when a commit lifts the usage over a percentage,
 * whatever put the mail there. What is remembered is only the percentage that was reached last, so a worker that is killed
 * between that commit and the warning's does not warn; and usage that falls below and rises again warns again.
 */
#include "worker/worker_int.h"

#include <time.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/text/text.h"
#include "storage/txn.h"

#define MESSAGE_MAX 8192
/* Octets of one encoded word: 52 characters of base64 and 12 around them (RFC 2047 2: 75). */
#define WORD_OCTETS 39

static bool reached(uint64_t used, uint64_t limit, uint64_t percent)
{
    /* Rounded up, so that a small limit is not reached by nothing. */
    return limit != QUOTA_NONE && used > 0 && used >= limit / 100 * percent + (limit % 100 * percent + 99) / 100;
}

/* The highest percentage of the setting that is reached; 0: none. */
static unsigned level(const struct worker *w)
{
    const struct conf_list *list = &w->set->quota_warnings;
    struct quota_usage q;
    uint64_t highest = 0;

    account_quota(w->acc, &q);
    for (size_t i = 0; i < list->n; i++) {
        struct cursor c = cursor_make(view_str(list->items[i]));
        uint64_t percent = cursor_dec(&c, 1, 100);

        if (percent > highest && (reached(q.bytes, q.limits.bytes, percent) || reached(q.messages, q.limits.messages, percent)))
            highest = percent;
    }
    return (unsigned)highest;
}

/* %p: the percentage, %u: the user, %n: a line end. */
static void put_template(struct buf *out, const char *text, const struct worker *w, unsigned percent)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (p[0] == '%' && p[1] == 'p')
            buf_put_dec(out, percent);
        else if (p[0] == '%' && p[1] == 'u')
            buf_put_str(out, w->user);
        else if (p[0] == '%' && p[1] == 'n')
            buf_put_str(out, "\r\n");
        else if (p[0] != '%' || p[1] != '%') {
            buf_put_byte(out, (uint8_t)*p);
            continue;
        } else
            buf_put_byte(out, '%');
        p++;
    }
}

/* A header field's text: as it is, or in encoded words. Cut between characters. */
static void put_words(struct buf *out, struct view text)
{
    bool ascii = true;

    for (size_t i = 0; i < text.len; i++)
        ascii = ascii && text.ptr[i] < 0x80;
    if (ascii) {
        buf_put_view(out, text);
        return;
    }
    while (text.len > 0) {
        struct view word = view_sub(text, 0, WORD_OCTETS);

        while (word.len < text.len && word.len > 1 && (text.ptr[word.len] & 0xc0) == 0x80)
            word.len--;
        buf_put_str(out, "=?utf-8?b?");
        base64_encode(out, word);
        buf_put_str(out, "?=");
        text = view_sub(text, word.len, text.len);
        if (text.len > 0)
            buf_put_str(out, "\r\n ");
    }
}

static void put_message(struct buf *out, const struct worker *w, unsigned percent)
{
    struct buf subject;
    int64_t now = (int64_t)time(NULL);

    buf_init(&subject, MESSAGE_MAX);
    put_template(&subject, w->set->quota_warning_subject, w, percent);
    buf_put_fmt(out, "From: <postmaster@%s>\r\nTo: <%s%s%s>\r\nSubject: ", w->general->hostname, w->user,
                strchr(w->user, '@') != NULL ? "" : "@", strchr(w->user, '@') != NULL ? "" : w->general->hostname);
    put_words(out, buf_view(&subject));
    buf_put_str(out, "\r\nDate: ");
    time_put_rfc5322(out, now, 0);
    buf_put_fmt(out, "\r\nMessage-ID: <quota-%u.%lld@%s>\r\n", percent, (long long)now, w->general->hostname);
    buf_put_str(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                     "Content-Transfer-Encoding: 8bit\r\n\r\n");
    put_template(out, w->set->quota_warning_text, w, percent);
    buf_put_str(out, "\r\n");
    buf_free(&subject);
}

static void done(void *arg, int err, const struct txn_result *result)
{
    struct worker *w = arg;

    (void)result;
    if (err != 0)
        LOG_WARN(0, "quota warning not stored", F_STR("user", w->user), F_ERR(err));
}

static void warn(struct worker *w, unsigned percent)
{
    struct message_source src = {.fd = -1};
    struct append_options opt = {0};
    struct mailbox *inbox = account_find(w->acc, VIEW("INBOX"));
    struct buf message;
    struct txn *t = txn_begin(w->acc);
    int err = inbox == NULL ? ERR_NOTFOUND : 0;

    buf_init(&message, MESSAGE_MAX);
    put_message(&message, w, percent);
    src.parts[0] = buf_view(&message);
    if (err == 0)
        err = buf_ok(&message) ? txn_append(t, inbox, &src, &opt) : ERR_LIMIT;
    buf_free(&message);
    if (err == 0) {
        txn_commit(&t, done, w);
        LOG_INFO(0, "quota warning", F_STR("user", w->user), F_UINT("percent", percent));
    } else {
        txn_abort(&t);
        LOG_WARN(0, "no room for a quota warning", F_STR("user", w->user), F_UINT("percent", percent), F_ERR(err));
    }
}

void worker_quota_start(struct worker *w)
{
    w->quota_level = level(w);
}

void worker_quota_check(struct worker *w)
{
    unsigned now;

    if (w->acc == NULL || w->set->quota_warnings.n == 0 || account_read_only(w->acc))
        return;
    now = level(w);
    if (now > w->quota_level)
        warn(w, now);
    w->quota_level = now;
}
