/* The pure parts of the Maildir backend: names of files and folders, the files that Dovecot leaves, line ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storage/maildir_int.h"

static void check_name(const char *name, const char *base, unsigned flags, uint32_t letters, const char *back)
{
    struct md_name n;
    struct buf b;

    assert_true(md_name_parse(view_str(name), &n));
    assert_true(view_eq(n.base, view_str(base)));
    assert_int_equal(n.flags, flags);
    assert_int_equal(n.letters, letters);
    buf_init(&b, 512);
    md_name_put(&b, &n);
    assert_true(view_eq(buf_view(&b), view_str(back)));
    buf_free(&b);
}

static void test_file_names(void **state)
{
    char longest[300];
    struct md_name n;
    uint64_t size;

    (void)state;
    check_name("1.a.b", "1.a.b", 0, 0, "1.a.b:2,");
    check_name("1.a.b:2,", "1.a.b", 0, 0, "1.a.b:2,");
    check_name("1:2,DFRST", "1", MSG_DRAFT | MSG_FLAGGED | MSG_ANSWERED | MSG_SEEN | MSG_DELETED, 0, "1:2,DFRST");
    check_name("1:2,bTSaP", "1", MSG_SEEN | MSG_DELETED, 3, "1:2,PSTab");
    check_name("1:2,S,x=1", "1", MSG_SEEN, 0, "1:2,S,x=1");
    check_name("1:1,old", "1", 0, 0, "1:2,");
    check_name("1:2,S?\xff", "1", MSG_SEEN, 0, "1:2,S");
    assert_false(md_name_parse(VIEW(""), &n));
    assert_false(md_name_parse(VIEW(".hidden"), &n));
    assert_false(md_name_parse(VIEW(":2,S"), &n));
    assert_false(md_name_parse(VIEW("a/b"), &n));
    memset(longest, 'x', sizeof(longest));
    assert_true(md_name_parse(view_make(longest, 255), &n));
    assert_false(md_name_parse(view_make(longest, 256), &n));
    assert_true(md_name_size(VIEW("1.M2.h,S=12,W=34"), 'S', &size) && size == 12);
    assert_true(md_name_size(VIEW("1.M2.h,S=12,W=34"), 'W', &size) && size == 34);
    assert_false(md_name_size(VIEW("1.M2.h,S=12x,W=34"), 'S', &size));
    assert_false(md_name_size(VIEW("1.M2.h"), 'S', &size));
    assert_false(md_name_size(VIEW("1,S="), 'S', &size));
    assert_int_equal(md_name_time(VIEW("1700000000.M1")), 1700000000);
    assert_int_equal(md_name_time(VIEW("x")), 0);
}

static void check_folder(const char *dir, const char *name)
{
    struct buf b;

    buf_init(&b, 2000);
    assert_int_equal(md_folder_to_name(view_str(dir), &b), 0);
    assert_true(view_eq(buf_view(&b), view_str(name)));
    buf_reset(&b);
    assert_int_equal(md_folder_from_name(view_str(name), &b), 0);
    assert_true(view_eq(buf_view(&b), view_str(dir)));
    buf_free(&b);
}

static void test_folder_names(void **state)
{
    static const char *const bad[] = {"",       ".",      "..", "...",   ".A..B",     ".A.",  "A",
                                      ".&AC8-", ".&AC4-", ".&", ".&AOk", ".\xc3\xa9", ".a/b", ".a\x01"};
    char longest[400];
    struct buf b;

    (void)state;
    check_folder(".A", "A");
    check_folder(".A.B.C d", "A/B/C d");
    check_folder(".&AOk-t&AOk-", "\xc3\xa9t\xc3\xa9");
    check_folder(".a&-b", "a&b");
    check_folder(".INBOX.x", "INBOX/x");
    buf_init(&b, 2000);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        buf_reset(&b);
        assert_int_not_equal(md_folder_to_name(view_str(bad[i]), &b), 0);
    }
    buf_reset(&b);
    assert_int_equal(md_folder_from_name(VIEW("INBOX"), &b), 0);
    assert_int_equal(buf_len(&b), 0);
    assert_int_equal(md_folder_from_name(VIEW("a.b"), &b), ERR_SYNTAX);
    memset(longest, 'x', sizeof(longest));
    assert_int_equal(md_folder_from_name(view_make(longest, 255), &b), ERR_LIMIT);
    assert_int_equal(md_folder_from_name(view_make(longest, 254), &b), 0);
    buf_free(&b);
}

static void test_uidlist(void **state)
{
    struct md_uidlist l;
    struct md_uid u;

    (void)state;
    assert_int_equal(
        md_uidlist_begin(&l, VIEW("3 V100 N9 Gabc\n1 :a\n2 W5 Puidl-1 S4 :b:2,S\nx :c\n2 :d\n7 P\x01 :e\n8 f\n9 :g")), 0);
    assert_int_equal(l.uidvalidity, 100);
    assert_int_equal(l.next_uid, 9);
    assert_true(md_uidlist_next(&l, &u) && u.uid == 1 && view_eq(u.base, VIEW("a")) && u.uidl.len == 0);
    assert_true(md_uidlist_next(&l, &u) && u.uid == 2 && view_eq(u.base, VIEW("b")) && view_eq(u.uidl, VIEW("uidl-1")));
    assert_true(md_uidlist_next(&l, &u) && u.uid == 7 && u.uidl.len == 0);
    assert_true(md_uidlist_next(&l, &u) && u.uid == 9);
    assert_false(md_uidlist_next(&l, &u));
    assert_int_equal(md_uidlist_begin(&l, VIEW("1 5 7\n3 x,S=1:2,S\n4 y\n")), 0);
    assert_int_equal(l.uidvalidity, 5);
    assert_int_equal(l.next_uid, 7);
    assert_true(md_uidlist_next(&l, &u) && u.uid == 3 && view_eq(u.base, VIEW("x,S=1")));
    assert_true(md_uidlist_next(&l, &u) && u.uid == 4 && view_eq(u.base, VIEW("y")));
    assert_int_equal(md_uidlist_begin(&l, VIEW("")), ERR_SYNTAX);
    assert_int_equal(md_uidlist_begin(&l, VIEW("2 1 1\n")), ERR_UNSUPPORTED);
    assert_int_equal(md_uidlist_begin(&l, VIEW("3 V0 N1\n")), ERR_SYNTAX);
    assert_int_equal(md_uidlist_begin(&l, VIEW("3 N1\n")), ERR_SYNTAX);
    assert_int_equal(md_uidlist_begin(&l, VIEW("3 V99999999999 N1\n")), ERR_SYNTAX);
}

static void test_small_files(void **state)
{
    struct cursor c = cursor_make(VIEW("0 $Forwarded\n26 Far\nx y\n3 \n2 Two words\n"));
    struct md_keyword kw;
    struct md_ident id;
    struct md_subs s;
    struct buf b;

    (void)state;
    assert_true(md_keywords_next(&c, &kw) && kw.letter == 0 && view_eq(kw.name, VIEW("$Forwarded")));
    assert_true(md_keywords_next(&c, &kw) && kw.letter == 2 && view_eq(kw.name, VIEW("Two words")));
    assert_false(md_keywords_next(&c, &kw));
    buf_init(&b, 1000);
    md_subs_begin(&s, VIEW("V\t2\n\nA\tB\n&AOk-t&AOk-\n\t\nINBOX\n"));
    assert_true(md_subs_next(&s, &b) && view_eq(buf_view(&b), VIEW("A/B")));
    assert_true(md_subs_next(&s, &b) && view_eq(buf_view(&b), VIEW("\xc3\xa9t\xc3\xa9")));
    assert_true(md_subs_next(&s, &b) && view_eq(buf_view(&b), VIEW("INBOX")));
    assert_false(md_subs_next(&s, &b));
    md_subs_begin(&s, VIEW("A.B\nC/D\n\xc3\xa9"));
    assert_true(md_subs_next(&s, &b) && view_eq(buf_view(&b), VIEW("A/B")));
    assert_true(md_subs_next(&s, &b) && view_eq(buf_view(&b), VIEW("C/D")));
    assert_true(md_subs_next(&s, &b) && view_eq(buf_view(&b), VIEW("\xc3\xa9")));
    assert_int_equal(md_uidvalidity_parse(VIEW("6b03e0ba")), 0x6b03e0ba);
    assert_int_equal(md_uidvalidity_parse(VIEW("6b03e0b")), 0);
    buf_reset(&b);
    md_ident_put(&b, &(struct md_ident){0x123456789abcdef0, 7, 99});
    assert_true(md_ident_parse(buf_view(&b), &id));
    assert_true(id.account == 0x123456789abcdef0 && id.mailbox == 7 && id.uidvalidity == 99);
    assert_false(md_ident_parse(VIEW("1 0 7 99\n"), &id));
    buf_free(&b);
}

static void check_lines(const char *file, const char *served)
{
    uint8_t *owned;
    struct view v = md_to_crlf(view_str(file), &owned);

    assert_true(view_eq(v, view_str(served)));
    assert_int_equal(owned != NULL, strcmp(file, served) != 0);
    free(owned);
}

static void test_line_ends(void **state)
{
    static const char *const messages[] = {"", "a", "a\r\n", "\r\n\r\n", "a\r\r\nb\r\n", "a\rb\r\n", "\r", "x\r\n\r"};

    (void)state;
    check_lines("", "");
    check_lines("a\nb", "a\r\nb");
    check_lines("\n\n", "\r\n\r\n");
    check_lines("a\r\nb\nc\r\n", "a\r\nb\r\nc\r\n");
    check_lines("a\r\r\n", "a\r\r\n");
    check_lines("a\rb\n", "a\rb\r\n");
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        uint8_t *owned, *back_owned;
        struct view file = md_to_file(view_str(messages[i]), &owned), back = md_to_crlf(file, &back_owned);

        assert_true(view_eq(back, view_str(messages[i])));
        free(owned);
        free(back_owned);
    }
}

static void test_map(void **state)
{
    struct md_map map = {0};

    (void)state;
    for (uint64_t i = 1; i <= 1000; i++)
        md_map_add(&map, i * 64, MD_CUR, "x")->uid = (uint32_t)i;
    for (uint64_t i = 1; i <= 1000; i += 3)
        md_map_remove(&map, i * 64);
    md_map_remove(&map, 7);
    for (uint64_t i = 1; i <= 1000; i++) {
        struct md_file *f = md_map_find(&map, i * 64);

        assert_int_equal(f == NULL, i % 3 == 1);
        assert_true(f == NULL || f->uid == i);
    }
    assert_int_equal(map.n, 666);
    md_map_free(&map);
    assert_null(md_map_find(&map, 64));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_names),  cmocka_unit_test(test_folder_names), cmocka_unit_test(test_uidlist),
        cmocka_unit_test(test_small_files), cmocka_unit_test(test_line_ends),    cmocka_unit_test(test_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
