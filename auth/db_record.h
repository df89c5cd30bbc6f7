/* A user's record from a database (msg_helper_db), in the terms of a passwd-file line. */
#ifndef CULVER_AUTH_DB_RECORD_H
#define CULVER_AUTH_DB_RECORD_H

#include "auth/passwd_line.h"

/*
 * Fields by name, in any case and with or without "userdb_" before it: password, uid, gid, home, mail (or mail_path), quota_rule,
 * quota_bytes, quota_messages, mail_format, sessions_max, sessions_per_address, allow_nets, nologin (anything but 0, no, n,
 * false, f and nothing), user. Others are ignored; of a field that is there twice the first counts, but for password, of which
 * several are forms of one. Views into record. ERR_SYNTAX with *why_out, a constant text, for values that cannot be read: a field
 * that limits is never skipped.
 */
MUST_CHECK int db_record_parse(struct view record, struct passwd_line *out, const char **why_out);

#endif
