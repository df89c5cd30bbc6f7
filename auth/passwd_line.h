/*
 * One line of a passwd-file: user:password:uid:gid:(gecos):home:(shell):extra_fields. Fields may be missing from the right. Extra
 * fields are key=value, separated by blanks; those that mean something here: userdb_uid, userdb_gid, userdb_home, userdb_mail,
 * userdb_quota_rule (only "*:storage=N[BKMGT]", "*:bytes=N", "*:messages=N"), userdb_mail_format,
 * userdb_sessions_max, userdb_sessions_per_address, userdb_capability_disable (separated by commas), allow_nets, nologin, alias.
 * Others are ignored.
 */
#ifndef CULVER_AUTH_PASSWD_LINE_H
#define CULVER_AUTH_PASSWD_LINE_H

#include "common/base/view.h"
#include "common/ipc/proto.h"

#define PASSWD_LINE_MAX 4096
/* Forms of one password besides the first. */
#define PASSWD_FORMS_MAX 7

struct passwd_id {
    bool given;
    bool number; /* value is set; otherwise text names an account */
    uint32_t value;
    struct view text;
};

struct passwd_line { /* views into the line */
    struct view user;
    struct view password;                /* as stored; may be empty */
    struct view forms[PASSWD_FORMS_MAX]; /* further stored forms of the same password: databases only */
    unsigned nforms;
    struct passwd_id uid, gid;
    struct view home; /* empty or absolute */
    struct view mail; /* userdb_mail; may be empty */
    bool has_quota_bytes, has_quota_messages;
    uint64_t quota_bytes, quota_messages;
    enum user_format format;
    uint32_t sessions_max, sessions_per_address; /* 0: nothing is said */
    struct view capability_disable;              /* separated by commas; may be empty */
    bool has_allow_nets;
    struct view allow_nets;
    bool nologin;
    struct view alias; /* the user who gets what is for this name, which cannot log in then; may be empty */
};

enum passwd_line_kind { PASSWD_LINE_EMPTY, PASSWD_LINE_USER, PASSWD_LINE_BROKEN };

/* line: without its LF. PASSWD_LINE_BROKEN sets *why_out to a constant text. *out is set for PASSWD_LINE_USER only. */
enum passwd_line_kind passwd_line_parse(struct view line, struct passwd_line *out, const char **why_out);

/* For other sources of the same values. A number, or the name of an account; false: neither. */
bool passwd_id_parse(struct view v, struct passwd_id *out);
/* "culver" or "maildir"; nothing: as everywhere. */
bool passwd_format_parse(struct view v, enum user_format *out);
/* 1..PROTO_SESSIONS_MAX. */
bool passwd_sessions_parse(struct view v, uint32_t *out);
/* "*:storage=1G:messages=1000". Rules for single mailboxes, percentages and the like are not for us. */
void passwd_quota_rule(struct view v, struct passwd_line *out);

/* True when peer is in the comma-separated networks ("192.0.2.0/24,2001:db8::/32,local"). What cannot be read matches nothing. */
bool passwd_nets_match(struct view nets, const struct net_addr *peer);

#endif
