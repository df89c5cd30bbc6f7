/* What every unit test of auth includes: cmocka with the headers it wants before itself, and settings with their defaults. */
#ifndef CULVER_TESTS_UNIT_AUTH_UNIT_H
#define CULVER_TESTS_UNIT_AUTH_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/conf/settings.h"

#define assert_view(v, text)                                \
    do {                                                    \
        struct view assert_view_ = (v);                     \
        assert_int_equal(assert_view_.len, strlen(text));   \
        assert_true(view_eq(assert_view_, view_str(text))); \
    } while (0)

/* The settings of auth, and beside them those of login, from configuration text. */
static inline const struct set_auth *unit_settings(const char *text, struct conf **conf_out)
{
    static const struct conf_component *const components[] = {&set_auth_component, &set_login_component};
    struct buf errors;
    buf_init(&errors, 4096);
    if (conf_parse(NULL, view_str(text), components, 2, conf_out, &errors) != 0)
        fail_msg("%.*s", (int)buf_len(&errors), (const char *)buf_view(&errors).ptr);
    buf_free(&errors);
    return conf_get(*conf_out, &set_auth_component);
}

#endif
