#include "tests/unit/common/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io/outq.h"

#define FILE_SIZE (3u << 20)

static int file = -1;

static uint8_t file_byte(uint64_t at)
{
    return (uint8_t)(at * 31 + (at >> 12));
}

static int setup(void **state)
{
    (void)state;
    file = memfd_create("outq", MFD_CLOEXEC);
    uint8_t *bytes = xmalloc(FILE_SIZE);
    for (size_t i = 0; i < FILE_SIZE; i++)
        bytes[i] = file_byte(i);
    size_t n = (size_t)write(file, bytes, FILE_SIZE);
    free(bytes);
    signal(SIGPIPE, SIG_IGN);
    return n != FILE_SIZE;
}

static int teardown(void **state)
{
    (void)state;
    close(file);
    return 0;
}

static int next_fd(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static void test_text_and_ranges(void **state)
{
    (void)state;
    int s[2], free_fd = next_fd();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s), 0);
    struct outq *q = outq_new(1 << 20);
    struct buf want;
    buf_init(&want, 64 << 20);
    for (unsigned i = 0; i < 300; i++) {
        buf_put_fmt(outq_buf(q), "* %u FETCH {%u}\r\n", i, i * 50);
        buf_put_fmt(&want, "* %u FETCH {%u}\r\n", i, i * 50);
        assert_int_equal(outq_put_file(q, file, i * 1000, i * 50), 0);
        for (uint64_t at = i * 1000; at < i * 1000 + i * 50; at++)
            buf_put_byte(&want, file_byte(at));
        if (i % 7 == 0)
            continue;
        buf_put_str(outq_buf(q), ")\r\n");
        buf_put_str(&want, ")\r\n");
    }
    assert_int_equal(outq_put_file(q, file, 0, 2u << 20), 0);
    for (uint64_t at = 0; at < 2u << 20; at++)
        buf_put_byte(&want, file_byte(at));
    assert_int_equal(outq_len(q), buf_len(&want));
    uint64_t sent = 0;
    size_t got = 0;
    int err;
    static uint8_t in[70000];
    do {
        err = outq_flush(q, s[0], &sent);
        assert_true(err == 0 || err == ERR_AGAIN);
        ssize_t n;
        while ((n = read(s[1], in, sizeof(in))) > 0) {
            assert_true(got + (size_t)n <= buf_len(&want));
            assert_memory_equal(in, buf_view(&want).ptr + got, (size_t)n);
            got += (size_t)n;
        }
        assert_int_equal(outq_len(q), buf_len(&want) - sent);
    } while (err == ERR_AGAIN);
    assert_int_equal(got, buf_len(&want));
    assert_int_equal(sent, got);
    assert_true(outq_ok(q));
    assert_int_equal(outq_len(q), 0);
    /* Usable again, and no descriptor is kept while idle. */
    buf_put_str(outq_buf(q), "x");
    assert_int_equal(outq_flush(q, s[0], NULL), 0);
    close(s[0]);
    close(s[1]);
    assert_int_equal(next_fd(), free_fd);
    outq_free(&q);
    assert_null(q);
    outq_free(&q);
    buf_free(&want);
}

static void test_ranges_share_a_descriptor(void **state)
{
    (void)state;
    int free_fd = next_fd();
    struct outq *q = outq_new(100);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(outq_put_file(q, file, 0, 1), 0);
    int after = next_fd();
    assert_true(after > free_fd && after <= free_fd + 1);
    assert_int_equal(outq_len(q), 1000);
    assert_int_equal(outq_put_file(q, -1, 0, 1), ERR_SYSTEM);
    assert_int_equal(outq_put_file(q, file, INT64_MAX, 1), ERR_RANGE);
    assert_int_equal(outq_put_file(q, -1, 0, 0), 0);
    outq_free(&q);
    assert_int_equal(next_fd(), free_fd);
}

static void test_memory_max(void **state)
{
    (void)state;
    struct outq *q = outq_new(10);
    buf_put_str(outq_buf(q), "12345");
    assert_int_equal(outq_put_file(q, file, 0, 1000), 0);
    buf_put_str(outq_buf(q), "12345");
    assert_true(outq_ok(q));
    buf_put_str(outq_buf(q), "6");
    assert_false(outq_ok(q));
    assert_int_equal(outq_put_file(q, file, 0, 1000), 0);
    assert_false(outq_ok(q));
    buf_put_str(outq_buf(q), "");
    assert_false(outq_ok(q));
    outq_free(&q);
    /* Sending makes room again. */
    int s[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s), 0);
    q = outq_new(10);
    for (int i = 0; i < 100; i++) {
        buf_put_str(outq_buf(q), "12345");
        assert_int_equal(outq_put_file(q, file, 0, 3), 0);
        buf_put_str(outq_buf(q), "67890");
        assert_true(outq_ok(q));
        assert_int_equal(outq_flush(q, s[0], NULL), 0);
        uint8_t in[20];
        assert_int_equal(read(s[1], in, sizeof(in)), 13);
    }
    outq_free(&q);
    close(s[0]);
    close(s[1]);
}

static void test_errors(void **state)
{
    (void)state;
    int s[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s), 0);
    struct outq *q = outq_new(100);
    assert_int_equal(outq_put_file(q, file, FILE_SIZE - 10, 20), 0);
    int err;
    uint64_t sent = 0;
    while ((err = outq_flush(q, s[0], &sent)) == ERR_AGAIN)
        ;
    assert_int_equal(err, ERR_IO);
    assert_int_equal(sent, 10);
    outq_free(&q);
    close(s[1]);
    q = outq_new(100);
    buf_put_str(outq_buf(q), "x");
    assert_int_equal(outq_flush(q, s[0], NULL), ERR_CLOSED);
    outq_free(&q);
    q = outq_new(100);
    assert_int_equal(outq_put_file(q, file, 0, 20), 0);
    assert_int_equal(outq_flush(q, s[0], NULL), ERR_CLOSED);
    outq_free(&q);
    close(s[0]);
}

static void test_write(void **state)
{
    (void)state;
    static uint8_t got[50014];
    char path[] = "/tmp/culver-test-outq-XXXXXX";
    struct outq *q = outq_new(100);
    int to = mkstemp(path);
    assert_true(to >= 0 && unlink(path) == 0);
    assert_int_equal(outq_write(q, to), 0);
    buf_put_str(outq_buf(q), "abc");
    assert_int_equal(outq_put_file(q, file, 5, 50000), 0);
    buf_put_str(outq_buf(q), "defghijklmn");
    for (int i = 0; i < 2; i++) { /* it stays as it is */
        assert_int_equal(lseek(to, 0, SEEK_SET), 0);
        assert_int_equal(outq_write(q, to), 0);
        assert_int_equal(pread(to, got, sizeof(got), 0), sizeof(got));
        assert_int_equal(pread(to, got, 1, sizeof(got)), 0);
        assert_memory_equal(got, "abc", 3);
        for (size_t at = 0; at < 50000; at++)
            assert_int_equal(got[3 + at], file_byte(5 + at));
        assert_memory_equal(got + 50003, "defghijklmn", 11);
        assert_int_equal(outq_len(q), 50014);
    }
    assert_int_equal(outq_put_file(q, file, FILE_SIZE, 1), 0); /* past its end */
    assert_int_equal(outq_write(q, to), ERR_IO);
    close(to);
    outq_free(&q);
}

static void test_drain(void **state)
{
    (void)state;
    int free_fd = next_fd();
    struct outq *q = outq_new(100);
    struct buf into;
    buf_init(&into, 50010);
    buf_put_str(&into, "kept");
    buf_put_str(outq_buf(q), "a");
    assert_int_equal(outq_put_file(q, file, 5, 50000), 0);
    buf_put_str(outq_buf(q), "bcdefghijk");
    assert_int_equal(outq_drain(q, &into), ERR_LIMIT);
    assert_int_equal(outq_len(q), 50011);
    assert_true(buf_ok(&into));
    into.max += 5;
    assert_int_equal(outq_drain(q, &into), 0);
    assert_int_equal(buf_len(&into), 50015);
    assert_int_equal(buf_view(&into).ptr[4], 'a');
    for (size_t i = 0; i < 50000; i++)
        assert_int_equal(buf_view(&into).ptr[5 + i], file_byte(5 + i));
    assert_int_equal(buf_view(&into).ptr[50014], 'k');
    assert_int_equal(outq_len(q), 0);
    assert_int_equal(next_fd(), free_fd);
    assert_int_equal(outq_put_file(q, file, FILE_SIZE, 1), 0);
    buf_reset(&into);
    assert_int_equal(outq_drain(q, &into), ERR_IO);
    assert_int_equal(buf_len(&into), 0);
    buf_free(&into);
    outq_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_and_ranges), cmocka_unit_test(test_ranges_share_a_descriptor),
        cmocka_unit_test(test_memory_max),      cmocka_unit_test(test_errors),
        cmocka_unit_test(test_write),           cmocka_unit_test(test_drain),
    };
    return cmocka_run_group_tests_name("outq", tests, setup, teardown);
}
