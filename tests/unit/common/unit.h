/* What every unit test of common includes: cmocka with the headers it wants before itself. */
#ifndef CULVER_TESTS_UNIT_COMMON_UNIT_H
#define CULVER_TESTS_UNIT_COMMON_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

#define assert_view(v, text)                                  \
    do {                                                      \
        struct view assert_view_ = (v);                       \
        assert_int_equal(assert_view_.len, sizeof(text) - 1); \
        assert_true(view_eq(assert_view_, VIEW(text)));       \
    } while (0)

#endif
