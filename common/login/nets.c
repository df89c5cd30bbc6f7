/* Lists of networks in CIDR form. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/login/login_int.h"

struct net {
    struct net_addr addr;
    unsigned bits;
};

struct login_nets {
    struct net *items;
    size_t n;
};

static int net_parse(struct view text, struct net *out)
{
    size_t slash = view_find(text, '/');
    struct view addr = view_sub(text, 0, slash);
    struct net net = {0};
    char name[INET6_ADDRSTRLEN];
    unsigned max;

    if (addr.len == 0 || addr.len >= sizeof(name) || view_find(addr, '\0') < addr.len)
        return ERR_SYNTAX;
    memcpy(name, addr.ptr, addr.len);
    name[addr.len] = '\0';
    if (inet_pton(AF_INET, name, net.addr.ip) == 1)
        net.addr.family = 4;
    else if (inet_pton(AF_INET6, name, net.addr.ip) == 1)
        net.addr.family = 6;
    else
        return ERR_SYNTAX;
    max = net.addr.family == 4 ? 32 : 128;
    net.bits = max;
    if (slash < text.len) {
        struct cursor c = cursor_make(view_sub(text, slash + 1, text.len));

        net.bits = (unsigned)cursor_dec(&c, 0, max);
        if (!cursor_done(&c))
            return ERR_SYNTAX;
    }
    *out = net;
    return 0;
}

static bool net_has(const struct net *net, const struct net_addr *addr)
{
    unsigned whole = net->bits / 8, rest = net->bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);

    if (net->addr.family != addr->family || memcmp(net->addr.ip, addr->ip, whole) != 0)
        return false;
    return rest == 0 || ((net->addr.ip[whole] ^ addr->ip[whole]) & mask) == 0;
}

bool login_net_has(const char *network, const struct net_addr *addr)
{
    struct net net;

    return net_parse(view_str(network), &net) == 0 && net_has(&net, addr);
}

int login_nets_new(const struct conf_list *list, struct login_nets **out)
{
    struct login_nets *nets = xcalloc(1, sizeof(*nets));

    nets->items = xcalloc(list->n + 1, sizeof(nets->items[0]));
    for (size_t i = 0; i < list->n; i++) {
        if (net_parse(view_str(list->items[i]), &nets->items[i]) < 0) {
            login_nets_free(&nets);
            return ERR_SYNTAX;
        }
        nets->n++;
    }
    *out = nets;
    return 0;
}

void login_nets_free(struct login_nets **netsp)
{
    if (*netsp == NULL)
        return;
    free((*netsp)->items);
    free(*netsp);
    *netsp = NULL;
}

bool login_nets_have(const struct login_nets *nets, const struct net_addr *addr)
{
    for (size_t i = 0; i < nets->n; i++)
        if (net_has(&nets->items[i], addr))
            return true;
    return false;
}
