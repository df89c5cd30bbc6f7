/* As whom a worker runs. Refused is refused for good: there is no fall-back to any other uid. */
#include "master/workers.h"

static int refuse(const struct user *u, struct ids ids, const char *why)
{
    LOG_ERROR(0, "no worker for user", F_STR("user", u->name), F_STR("reason", why), F_UINT("uid", ids.uid),
              F_UINT("gid", ids.gid));
    return ERR_DENIED;
}

static int ids_find(struct master *m, const struct user *u, struct ids *out)
{
    uint32_t uid;
    int rc;

    *out = (struct ids){u->uid, u->gid};
    if (!u->virtual_uid)
        return 0;
    if (m->setup->virtual_shared) {
        *out = m->setup->virtual_ids;
        return 0;
    }
    rc = uids_get(m->uids, view_str(u->name), &uid);
    if (rc != 0) {
        LOG_ERROR(0, "no uid for user", F_STR("user", u->name), F_ERR(rc));
        return rc;
    }
    *out = (struct ids){uid, uid};
    return 0;
}

int worker_ids(struct master *m, const struct user *u, struct ids *out)
{
    struct ids ids;
    int rc;

    if (m->rootless) { /* the kernel allows us no other */
        *out = m->setup->virtual_ids;
        return 0;
    }
    rc = ids_find(m, u, &ids);
    if (rc != 0)
        return rc;
    if (ids.uid == 0 || ids.gid == 0)
        return refuse(u, ids, "root is never a mail user");
    if (ids.uid < m->setup->master->first_valid_uid)
        return refuse(u, ids, "uid is below first_valid_uid");
    if (setup_is_service_uid(m->setup, ids.uid))
        return refuse(u, ids, "uid belongs to a service");
    *out = ids;
    return 0;
}
