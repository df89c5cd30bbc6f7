/* What is known of users' quotas before there is a message. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "master/rooms.h"

static struct user *user_at(const char *name, const char *mail_path, uint64_t quota)
{
    const struct user_record r = {.name = view_str(name), .mail_path = view_str(mail_path), .quota_bytes = quota};

    return user_new(&r);
}

static struct user *user(const char *name, uint64_t quota)
{
    return user_at(name, "/mail", quota);
}

static void told(struct rooms *r, const struct user *u, uint64_t bytes, uint64_t messages)
{
    const struct msg_worker_room m = {bytes, messages};

    rooms_told(r, u, &m);
}

static void test_alive(void **state)
{
    struct rooms *r = rooms_new(10);
    struct user *a = user("alice", 1000), *b = user("bob", 1000), *other = user("alice", 2000);
    struct user *moved = user_at("alice", "/elsewhere", 1000);

    (void)state;
    assert_true(rooms_fit(r, a, UINT64_MAX, 0)); /* nobody knows */
    told(r, a, 500, 3);
    assert_true(rooms_fit(r, a, 0, 0) && rooms_fit(r, a, 500, 0) && !rooms_fit(r, a, 501, 0) && rooms_fit(r, b, 501, 0));
    told(r, a, 0, 3);
    assert_false(rooms_fit(r, a, 0, 0));
    told(r, a, 500, 0);
    assert_false(rooms_fit(r, a, 0, UINT64_MAX));
    assert_true(rooms_fit(r, other, 0, 0)); /* another quota by now: the worker will say */
    assert_true(rooms_fit(r, moved, 0, 0)); /* or other mail */
    told(r, a, UINT64_MAX, UINT64_MAX);
    assert_true(rooms_fit(r, a, UINT64_MAX, 0));
    rooms_left(r, a, 0, 0);
    rooms_left(r, b, 0, 0);
    rooms_free(&r);
    rooms_free(&r);
    user_free(&a);
    user_free(&b);
    user_free(&other);
    user_free(&moved);
}

static void test_left(void **state)
{
    struct rooms *r = rooms_new(10);
    struct user *a = user("alice", 1000);

    (void)state;
    told(r, a, 0, UINT64_MAX);
    rooms_left(r, a, 700, 100);
    assert_false(rooms_fit(r, a, 0, 699));
    assert_true(rooms_fit(r, a, 0, 700));
    assert_true(rooms_fit(r, a, 0, 1)); /* forgotten */
    told(r, a, 100, UINT64_MAX);        /* not little */
    rooms_left(r, a, 700, 100);
    assert_true(rooms_fit(r, a, 101, 1));
    told(r, a, 0, 0);
    rooms_left(r, a, 0, 100);
    assert_true(rooms_fit(r, a, 0, 1));
    told(r, a, 0, 0);
    rooms_left(r, a, 700, 100);
    told(r, a, 50, 1); /* the next worker */
    assert_true(rooms_fit(r, a, 50, 10000));
    rooms_free(&r);
    user_free(&a);
}

/* Those who have left make place; where everybody lives, nothing more is known. */
static void test_bounded(void **state)
{
    struct rooms *r = rooms_new(3);
    struct user *u[6];
    char name[16];

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(u); i++) {
        snprintf(name, sizeof(name), "u%u", i);
        u[i] = user(name, 10);
    }
    for (unsigned i = 0; i < 3; i++)
        told(r, u[i], 0, 0);
    rooms_left(r, u[1], 1000, 5);
    told(r, u[3], 0, 0);
    assert_true(rooms_fit(r, u[1], 0, 0));
    assert_false(rooms_fit(r, u[3], 0, 0));
    told(r, u[4], 0, 0);
    assert_true(rooms_fit(r, u[4], 0, 0));
    assert_false(rooms_fit(r, u[0], 0, 0));
    rooms_free(&r);
    for (unsigned i = 0; i < ARRAY_LEN(u); i++)
        user_free(&u[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alive),
        cmocka_unit_test(test_left),
        cmocka_unit_test(test_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
