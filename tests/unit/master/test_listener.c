#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "master/listener.h"

static char dir[] = "/tmp/culver-test-listener-XXXXXX";
static char conf[64], path[64];

static int group_setup(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(conf, sizeof(conf), "%s/conf", dir);
    (void)snprintf(path, sizeof(path), "%s/lmtp", dir);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    (void)unlink(conf);
    (void)unlink(path);
    return rmdir(dir);
}

/* A port that was free a moment ago, for both families. */
static unsigned free_port(void)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    (void)close(fd);
    return ntohs(a.sin6_port);
}

static struct setup *load(const char *listeners)
{
    struct setup_params p = {.rootless = true, .generation = 1, .conf_path = conf};
    struct setup *s = NULL;
    struct buf errors;
    FILE *f = fopen(conf, "w");

    assert_non_null(f);
    assert_true(fprintf(f,
                        "%spassdb p {\n driver = passwd-file\n file = /dev/null\n}\n"
                        "userdb u {\n driver = static\n uid = virtual\n gid = virtual\n}\n",
                        listeners) > 0);
    assert_int_equal(fclose(f), 0);
    buf_init(&errors, 65536);
    if (setup_load(&p, &s, &errors) != 0)
        print_error("%.*s", (int)buf_len(&errors), (const char *)errors.data);
    buf_free(&errors);
    assert_non_null(s);
    return s;
}

static struct listeners *open_all(const struct setup *s, const struct listeners *old, bool good)
{
    struct listeners *l = NULL;
    struct buf errors;
    int rc;

    buf_init(&errors, 65536);
    rc = listeners_open(s, old, &l, &errors);
    if (good != (rc == 0))
        print_error("%.*s", (int)buf_len(&errors), (const char *)errors.data);
    assert_int_equal(rc == 0, good);
    assert_int_equal(buf_len(&errors) == 0, good);
    buf_free(&errors);
    return l;
}

static bool connects(int family, const char *ip, unsigned port)
{
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int fd = socket(family, SOCK_STREAM, 0);
    int rc;

    if (family == AF_INET) {
        assert_int_equal(inet_pton(family, ip, &a4.sin_addr), 1);
        rc = connect(fd, (const struct sockaddr *)&a4, sizeof(a4));
    } else {
        assert_int_equal(inet_pton(family, ip, &a6.sin6_addr), 1);
        rc = connect(fd, (const struct sockaddr *)&a6, sizeof(a6));
    }
    (void)close(fd);
    return rc == 0;
}

static void test_star_is_both_families(void **state)
{
    unsigned port = free_port();
    char text[200];
    struct listeners *l;
    struct setup *s;

    (void)state;
    (void)snprintf(text, sizeof(text), "listener i {\n protocol = imap\n address = *\n port = %u\n}\n", port);
    s = load(text);
    l = open_all(s, NULL, true);
    assert_true(listeners_count(l) == 2 || listeners_count(l) == 1);
    assert_true(connects(AF_INET, "127.0.0.1", port));
    if (listeners_count(l) == 2)
        assert_true(connects(AF_INET6, "::1", port));
    listeners_free(&l, NULL);
    assert_false(connects(AF_INET, "127.0.0.1", port));
    setup_free(&s);
}

/* A reload takes over what stays, opens what is new, and closes the rest; a failure leaves everything as it was. */
static void test_reload(void **state)
{
    unsigned a = free_port(), b = free_port(), c = free_port();
    char text[600];
    struct listeners *one, *two, *none;
    struct setup *s1, *s2, *s3;
    struct stat st;

    (void)state;
    (void)snprintf(text, sizeof(text),
                   "listener a {\n address = 127.0.0.1\n port = %u\n}\nlistener b {\n address = 127.0.0.1\n port = %u\n}\n"
                   "listener l {\n protocol = lmtp\n address = %s\n}\n",
                   a, b, path);
    s1 = load(text);
    one = open_all(s1, NULL, true);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0600);
    (void)snprintf(text, sizeof(text),
                   "listener a {\n address = 127.0.0.1\n port = %u\n}\nlistener c {\n address = 127.0.0.1\n port = %u\n}\n"
                   "listener bad {\n address = 192.0.2.1\n port = %u\n}\n",
                   a, c, c);
    s3 = load(text);
    none = open_all(s3, one, false);
    assert_null(none);
    assert_true(connects(AF_INET, "127.0.0.1", a) && connects(AF_INET, "127.0.0.1", b));
    assert_false(connects(AF_INET, "127.0.0.1", c));
    assert_int_equal(lstat(path, &st), 0);

    (void)snprintf(text, sizeof(text),
                   "listener a {\n address = 127.0.0.1\n port = %u\n}\nlistener c {\n address = 127.0.0.1\n port = %u\n}\n"
                   "listener l {\n protocol = lmtp\n address = %s\n}\n",
                   a, c, path);
    s2 = load(text);
    two = open_all(s2, one, true);
    listeners_free(&one, two);
    assert_true(connects(AF_INET, "127.0.0.1", a) && connects(AF_INET, "127.0.0.1", c));
    assert_false(connects(AF_INET, "127.0.0.1", b));
    assert_int_equal(lstat(path, &st), 0);
    listeners_free(&two, NULL);
    assert_int_not_equal(lstat(path, &st), 0);
    setup_free(&s1);
    setup_free(&s2);
    setup_free(&s3);
}

/* A socket file without a listener is replaced; a file of another kind, or a socket in use, is not touched. */
static void test_path_in_the_way(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char text[200];
    struct listeners *l;
    struct setup *s;
    struct stat st;
    FILE *f;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    (void)snprintf(text, sizeof(text), "listener l {\n protocol = lmtp\n address = %s\n}\n", path);
    s = load(text);
    memcpy(addr.sun_path, path, strlen(path));
    assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_null(open_all(s, NULL, false));
    assert_int_equal(lstat(path, &st), 0);
    (void)close(fd);
    l = open_all(s, NULL, true);
    listeners_free(&l, NULL);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    assert_null(open_all(s, NULL, false));
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    setup_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_star_is_both_families),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_path_in_the_way),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
