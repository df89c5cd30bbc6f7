/* The user's worker: its sessions, its storage. */
#include "common/conf/settings.h"

static const struct conf_word format_words[] = {{"culver", SET_MAIL_CULVER}, {"maildir", SET_MAIL_MAILDIR}, {NULL, 0}};
static const struct conf_word delete_words[] = {{"expunge", SET_POP3_EXPUNGE}, {"hide", SET_POP3_HIDE}, {NULL, 0}};
static const struct conf_word headers_words[] = {{"send", SET_POP3_8BIT_SEND}, {"refuse", SET_POP3_8BIT_REFUSE}, {NULL, 0}};
static const struct conf_word detail_words[] = {
    {"ignore", SET_DETAIL_IGNORE}, {"existing", SET_DETAIL_EXISTING}, {"create", SET_DETAIL_CREATE}, {NULL, 0}};
static const struct conf_word quota_full_words[] = {
    {"reject", SET_QUOTA_FULL_REJECT}, {"defer", SET_QUOTA_FULL_DEFER}, {NULL, 0}};
static const struct conf_word separator_words[] = {{"/", '/'}, {".", '.'}, {NULL, 0}};

#define AT(field) offsetof(struct set_client_network, field)
static const struct conf_setting network_settings[] = {
    {"networks", CONF_LIST, AT(networks), 1, 64, "127.0.0.0/8", NULL,
     "The networks: 192.0.2.0/24, 2001:db8::/32, single addresses."},
    {"capability_disable", CONF_LIST, AT(capability_disable), 0, 64, "", NULL,
     "IMAP capabilities that these clients do not get, before and after log-in, besides those that nobody gets."},
    {NULL, CONF_BOOL, 0, 0, 0, NULL, NULL, NULL},
};
#undef AT

static const struct conf_section sections[] = {
    {"client_network", true, network_settings, sizeof(struct set_client_network), offsetof(struct set_client_network, name),
     offsetof(struct set_worker, client_networks), offsetof(struct set_worker, nclient_networks), 64,
     "Clients of some networks that cannot deal with what all others get.",
     "client_network scanners {\n    networks = 192.0.2.0/24\n    capability_disable = IDLE LITERAL+\n}\n"},
    {NULL, false, NULL, 0, 0, 0, 0, 0, NULL, NULL},
};

#define AT(field) offsetof(struct set_worker, field)
static const struct conf_setting settings[] = {
    {"message_size_max", CONF_SIZE, AT(message_size_max), 65536, 1ull << 30, "64M", NULL,
     "The largest message that is taken, from clients (APPENDLIMIT) and by delivery (SIZE)."},
    {"mail_format", CONF_ENUM, AT(mail_format), 0, 0, "culver", format_words,
     "How mail is kept in mail_path: in the log alone (culver), or with every message a file of a Maildir++ that other programs "
     "may use "
     "too (maildir)."},
    {"auto_mailboxes", CONF_LIST, AT(auto_mailboxes), 0, 64,
     "Drafts:\\Drafts Sent:\\Sent Junk:\\Junk Trash:\\Trash Archive:\\Archive", NULL,
     "Mailboxes that a new account begins with besides INBOX, subscribed. What follows the last colon is its special use (RFC "
     "6154)."},
    {"mailboxes_max", CONF_UINT, AT(mailboxes_max), 1, 1000000, "10000", NULL, "Mailboxes of one user."},
    {"hierarchy_separator", CONF_ENUM, AT(hierarchy_separator), 0, 0, "/", separator_words,
     "The character between the levels of mailbox names, as clients see it."},
    {"flag_sync", CONF_TIME, AT(flag_sync), 0, 60000, "1s", NULL,
     "Time within which changed flags are safe on disk. 0: before the client is told OK. Everything else always is."},
    {"worker_linger", CONF_TIME, AT(worker_linger), 0, 3600000, "30s", NULL,
     "How long a worker stays with the mail open after the last session, for clients that come back soon."},
    {"worker_memory", CONF_SIZE, AT(worker_memory), 64ull << 20, 1ull << 40, "512M", NULL,
     "Memory that one worker may use; the kernel enforces it. Mapped mail does not count."},
    {"output_stall_timeout", CONF_TIME, AT(output_stall_timeout), 10000, 3600000, "2min", NULL,
     "A client that takes nothing of what it asked for, for so long, is cut off."},
    {"imap_idle_timeout", CONF_TIME, AT(imap_idle_timeout), 60000, 86400000, "30min", NULL,
     "An IMAP client that says nothing for so long is logged out (RFC 9051 wants 30 minutes or more)."},
    {"imap_line_max", CONF_SIZE, AT(imap_line_max), 8192, 1048576, "64K", NULL,
     "Octets of one IMAP command, without its literals (RFC 7162 wants 8192 or more)."},
    {"imap_literal_max", CONF_SIZE, AT(imap_literal_max), 4096, 16777216, "256K", NULL,
     "Octets of all literals of one IMAP command other than APPEND."},
    {"imap_bad_commands", CONF_UINT, AT(imap_bad_commands), 1, 1000, "20", NULL,
     "IMAP commands in a row that are not understood before the client is cut off."},
    {"imap_progress_interval", CONF_TIME, AT(imap_progress_interval), 0, 3600000, "10s", NULL,
     "An IMAP client that waits for a long command is told so often how far it is (RFC 9585). 0: never."},
    {"imap_message_limit", CONF_UINT, AT(imap_message_limit), 0, UINT32_MAX, "0", NULL,
     "Messages that one IMAP command may work on, which clients are told (MESSAGELIMIT, RFC 9738, which wants 1000 or more). 0: "
     "any."},
    {"imap_save_limit", CONF_UINT, AT(imap_save_limit), 0, UINT32_MAX, "0", NULL,
     "The same for COPY and APPEND alone (SAVELIMIT, RFC 9738). 0: any number."},
    {"imap_literal_minus", CONF_BOOL, AT(imap_literal_minus), 0, 0, "no", NULL,
     "LITERAL- instead of LITERAL+: clients may send literals unasked up to 4096 octets only (RFC 7888)."},
    {"imap_id", CONF_LIST, AT(imap_id), 0, 30, "name=Culver", NULL,
     "What the IMAP command ID is answered with: pairs name=value. Empty: nothing."},
    {"acl_anyone", CONF_BOOL, AT(acl_anyone), 0, 0, "no", NULL,
     "Users may give rights in their mailboxes to all users at once (RFC 4314: the identifiers anyone and anonymous)."},
    {"imap_server_comment", CONF_STRING, AT(imap_server_comment), 0, 1024, "", NULL,
     "A note for users about this server, which IMAP clients read as its annotation /shared/comment (RFC 5464)."},
    {"imap_server_admin", CONF_STRING, AT(imap_server_admin), 0, 1024, "", NULL,
     "How to reach the administrator: a URI (mailto:…, tel:…), which IMAP clients read as the annotation /shared/admin."},
    {"capability_disable", CONF_LIST, AT(capability_disable), 0, 64, "", NULL,
     "IMAP capabilities that are not announced, for clients that cannot deal with them."},
    {"pop3_idle_timeout", CONF_TIME, AT(pop3_idle_timeout), 60000, 86400000, "10min", NULL,
     "A POP3 client that says nothing for so long is cut off (RFC 1939 wants 10 minutes or more)."},
    {"pop3_mark_seen", CONF_BOOL, AT(pop3_mark_seen), 0, 0, "no", NULL,
     "A message that a POP3 client fetched is marked as read."},
    {"pop3_delete", CONF_ENUM, AT(pop3_delete), 0, 0, "expunge", delete_words,
     "What becomes of messages that a POP3 client deletes: they go (expunge), or get pop3_hidden_keyword and are seen by IMAP "
     "only (hide)."},
    {"pop3_hidden_keyword", CONF_STRING, AT(pop3_hidden_keyword), 1, 64, "$POP3Deleted", NULL,
     "The keyword of such messages, as Dovecot's pop3_deleted_flag."},
    {"pop3_uidl_format", CONF_STRING, AT(pop3_uidl_format), 1, 128, "dovecot", NULL,
     "How POP3 names messages that did not bring a unique id with them: dovecot, cyrus, courier, uid, file (mail_format = "
     "maildir), "
     "or a text with %u (UID), %v (UIDVALIDITY), %f, %g, as %08Xu or %{uid | hex(8)}. Choose once: clients fetch everything "
     "again "
     "after a change."},
    {"pop3_8bit_headers", CONF_ENUM, AT(pop3_8bit_headers), 0, 0, "send", headers_words,
     "Messages with unencoded non-ASCII characters in their header, for POP3 clients that have not said UTF8: sent as they are, "
     "or refused with [UTF8] (RFC 6856)."},
    {"pop3_expire", CONF_UINT, AT(pop3_expire), 0, 36500, "0", NULL,
     "Days after which this site removes messages, as POP3 announces it (EXPIRE). 0: never. It is only announced."},
    {"detail_mailbox", CONF_ENUM, AT(detail_mailbox), 0, 0, "existing", detail_words,
     "Where mail for jo+lists goes (recipient_delimiter). ignore: into INBOX. existing: into the mailbox lists, if there is one. "
     "create: the mailbox is made where there is none; anybody can have mailboxes made that way."},
    {"quota_full", CONF_ENUM, AT(quota_full), 0, 0, "reject", quota_full_words,
     "How mail for a full mailbox is refused: for good (reject, 552), or so that the mail server tries again (defer, 452)."},
    {"quota_warnings", CONF_LIST, AT(quota_warnings), 0, 10, "", NULL,
     "Percentages of the quota, such as 80% 95%. When a user's mail grows over one, a message in INBOX says so."},
    {"quota_warning_subject", CONF_STRING, AT(quota_warning_subject), 1, 200, "Your mailbox is %p %% full", NULL,
     "The subject of that message. %p is the percentage, %u the user, %% a percent sign."},
    {"quota_warning_text", CONF_STRING, AT(quota_warning_text), 1, 900,
     "The mailbox of %u is %p %% full.%nWhen it is full, no mail can be taken for it any more. Please delete what you do not "
     "need.",
     NULL, "Its text; %n is a line end."},
    {"deliveries_per_user", CONF_UINT, AT(deliveries_per_user), 1, 100, "10", NULL,
     "Messages that are put into one user's mail at the same time; others wait for their turn."},
    {"duplicate_window", CONF_TIME, AT(duplicate_window), 0, 2592000000, "0", NULL,
     "A message is discarded when one with the same Message-ID was delivered into the same mailbox within this time and is still "
     "among its newest. 0: never."},
    {NULL, CONF_BOOL, 0, 0, 0, NULL, NULL, NULL},
};

const struct conf_component set_worker_component = {
    "worker", settings, sections, sizeof(struct set_worker), "Sessions after log-in and the mail of one user.",
};
