/*
 * Lines of a passwd-file, networks, and stored hashes. Every view of a parsed line lies inside it, no field holds its separator,
 * and no cheap stored hash matches by being broken.
 */
#include <stdlib.h>

#include "auth/passwd_line.h"
#include "common/secret/password.h"

static void inside(struct view line, struct view part)
{
    if (part.len > 0 && (part.ptr < line.ptr || part.ptr + part.len > line.ptr + line.len))
        abort();
}

static void check_line(struct view line)
{
    struct passwd_line l;
    const struct net_addr peer = {.family = 4, .ip = {192, 0, 2, 1}};
    const char *why = NULL;
    switch (passwd_line_parse(line, &l, &why)) {
    case PASSWD_LINE_EMPTY:
        return;
    case PASSWD_LINE_BROKEN:
        if (why == NULL)
            abort();
        return;
    case PASSWD_LINE_USER:
        break;
    }
    inside(line, l.user);
    inside(line, l.password);
    inside(line, l.home);
    inside(line, l.mail);
    inside(line, l.allow_nets);
    if (l.user.len == 0 || l.user.len > PROTO_NAME_MAX || view_find(l.user, ':') < l.user.len ||
        view_find(l.password, ':') < l.password.len || (l.home.len > 0 && l.home.ptr[0] != '/'))
        abort();
    if (!l.has_allow_nets && l.allow_nets.len > 0)
        abort();
    (void)passwd_nets_match(l.allow_nets, &peer);
}

static void check_hash(struct view hash)
{
    bool slow = true;
    if (password_cost(hash, view_str("SSHA"), false, &slow) == 0 && !slow &&
        password_verify(hash, view_str("SSHA"), false, view_str("a password that no input was made of")) == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view rest = view_make(data, size);
    check_hash(rest);
    while (rest.len > 0) {
        size_t n = view_find(rest, '\n');
        check_line(view_sub(rest, 0, n));
        rest = view_sub(rest, n + 1, rest.len);
    }
    return 0;
}
