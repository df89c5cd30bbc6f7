#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "master/fdcheck.h"

static void test_session(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int pair[2], pipes[2], l = socket(AF_INET, SOCK_STREAM, 0), d = socket(AF_INET, SOCK_DGRAM, 0),
                           null = open("/dev/null", O_RDWR);

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(fdcheck_session(pair[0]), 0);
    assert_int_equal(bind(l, (const struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_int_equal(fdcheck_session(l), ERR_DENIED);
    assert_int_equal(fdcheck_session(d), ERR_DENIED);
    assert_int_equal(fdcheck_session(null), ERR_DENIED);
    assert_int_equal(fdcheck_session(-1), ERR_DENIED);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(fdcheck_session(pipes[0]), ERR_DENIED);
    for (int i = 0; i < 2; i++) {
        (void)close(pair[i]);
        (void)close(pipes[i]);
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    assert_int_equal(fdcheck_session(pair[0]), ERR_DENIED);
    for (int i = 0; i < 2; i++)
        (void)close(pair[i]);
    (void)close(l);
    (void)close(d);
    (void)close(null);
}

static void test_message(void **state)
{
    int fd = memfd_create("m", MFD_ALLOW_SEALING), plain = memfd_create("p", 0), file = open("/etc/passwd", O_RDONLY);

    (void)state;
    assert_int_equal(write(fd, "hello", 5), 5);
    assert_int_equal(fdcheck_message(fd, 5), ERR_DENIED);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
    assert_int_equal(fdcheck_message(fd, 5), ERR_DENIED);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL), 0);
    assert_int_equal(fdcheck_message(fd, 5), 0);
    assert_int_equal(fdcheck_message(fd, 4), ERR_DENIED);
    assert_int_equal(fdcheck_message(fd, 6), ERR_DENIED);
    assert_int_equal(fdcheck_message(plain, 0), ERR_DENIED);
    assert_int_equal(fdcheck_message(file, 0), ERR_DENIED);
    assert_int_equal(fdcheck_message(-1, 0), ERR_DENIED);
    (void)close(fd);
    (void)close(plain);
    (void)close(file);
}

static void test_reply(void **state)
{
    int pair[2], lone = socket(AF_UNIX, SOCK_SEQPACKET, 0);

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    assert_int_equal(fdcheck_reply(pair[0]), 0);
    assert_int_equal(fdcheck_reply(lone), ERR_DENIED);
    (void)close(pair[0]);
    (void)close(pair[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(fdcheck_reply(pair[0]), ERR_DENIED);
    (void)close(pair[0]);
    (void)close(pair[1]);
    (void)close(lone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_reply),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
