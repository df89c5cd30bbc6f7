/* The parser and writer on a small set of tables that has every type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/conf/conf_int.h"

struct door {
    const char *name;
    uint64_t port;
    const char *file;
};
struct house {
    bool warm;
    uint64_t rooms, area, age;
    const char *street, *plan;
    int colour;
    struct conf_list guests, days;
    struct door *doors;
    size_t ndoors;
};

static const struct conf_word colours[] = {{"red", 1}, {"green", 2}, {NULL, 0}};
static const struct conf_word days[] = {{"mon", 1}, {"tue", 2}, {NULL, 0}};
static const struct conf_setting door_settings[] = {
    {"port", CONF_UINT, offsetof(struct door, port), 1, 65535, "143", NULL, "A port."},
    {"file", CONF_PATH, offsetof(struct door, file), 0, 200, "", NULL, "A file."},
    {NULL, CONF_BOOL, 0, 0, 0, NULL, NULL, NULL},
};
static const struct conf_section house_sections[] = {
    {"door", true, door_settings, sizeof(struct door), offsetof(struct door, name), offsetof(struct house, doors),
     offsetof(struct house, ndoors), 3, "A door.", "door front {\n    port = 80\n}\n"},
    {NULL, false, NULL, 0, 0, 0, 0, 0, NULL, NULL},
};
static const struct conf_setting house_settings[] = {
    {"warm", CONF_BOOL, offsetof(struct house, warm), 0, 0, "yes", NULL, "Warm?"},
    {"rooms", CONF_UINT, offsetof(struct house, rooms), 1, 20, "3", NULL, "Rooms."},
    {"area", CONF_SIZE, offsetof(struct house, area), 10, 1ull << 40, "64K", NULL, "Area."},
    {"age", CONF_TIME, offsetof(struct house, age), 0, 864000000, "30s", NULL, "Age."},
    {"street", CONF_STRING, offsetof(struct house, street), 0, 40, "Main", NULL, "Street."},
    {"plan", CONF_PATH, offsetof(struct house, plan), 0, 200, "", NULL, "Plan."},
    {"colour", CONF_ENUM, offsetof(struct house, colour), 0, 0, "red", colours, "Colour."},
    {"guests", CONF_LIST, offsetof(struct house, guests), 0, 4, "", NULL, "Guests."},
    {"open_days", CONF_LIST, offsetof(struct house, days), 0, 4, "mon", days, "Days."},
    {NULL, CONF_BOOL, 0, 0, 0, NULL, NULL, NULL},
};
static const struct conf_component house = {"house", house_settings, house_sections, sizeof(struct house), "A house."};
static const struct conf_component *const components[] = {&house};

static int parse(const char *text, struct conf **out, struct buf *errors)
{
    buf_init(errors, 65536);
    return conf_parse(NULL, view_str(text), components, 1, out, errors);
}

static const struct house *parse_good(const char *text, struct conf **out)
{
    struct buf errors;

    assert_int_equal(parse(text, out, &errors), 0);
    assert_int_equal(buf_len(&errors), 0);
    buf_free(&errors);
    return conf_get(*out, &house);
}

/* The errors must be exactly these lines. */
static void expect_errors(const char *text, const char *expected)
{
    struct conf *conf = NULL;
    struct buf errors;

    assert_int_equal(parse(text, &conf, &errors), ERR_SYNTAX);
    assert_null(conf);
    buf_put_byte(&errors, '\0');
    assert_string_equal((const char *)buf_view(&errors).ptr, expected);
    buf_free(&errors);
}

static void test_defaults(void **state)
{
    struct conf *conf = NULL;
    const struct house *h = parse_good("", &conf);

    (void)state;
    assert_true(h->warm);
    assert_int_equal(h->rooms, 3);
    assert_int_equal(h->area, 65536);
    assert_int_equal(h->age, 30000);
    assert_string_equal(h->street, "Main");
    assert_string_equal(h->plan, "");
    assert_int_equal(h->colour, 1);
    assert_int_equal(h->guests.n, 0);
    assert_int_equal(h->days.n, 1);
    assert_int_equal(h->ndoors, 0);
    assert_null(conf_get(conf, NULL));
    conf_free(&conf);
    assert_null(conf);
    conf_free(&conf);
}

static void test_values(void **state)
{
    struct conf *conf = NULL;
    const struct house *h = parse_good("# a comment\r\n"
                                       "warm=no # why\n"
                                       "\trooms = 20\r\n"
                                       "area = 2 M\n"
                                       "age = 5min\n"
                                       "street = \" a \\\"b\\\" \\\\ # c \" # real\n"
                                       "plan = /x/y z#1\n"
                                       "colour =   green\n"
                                       "guests = ann, \"b c\",,\"\" d\\e\n"
                                       "open_days = tue mon\n"
                                       "door front {   # c\n"
                                       "  port = 1\n"
                                       "}\n"
                                       "door *.back{\n"
                                       "}",
                                       &conf);

    (void)state;
    assert_false(h->warm);
    assert_int_equal(h->rooms, 20);
    assert_int_equal(h->area, 2 << 20);
    assert_int_equal(h->age, 300000);
    assert_string_equal(h->street, " a \"b\" \\ # c ");
    assert_string_equal(h->plan, "/x/y z#1");
    assert_int_equal(h->colour, 2);
    assert_int_equal(h->guests.n, 4);
    assert_string_equal(h->guests.items[1], "b c");
    assert_string_equal(h->guests.items[2], "");
    assert_string_equal(h->guests.items[3], "d\\e");
    assert_string_equal(h->days.items[0], "tue");
    assert_int_equal(h->ndoors, 2);
    assert_string_equal(h->doors[0].name, "front");
    assert_int_equal(h->doors[0].port, 1);
    assert_string_equal(h->doors[1].name, "*.back");
    assert_int_equal(h->doors[1].port, 143);
    conf_free(&conf);
}

static void test_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t age;
    } times[] = {{"age = 7", 7000},     {"age = 500ms", 500},   {"age = 30s", 30000}, {"age = 2min", 120000},
                 {"age = 1h", 3600000}, {"age = 1d", 86400000}, {"age = 0", 0}};
    struct conf *conf = NULL;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(times); i++) {
        assert_int_equal(parse_good(times[i].text, &conf)->age, times[i].age);
        conf_free(&conf);
    }
    assert_int_equal(parse_good("area = 1t", &conf)->area, 1ull << 40);
    conf_free(&conf);
}

static void test_value_errors(void **state)
{
    (void)state;
    expect_errors("rooms = 21\n"
                  "warm = maybe\n"
                  "area = 5X\n"
                  "age = 1000000h\n"
                  "colour = blue\n"
                  "open_days = sun\n"
                  "guests = a b c d e\n"
                  "plan = relative\n"
                  "street = \"open\n",
                  "configuration:1: rooms: '21' is out of bounds; allowed: from 1 to 20\n"
                  "configuration:2: warm: 'maybe' is not a choice; allowed: yes or no\n"
                  "configuration:3: area: '5X' has no known unit (K, M, G, T); allowed: from 10 to 1T\n"
                  "configuration:4: age: '1000000h' is out of bounds; allowed: from 0 to 10d\n"
                  "configuration:5: colour: 'blue' is not a choice; allowed: one of: red, green\n"
                  "configuration:6: open_days: 'sun' is not a choice; allowed: any of: mon, tue\n"
                  "configuration:7: guests: 5 or more items; allowed: from 0 to 4\n"
                  "configuration:8: plan: the path must be absolute\n"
                  "configuration:9: street: the closing '\"' is missing\n");
    expect_errors("rooms = -1\nrooms = 5", "configuration:1: rooms: '-1' is not a number that fits here; allowed: from 1 to 20\n"
                                           "configuration:2: 'rooms' is set again; first at configuration:1\n");
    expect_errors("rooms =\n", "configuration:1: rooms: '' is not a number that fits here; allowed: from 1 to 20\n");
    expect_errors("rooms = 99999999999999999999\narea = 99999999999999999999\nage = 9999999999999999999d\n",
                  "configuration:1: rooms: '99999999999999999999' is not a number that fits here; allowed: from 1 to 20\n"
                  "configuration:2: area: '99999999999999999999' is not a number that fits here; allowed: from 10 to 1T\n"
                  "configuration:3: age: '9999999999999999999d' is out of bounds; allowed: from 0 to 10d\n");
    expect_errors("street = a \"b\"\nguests = a\"b\n",
                  "configuration:1: street: a value with '\"' in it must be quoted as a whole\n"
                  "configuration:2: guests: an item with '\"' in it must be quoted as a whole\n");
    expect_errors("street = \"a\" b\nguests = \"a\"b\nplan = \"\\n\"\n",
                  "configuration:1: street: text after the closing '\"'\n"
                  "configuration:2: guests: a blank or comma is missing after a closing '\"'\n"
                  "configuration:3: plan: in quotes a backslash may only stand before '\"' or '\\'\n");
    expect_errors("street = a\tb\nstreet2 = \x01\n",
                  "configuration:1: street: control characters (tabs too) are not allowed in a value\n"
                  "configuration:2: control characters are not allowed\n");
}

static void test_name_errors(void **state)
{
    (void)state;
    expect_errors("roosm = 3\nzzzzzz = 1\nport = 1\n",
                  "configuration:1: unknown setting 'roosm'; did you mean 'rooms'?\n"
                  "configuration:2: unknown setting 'zzzzzz'\n"
                  "configuration:3: unknown setting 'port'; it belongs in a section 'door'\n");
    expect_errors("door a {\nprot = 1\nrooms = 2\nport = 1\nport = 2\n}\n",
                  "configuration:2: unknown setting 'prot' in section 'door'; did you mean 'port'?\n"
                  "configuration:3: unknown setting 'rooms' in section 'door'; it belongs outside of sections\n"
                  "configuration:5: 'port' is set again; first at configuration:4\n");
    expect_errors("rooms 3\nhello there\n= 3\n",
                  "configuration:1: a '=' is missing after 'rooms'\n"
                  "configuration:2: this is none of 'name = value', 'kind label {', '}' and 'include file'\n"
                  "configuration:3: this is none of 'name = value', 'kind label {', '}' and 'include file'\n");
}

static void test_section_errors(void **state)
{
    (void)state;
    expect_errors("doro a {\nanything = 1\ninner {\n}\n}\nrooms = 0\n",
                  "configuration:1: unknown kind of section 'doro'; did you mean 'door'?\n"
                  "configuration:6: rooms: '0' is out of bounds; allowed: from 1 to 20\n");
    expect_errors("door a {\n}\ndoor a {\nport = 0\n}\n",
                  "configuration:3: section 'door a' is there again; first at configuration:1\n"
                  "configuration:4: port: '0' is out of bounds; allowed: from 1 to 65535\n");
    expect_errors("door {\n}\ndoor \"x\" {\n}\n", "configuration:1: section 'door' needs a label: a name before the '{'\n"
                                                  "configuration:3: section 'door' has a label with characters that are not "
                                                  "allowed, or it is too long\n");
    expect_errors("door a\n{\nport = 2\n}\nrooms = 4\n", "configuration:1: a '{' is missing at the end of the line\n");
    expect_errors("door a {\nport = 2\ndoor b {\n}\n",
                  "configuration:3: a '}' is missing before this: section 'door a' of configuration:1 is still open\n");
    expect_errors("door a {\nport = 2\n",
                  "configuration:2: a '}' is missing before this: section 'door a' of configuration:1 is still open\n");
    expect_errors("}\n", "configuration:1: a '}' without a section that it could close\n");
    expect_errors("door a {\nwall {\nport = 3\n}\n}\n", "configuration:2: sections cannot stand inside of sections\n");
    expect_errors("door a {\n}\ndoor b {\n}\ndoor c {\n}\ndoor d {\nport = x\n}\n",
                  "configuration:7: more than 3 sections 'door'\n");
    expect_errors("include /etc/passwd\n", "configuration:1: include is not possible here\n");
}

/* --- files --------------------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/culver-conf-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static int parse_file(const char *name, struct conf **out, struct buf *errors)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    buf_init(errors, 65536);
    return conf_parse(path, VIEW(""), components, 1, out, errors);
}

static int make_folder(void **state)
{
    char sub[64];

    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(sub, sizeof(sub), "%s/sub", folder);
    return mkdir(sub, 0700);
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"main.conf", "loop.conf", "big.conf", "bad.conf", "wide.conf", "sub/more.conf", "sub"};
    char path[128];
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)remove(path);
    }
    return rmdir(folder);
}

static void test_include(void **state)
{
    struct conf *conf = NULL;
    struct buf errors;
    const struct house *h;
    char expected[128];

    (void)state;
    write_file("main.conf", "rooms = 5\ninclude sub/more.conf # relative\nplan = main.plan\n");
    write_file("sub/more.conf", "warm = no\ndoor a {\n  file = a.key\n}\n");
    assert_int_equal(parse_file("main.conf", &conf, &errors), 0);
    h = conf_get(conf, &house);
    assert_int_equal(h->rooms, 5);
    assert_false(h->warm);
    (void)snprintf(expected, sizeof(expected), "%s/sub/a.key", folder);
    assert_string_equal(h->doors[0].file, expected);
    (void)snprintf(expected, sizeof(expected), "%s/main.plan", folder);
    assert_string_equal(h->plan, expected);
    conf_free(&conf);
    buf_free(&errors);
}

static void test_relative_name(void **state)
{
    struct conf *conf = NULL;
    struct buf errors;
    const struct house *h;
    char *before = getcwd(NULL, 0), expected[128];

    (void)state;
    write_file("main.conf", "plan = main.plan\ninclude sub/more.conf\n");
    write_file("sub/more.conf", "door a {\n  file = a.key\n}\n");
    assert_int_equal(chdir(folder), 0);
    buf_init(&errors, 65536);
    assert_int_equal(conf_parse("main.conf", VIEW(""), components, 1, &conf, &errors), 0);
    h = conf_get(conf, &house);
    (void)snprintf(expected, sizeof(expected), "%s/main.plan", folder);
    assert_string_equal(h->plan, expected);
    (void)snprintf(expected, sizeof(expected), "%s/sub/a.key", folder);
    assert_string_equal(h->doors[0].file, expected);
    assert_int_equal(chdir(before), 0);
    free(before);
    conf_free(&conf);
    buf_free(&errors);
}

static void test_file_errors(void **state)
{
    struct conf *conf = NULL;
    struct buf errors, wide;
    char *big;
    size_t i;

    (void)state;
    assert_int_equal(parse_file("none.conf", &conf, &errors), ERR_NOTFOUND);
    assert_true(buf_len(&errors) > 0);
    buf_free(&errors);
    assert_int_equal(parse_file("sub", &conf, &errors), ERR_UNSUPPORTED);
    buf_free(&errors);
    write_file("loop.conf", "include loop.conf\n");
    assert_int_equal(parse_file("loop.conf", &conf, &errors), ERR_SYNTAX);
    buf_put_byte(&errors, '\0');
    assert_non_null(strstr((const char *)buf_view(&errors).ptr, "nested too deeply"));
    buf_free(&errors);
    buf_init(&wide, 65536);
    for (i = 0; i < CONF_FILES_MAX + 1; i++)
        buf_put_str(&wide, "include sub/more.conf\n");
    buf_put_byte(&wide, '\0');
    write_file("wide.conf", (const char *)buf_view(&wide).ptr);
    write_file("sub/more.conf", "");
    assert_int_equal(parse_file("wide.conf", &conf, &errors), ERR_SYNTAX);
    buf_put_byte(&errors, '\0');
    assert_non_null(strstr((const char *)buf_view(&errors).ptr, "wide.conf:65: too many included files"));
    buf_free(&wide);
    buf_free(&errors);
    write_file("bad.conf", "include none.conf\ninclude big.conf\ninclude sub\ndoor a {\n");
    big = xcalloc(1, CONF_BYTES_MAX + 2);
    memset(big, '\n', CONF_BYTES_MAX + 1);
    write_file("big.conf", big);
    free(big);
    assert_int_equal(parse_file("bad.conf", &conf, &errors), ERR_SYNTAX);
    buf_put_byte(&errors, '\0');
    assert_non_null(strstr((const char *)buf_view(&errors).ptr, "bad.conf:1: cannot read"));
    assert_non_null(strstr((const char *)buf_view(&errors).ptr, "larger than 1 MiB"));
    assert_non_null(strstr((const char *)buf_view(&errors).ptr, "not a regular file"));
    assert_non_null(strstr((const char *)buf_view(&errors).ptr, "bad.conf:4: a '}' is missing"));
    buf_free(&errors);
}

/* Whatever a file of the largest size holds, there is an end to the errors. */
static void test_garbage(void **state)
{
    static const char *const lines[] = {
        "rooms = 1\n", "x\n", "door a {\n", "guests = a b c d\n", "xxxxxxxxxxxxxxxxxxxxxxxxxx = 1\n", "{"};
    struct conf *conf = NULL;
    struct buf text, errors;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(lines); i++) {
        buf_init(&text, CONF_BYTES_MAX);
        while (buf_len(&text) + strlen(lines[i]) <= CONF_BYTES_MAX)
            buf_put_str(&text, lines[i]);
        buf_init(&errors, 65536);
        assert_int_equal(conf_parse(NULL, buf_view(&text), components, 1, &conf, &errors), ERR_SYNTAX);
        assert_true(buf_ok(&errors));
        assert_true(buf_len(&errors) < 32768);
        buf_free(&errors);
        buf_free(&text);
    }
}

static void test_errors_are_counted(void **state)
{
    struct conf *conf = NULL;
    struct buf text, errors;
    unsigned lines = 0;
    size_t i;

    (void)state;
    buf_init(&text, 65536);
    for (i = 0; i < 500; i++)
        buf_put_str(&text, "what\n");
    buf_init(&errors, 65536);
    assert_int_equal(conf_parse(NULL, buf_view(&text), components, 1, &conf, &errors), ERR_SYNTAX);
    for (i = 0; i < buf_len(&errors); i++)
        lines += buf_view(&errors).ptr[i] == '\n';
    assert_int_equal(lines, CONF_ERRORS_MAX + 1);
    buf_free(&text);
    buf_free(&errors);
}

/* --- writing --------------------------------------------------------------------------------------------------------- */

static void test_write(void **state)
{
    struct conf *conf = NULL, *again = NULL;
    struct buf full, changed, second, errors;

    (void)state;
    (void)parse_good(
        "area = 1536\nage = 90s\nstreet = \"a # \\\"\\\\ \"\nguests = \"\" \"x,y\" z\ncolour = green\ndoor a {\nport = "
        "7\n}\ndoor b {\n}\n",
        &conf);
    buf_init(&changed, 65536);
    conf_write(conf, &house, true, &changed);
    buf_put_byte(&changed, '\0');
    assert_string_equal((const char *)buf_view(&changed).ptr,
                        "area = 1536\nage = 90s\nstreet = \"a # \\\"\\\\ \"\ncolour = green\n"
                        "guests = \"\" \"x,y\" z\ndoor a {\n    port = 7\n}\ndoor b {\n}\n");
    buf_init(&full, 65536);
    conf_write(conf, &house, false, &full);
    buf_init(&errors, 4096);
    assert_int_equal(conf_parse(NULL, buf_view(&full), components, 1, &again, &errors), 0);
    buf_init(&second, 65536);
    conf_write(again, &house, false, &second);
    assert_true(view_eq(buf_view(&full), buf_view(&second)));
    conf_free(&conf);
    conf_free(&again);
    buf_free(&full);
    buf_free(&second);
    buf_free(&changed);
    buf_free(&errors);
}

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(conf_name_distance(VIEW(""), VIEW("abc"), 9), 3);
    assert_int_equal(conf_name_distance(VIEW("kitten"), VIEW("sitting"), 9), 3);
    assert_int_equal(conf_name_distance(VIEW("prot"), VIEW("port"), 9), 1);
    assert_int_equal(conf_name_distance(VIEW("same"), VIEW("same"), 9), 0);
    assert_int_equal(conf_name_distance(VIEW("aaaa"), VIEW("bbbb"), 2), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),     cmocka_unit_test(test_values),        cmocka_unit_test(test_units),
        cmocka_unit_test(test_value_errors), cmocka_unit_test(test_name_errors),   cmocka_unit_test(test_section_errors),
        cmocka_unit_test(test_include),      cmocka_unit_test(test_relative_name), cmocka_unit_test(test_file_errors),
        cmocka_unit_test(test_garbage),      cmocka_unit_test(test_write),         cmocka_unit_test(test_errors_are_counted),
        cmocka_unit_test(test_distance),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
