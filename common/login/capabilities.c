#include "common/login/capabilities.h"

#include "common/login/login_int.h"

static bool list_has(const struct conf_list *list, struct view name)
{
    for (size_t i = 0; i < list->n; i++)
        if (view_eq_nocase(view_str(list->items[i]), name))
            return true;
    return false;
}

static bool network_has(const struct set_client_network *n, const struct net_addr *peer)
{
    for (size_t i = 0; i < n->networks.n; i++)
        if (login_net_has(n->networks.items[i], peer))
            return true;
    return false;
}

static bool text_has(struct view list, struct view name)
{
    while (list.len > 0) {
        size_t n = view_find(list, ',');

        if (view_eq_nocase(view_sub(list, 0, n), name))
            return true;
        list = view_sub(list, n + 1, list.len);
    }
    return false;
}

bool capability_is_disabled(const struct set_worker *set, const struct net_addr *peer, const char *user_list, const char *name)
{
    struct view v = view_str(name);

    if (list_has(&set->capability_disable, v) || (user_list != NULL && text_has(view_str(user_list), v)))
        return true;
    for (size_t i = 0; i < set->nclient_networks; i++)
        if (list_has(&set->client_networks[i].capability_disable, v) && network_has(&set->client_networks[i], peer))
            return true;
    return false;
}
