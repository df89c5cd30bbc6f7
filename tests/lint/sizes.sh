#!/bin/bash
# Sizes that a reader can take in: functions up to 100 lines, files up to 1200, headers up to 120. Exceptions are headers that are
# one table or one set of types, which would not get clearer in pieces:
#   common/ipc/proto.h         a structure for each message between the processes
#   common/conf/settings.h     a structure of settings for each component
#   common/login/login_int.h   the state of a connection before log-in, shared by its parts
#   imap/session_int.h         the state of an IMAP session, shared by the commands
#   storage/account_int.h      the state of an open account, shared by its parts
#   storage/txlog.h            the form of the log on disk, field by field
#   storage/vfs.h              what each operation of a backend promises
set -u
cd "$(dirname "$0")/../.."
headers='common/ipc/proto.h|common/conf/settings.h|common/login/login_int.h|imap/session_int.h|storage/account_int.h|storage/txlog.h|storage/vfs.h'
folders="common storage imap pop3 auth lmtp worker master"
{
    # A function begins with a brace in the first column and ends with one that stands alone there.
    find $folders tests -name '*.[ch]' -print0 | sort -z | xargs -0 awk '
        FNR == 1 { begin = 0 }
        /^[a-zA-Z].*\(/ { name = $0 }
        /^\{/ { begin = FNR }
        /^\}$/ { if (begin && FNR - begin > 100) print FILENAME ":" begin ": function of " FNR - begin " lines: " name; begin = 0 }'
    find $folders tests -name '*.[ch]' | sort | xargs wc -l | awk '$2 != "total" && $1 > 1200 { print $2 ": " $1 " lines" }'
    find $folders -name '*.h' | grep -vxE "$headers" | sort | xargs wc -l | awk '$2 != "total" && $1 > 120 { print $2 ": header of " $1 " lines" }'
} | sed 's/^/sizes: /' | { ! grep . >&2; }
