/*
 * Queries with named parameters. A query without any comes out as what it is (comments apart), and again the same; a value never
 * adds a parenthesis, an asterisk or a comma to a filter or a name.
 */
#include <stdlib.h>

#include "common/text/params.h"

static size_t count(struct view v, const char *set)
{
    size_t n = 0;
    for (size_t i = 0; i < v.len; i++)
        n += view_find(view_str(set), v.ptr[i]) < strlen(set);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view v = view_make(data, size);
    const struct view values[PARAM_COUNT] = {v, v, v};
    struct params_sql places, none;
    struct buf a, b;
    if (size > 4096)
        return 0;
    buf_init(&a, 65536);
    buf_init(&b, 65536);
    if (params_sql(v, &places, &a) == 0) {
        if (places.nplaces > PARAMS_MAX)
            abort();
        if (places.nplaces == 0 &&
            (params_sql(buf_view(&a), &none, &b) != 0 || none.nplaces != 0 || !view_eq(buf_view(&a), buf_view(&b))))
            abort();
    }
    buf_reset(&a);
    if (params_ldap_filter(VIEW("(&(uid=:user)(mail=:name))"), values, &a) != 0 || count(buf_view(&a), "()") != 6 ||
        count(buf_view(&a), "*") != 0)
        abort();
    buf_reset(&a);
    if (params_ldap_dn(VIEW("uid=:user,dc=test"), values, &a) != 0 || count(buf_view(&a), ",") != 1 ||
        count(buf_view(&a), "=+") != 2)
        abort();
    buf_reset(&a);
    if (params_ldap_filter(v, values, &a) == 0 && count(v, "()") > count(buf_view(&a), "()"))
        abort();
    buf_free(&a);
    buf_free(&b);
    return 0;
}
