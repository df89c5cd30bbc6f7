/* The commands of LMTP in one table. Every command line gets exactly one answer, in order, so that pipelining works (RFC 2920).
 */
#include "lmtp/lmtp_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/text/text.h"
#include "lmtp/address.h"
#include "lmtp/tls_int.h"

static void syntax(struct lmtp_conn *c, const char *text)
{
    lmtp_reply(c, 501, "5.5.4", text);
}

static bool is_domain_char(uint8_t b)
{
    return b > ' ' && b < 0x7f && strchr("<>()\\\"", b) == NULL;
}

static void cmd_lhlo(struct lmtp_conn *c, struct view arg)
{
    char size[32];

    for (size_t i = 0; i < arg.len; i++) {
        if (!is_domain_char(arg.ptr[i]))
            arg.len = 0;
    }
    if (arg.len == 0 || arg.len > 255) {
        syntax(c, "LHLO takes the client's name.");
        return;
    }
    lmtp_reset(c);
    free(c->helo);
    c->helo = view_dup(arg);
    lmtp_reply_more(c, c->p.hostname);
    lmtp_reply_more(c, "PIPELINING");
    lmtp_reply_more(c, "ENHANCEDSTATUSCODES");
    lmtp_reply_more(c, "8BITMIME");
    lmtp_reply_more(c, "SMTPUTF8");
    lmtp_reply_more(c, "CHUNKING");
    if (lmtp_tls_possible(c))
        lmtp_reply_more(c, "STARTTLS");
    snprintf(size, sizeof(size), "SIZE %llu", (unsigned long long)c->p.message_size_max);
    lmtp_reply(c, 250, "", size);
}

/* RFC 2033 4.1: these belong to SMTP. */
static void cmd_helo(struct lmtp_conn *c, struct view arg)
{
    (void)arg;
    lmtp_reply(c, 500, "5.5.1", "This is LMTP: say LHLO.");
}

/* RFC 1870, 6152, 6531. True when the parameter is good; otherwise the answer was put. */
static bool mail_param(struct lmtp_conn *c, struct view name, struct view value)
{
    struct cursor num = cursor_make(value);

    if (view_eq_nocase(name, VIEW("SIZE"))) {
        uint64_t size = cursor_dec(&num, 0, UINT64_MAX);

        if (!cursor_done(&num)) {
            syntax(c, "SIZE takes a number.");
            return false;
        }
        if (size > c->p.message_size_max) {
            lmtp_reply(c, 552, "5.3.4", "The message is too large.");
            return false;
        }
        c->declared = size;
        return true;
    }
    if (view_eq_nocase(name, VIEW("BODY")) && (view_eq_nocase(value, VIEW("7BIT")) || view_eq_nocase(value, VIEW("8BITMIME"))))
        return true;
    if (view_eq_nocase(name, VIEW("SMTPUTF8")) && value.len == 0) {
        c->utf8 = true;
        return true;
    }
    if (view_eq_nocase(name, VIEW("AUTH")))
        return true;
    lmtp_reply(c, 555, "5.5.4", "Unknown MAIL parameter.");
    return false;
}

static void cmd_mail(struct lmtp_conn *c, struct view arg)
{
    struct cursor cur = cursor_make(arg);
    struct view sender, name, value;

    if (c->helo == NULL) {
        lmtp_reply(c, 503, "5.5.1", "Say LHLO first.");
        return;
    }
    if (c->has_sender) {
        lmtp_reply(c, 503, "5.5.1", "There is a sender already.");
        return;
    }
    if (!cursor_take_nocase(&cur, VIEW("FROM:")))
        cursor_fail(&cur);
    while (cursor_take(&cur, ' ')) /* not in the grammar, but widespread */
        ;
    lmtp_take_path(&cur, true, &sender);
    if (cur.failed) {
        lmtp_reply(c, 501, "5.1.7", "MAIL takes FROM:<address>.");
        return;
    }
    c->utf8 = false;
    c->declared = 0;
    while (lmtp_take_param(&cur, &name, &value)) {
        if (!mail_param(c, name, value))
            return;
    }
    if (cur.failed) {
        syntax(c, "Malformed MAIL parameters.");
        return;
    }
    if (!c->utf8 && !lmtp_is_ascii(sender)) { /* RFC 6531 3.4, 3.5 */
        lmtp_reply(c, 550, "5.6.7", "This sender needs SMTPUTF8.");
        return;
    }
    c->has_sender = true;
    free(c->sender);
    c->sender = view_dup(sender);
    lmtp_reply(c, 250, "2.1.0", "Sender good.");
}

/* The name is good; whether there is such a user is another question. Otherwise the answer was put. */
static bool may_receive(struct lmtp_conn *c, struct view address)
{
    const struct conf_list *domains = &c->p.set->lmtp_domains;
    struct view domain = lmtp_domain(address);
    bool ours = domains->n == 0 || domain.len == 0;

    for (size_t i = 0; i < domains->n && !ours; i++)
        ours = view_eq_nocase(domain, view_str(domains->items[i]));
    if (!c->utf8 && !lmtp_is_ascii(address)) /* RFC 6531 3.4, 3.5 */
        lmtp_reply(c, 553, "5.6.7", "This recipient needs SMTPUTF8.");
    else if (!ours)
        lmtp_reply(c, 550, "5.7.1", "Relaying denied: there are no mailboxes of this domain here.");
    else
        return true;
    return false;
}

static void cmd_rcpt(struct lmtp_conn *c, struct view arg)
{
    struct cursor cur = cursor_make(arg);
    struct view address, name, value;

    if (!c->has_sender) {
        lmtp_reply(c, 503, "5.5.1", "Say MAIL first.");
        return;
    }
    if (c->message) {
        lmtp_reply(c, 503, "5.5.1", "BDAT has begun this message.");
        return;
    }
    if (c->nrcpts >= c->p.set->lmtp_recipients_max) {
        lmtp_reply(c, 452, "4.5.3", "Too many recipients.");
        return;
    }
    if (!cursor_take_nocase(&cur, VIEW("TO:")))
        cursor_fail(&cur);
    while (cursor_take(&cur, ' '))
        ;
    lmtp_take_path(&cur, false, &address);
    if (cur.failed) {
        lmtp_reply(c, 501, "5.1.3", "RCPT takes TO:<address>.");
        return;
    }
    if (lmtp_take_param(&cur, &name, &value) || cur.failed)
        lmtp_reply(c, 555, "5.5.4", "Unknown RCPT parameter.");
    else if (may_receive(c, address))
        lmtp_lookup(c, address);
}

static void cmd_data(struct lmtp_conn *c, struct view arg)
{
    if (arg.len > 0) {
        syntax(c, "DATA takes no argument.");
    } else if (c->message) {
        lmtp_reply(c, 503, "5.5.1", "BDAT has begun this message.");
    } else if (c->nrcpts == 0) { /* RFC 2033 4.2 */
        lmtp_reply(c, 503, "5.5.1", "No valid recipients.");
    } else {
        lmtp_reply(c, 354, "", "Send the message, end with a line of one dot.");
        lmtp_data_start(c);
    }
}

static void cmd_bdat(struct lmtp_conn *c, struct view arg)
{
    struct cursor cur = cursor_make(arg);
    uint64_t size = cursor_dec(&cur, 0, UINT32_MAX);
    bool last = false;

    if (!cur.failed && cursor_left(&cur) > 0) {
        cursor_expect(&cur, ' ');
        last = cursor_take_nocase(&cur, VIEW("LAST"));
    }
    if (!cursor_done(&cur)) { /* where the chunk ends is unknown: nothing after this can be understood */
        syntax(c, "BDAT takes a size and LAST.");
        lmtp_enter(c, LMTP_CLOSING);
        return;
    }
    lmtp_chunk_start(c, size, last); /* without recipients the chunk is read and refused at its end */
}

/* RFC 5321 4.1.1: RSET, DATA and QUIT with an argument are refused. */
static void cmd_rset(struct lmtp_conn *c, struct view arg)
{
    if (arg.len > 0) {
        syntax(c, "RSET takes no argument.");
        return;
    }
    lmtp_reset(c);
    lmtp_reply(c, 250, "2.0.0", "Forgotten.");
}

static void cmd_noop(struct lmtp_conn *c, struct view arg)
{
    (void)arg;
    lmtp_reply(c, 250, "2.0.0", "Nothing done.");
}

static void cmd_vrfy(struct lmtp_conn *c, struct view arg)
{
    if (arg.len == 0) {
        syntax(c, "VRFY takes a name.");
        return;
    }
    lmtp_reply(c, 252, "2.3.3", "Try RCPT to find out.");
}

/* RFC 3207 4. */
static void cmd_starttls(struct lmtp_conn *c, struct view arg)
{
    if (arg.len > 0) {
        syntax(c, "STARTTLS takes no argument.");
    } else if (c->tls_on) {
        lmtp_reply(c, 503, "5.5.1", "TLS is active already.");
    } else if (!lmtp_tls_possible(c)) {
        lmtp_reply(c, 502, "5.5.1", "TLS is not available here.");
    } else {
        lmtp_enter(c, LMTP_STARTTLS); /* answered when this line is out of the input */
    }
}

static void cmd_quit(struct lmtp_conn *c, struct view arg)
{
    if (arg.len > 0) {
        syntax(c, "QUIT takes no argument.");
        return;
    }
    lmtp_reply(c, 221, "2.0.0", "Goodbye.");
    lmtp_enter(c, LMTP_CLOSING);
}

static const struct {
    const char *name;
    void (*run)(struct lmtp_conn *c, struct view arg);
} commands[] = {
    {"LHLO", cmd_lhlo}, {"HELO", cmd_helo}, {"EHLO", cmd_helo}, {"MAIL", cmd_mail},
    {"RCPT", cmd_rcpt}, {"DATA", cmd_data}, {"BDAT", cmd_bdat}, {"RSET", cmd_rset},
    {"NOOP", cmd_noop}, {"VRFY", cmd_vrfy}, {"QUIT", cmd_quit}, {"STARTTLS", cmd_starttls},
};

void lmtp_command(struct lmtp_conn *c, struct view line)
{
    size_t blank = view_find(line, ' ');
    struct view name = view_sub(line, 0, blank), arg = view_trim(view_sub(line, blank + 1, line.len));

    if (line.len > 0 && memchr(line.ptr, 0, line.len) != NULL) {
        lmtp_reply(c, 500, "5.5.2", "Invalid characters in the command.");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (view_eq_nocase(view_str(commands[i].name), name)) {
            commands[i].run(c, arg);
            return;
        }
    }
    lmtp_reply(c, 500, "5.5.1", "Unknown command.");
}
