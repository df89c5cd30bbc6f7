#!/bin/bash
# `make run`: a server with one user, a fresh certificate and a few real messages on high ports of 127.0.0.1, in the foreground.
# Arguments: the folder with the programs, the folder for state. As a normal user everything runs as that user; as root it runs with a
# uid for each role, in a private mount namespace, so that the machine's account files stay as they are.
set -eu
bin=$1 run=$2
host=127.0.0.1
self=$(readlink -f "$0")
here=$(dirname "$(dirname "$self")")

prepare() {
    mkdir -p "$run/etc" "$run/state" "$run/run" "$run/mail" "$run/bin"
    chmod 755 "$run" "$run"/*
    cp -u "$bin"/* "$run/bin/"
    if [ ! -e "$run/etc/tls.crt" ]; then
        openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:$host \
            -keyout "$run/etc/tls.key" -out "$run/etc/tls.crt" 2>/dev/null
        chmod 600 "$run/etc/tls.key"
    fi
    printf 'demo:%s::::::\n' "$(echo demo | "$bin/culverctl" hash-password)" >"$run/etc/users"
}

# Root only: account files with the service users, seen by the server alone.
prepare_accounts() {
    cp /etc/passwd /etc/group "$run/etc/"
    uid=61000
    for name in _culver_auth _culver_keys _culver_imap _culver_pop3 _culver_lmtp _culver_smtp; do
        if ! grep -q "^$name:" "$run/etc/passwd"; then
            echo "$name:x:$uid:$uid::/nonexistent:/usr/sbin/nologin" >>"$run/etc/passwd"
            echo "$name:x:$uid:" >>"$run/etc/group"
        fi
        uid=$((uid + 1))
    done
}

# $1: where the state folder is seen by the server.
write_conf() {
    cat >"$run/etc/culver.conf" <<EOF
# The demo server of \`make run\`.
log = stderr
log_level = info
state_dir = $1/state
run_dir = $1/run
tls_certificate = $1/etc/tls.crt
tls_key = $1/etc/tls.key
mail_path = $1/mail/%u

listener imap {
    protocol = imap
    address = $host
    port = 1143
    tls = starttls
}
listener imaps {
    protocol = imap
    address = $host
    port = 1993
    tls = implicit
}
listener pop3 {
    protocol = pop3
    address = $host
    port = 1110
    tls = starttls
}
listener pop3s {
    protocol = pop3
    address = $host
    port = 1995
    tls = implicit
}
listener lmtp {
    protocol = lmtp
    address = $host
    port = 1024
    tls = none
}

passdb users {
    driver = passwd-file
    file = $1/etc/users
}
userdb users {
    driver = static
    uid = virtual
    gid = virtual
}
EOF
}

# Hands one message to the server by LMTP.
deliver() {
    exec 5<>"/dev/tcp/$host/1024" || return 1
    expect() {
        while read -r -t 10 -u 5 line; do
            case $line in
            [0-9][0-9][0-9]-*) ;;
            "$1"*) return 0 ;;
            *) echo "LMTP: $line" >&2 && return 1 ;;
            esac
        done
        return 1
    }
    expect 220
    printf 'LHLO demo.invalid\r\n' >&5 && expect 250
    printf 'MAIL FROM:<hello@example.org>\r\n' >&5 && expect 250
    printf 'RCPT TO:<demo>\r\n' >&5 && expect 250
    printf 'DATA\r\n' >&5 && expect 354
    sed -e 's/\r$//' -e 's/^\./../' -e 's/$/\r/' "$1" >&5
    printf '.\r\n' >&5 && expect 250
    printf 'QUIT\r\n' >&5 && expect 221
    exec 5>&-
}

wait_up() {
    for _ in $(seq 100); do
        kill -0 "$server" 2>/dev/null || return 1
        if (exec 6<>"/dev/tcp/$host/1024" && read -r -t 2 -u 6 line && [ "${line:0:3}" = 220 ]) 2>/dev/null; then
            return 0
        fi
        sleep 0.1
    done
    return 1
}

show() {
    cat <<EOF

Culver is running. User "demo", password "demo". End it with Ctrl-C.

    IMAP   $host:1143 (STARTTLS)   IMAPS  $host:1993
    POP3   $host:1110 (STLS)       POP3S  $host:1995
    LMTP   $host:1024              log-in without TLS is allowed from this machine

Read the mail with curl:
    curl --cacert $run/etc/tls.crt -u demo:demo 'imaps://localhost:1993/INBOX' -X 'FETCH 1:* (UID ENVELOPE)' --resolve localhost:1993:$host
    curl --cacert $run/etc/tls.crt -u demo:demo 'imaps://localhost:1993/INBOX;UID=1' --resolve localhost:1993:$host
    curl --cacert $run/etc/tls.crt -u demo:demo 'pop3s://localhost:1995/1' --resolve localhost:1995:$host
or with mutt:
    mutt -n -F /dev/null -e 'set ssl_ca_certificates_file=$run/etc/tls.crt' -e 'set imap_user=demo imap_pass=demo' \\
        -e 'set certificate_file=$run/etc/mutt-certificates' -f imaps://localhost:1993/INBOX
Send mail to it:
    postfix: mailbox_transport = lmtp:inet:$host:1024
Look inside:
    $bin/culverctl -s $run/run/control status        (or: who, kick demo, reload, stop)

EOF
}

serve() {
    "$run/bin/culver" -c "$seen/etc/culver.conf" &
    server=$!
    trap 'kill -TERM $server 2>/dev/null || true' INT TERM
    if wait_up; then
        if [ ! -e "$run/delivered" ]; then
            for message in "$here"/demo/*.eml; do
                deliver "$message"
            done
            touch "$run/delivered"
        fi
        show
    fi
    # wait is interrupted by the trap: wait again for the end itself.
    wait "$server" || true
    while kill -0 "$server" 2>/dev/null; do wait "$server" || true; done
    trap - INT TERM
}

seen=$run
if [ "${CULVER_DEMO_INSIDE:-}" ]; then
    seen=$CULVER_DEMO_INSIDE
    mount --bind "$run" "$seen"
    mount --bind "$run/etc/passwd" /etc/passwd
    mount --bind "$run/etc/group" /etc/group
    serve
    exit
fi
prepare
if [ "$(id -u)" -ne 0 ]; then
    write_conf "$run"
    serve
else
    # The services must reach their files wherever the checkout lies: they see the state folder below /tmp.
    prepare_accounts
    place=$(mktemp -d /tmp/culver-demo.XXXXXX)
    chmod 755 "$place"
    write_conf "$place"
    trap 'true' INT TERM
    CULVER_DEMO_INSIDE=$place unshare --mount --propagation private "$self" "$bin" "$run" || true
    rmdir "$place"
fi
