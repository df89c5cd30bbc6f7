/*
 * Dates of header fields: RFC 5322 3.3 and 4.3, asctime(), ISO 8601, RFC 850 and their mixtures.
 *
 * The value is read as a run of items (numbers, words, signs) whose meaning is clear from their form: a number with a colon is
 * the time, a word the month, the weekday or a zone, a signed number after the time the zone. So order and separators hardly
 * matter. RFC 5256 2.2: an invalid zone counts as UTC, an invalid time as midnight; without a valid day there is no date.
 */
#include "storage/message/envelope.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/message/header_int.h"

#define UNSET (-1)

struct date {
    struct cursor c;
    long year, month, day;
    long hour, minute, second;
    long zone;       /* minutes */
    bool year_short; /* two or three digits (RFC 5322 4.3) */
    bool has_time, has_zone, pm, am;
};

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Digits at the cursor; more than nine are cut to a value that no field accepts. */
static long number(struct cursor *c, unsigned *digits_out)
{
    long n = 0;
    unsigned digits = 0;
    for (; is_digit(cursor_peek(c)); digits++) {
        int digit = cursor_byte(c) - '0';
        n = digits < 9 ? n * 10 + digit : 999999999;
    }
    *digits_out = digits;
    return n;
}

/* ":05", ".05" or nothing. */
static long more_time(struct cursor *c)
{
    struct view rest = cursor_rest(c);
    unsigned digits;
    if (rest.len < 2 || (rest.ptr[0] != ':' && rest.ptr[0] != '.') || !is_digit(rest.ptr[1]))
        return UNSET;
    cursor_skip(c, 1);
    return number(c, &digits);
}

static void take_time(struct date *d, long hour)
{
    unsigned digits;
    d->hour = hour;
    d->minute = more_time(&d->c);
    d->second = more_time(&d->c);
    if (d->second == UNSET)
        d->second = 0;
    if (cursor_peek(&d->c) == '.' || cursor_peek(&d->c) == ',') { /* fractions of a second */
        struct view rest = cursor_rest(&d->c);
        if (rest.len > 1 && is_digit(rest.ptr[1])) {
            cursor_skip(&d->c, 1);
            (void)number(&d->c, &digits);
        }
    }
    d->has_time = true;
    if (d->hour > 24 || d->minute > 59 || d->second > 60 || (d->hour == 24 && (d->minute | d->second) != 0))
        d->hour = d->minute = d->second = 0;
}

/* +hhmm, +hh:mm, +hh, +hmm; the sign was taken. */
static void take_zone(struct date *d, int sign)
{
    unsigned digits, more = 0;
    long n = number(&d->c, &digits), hours = n, minutes = 0;
    if (digits > 2) {
        hours = n / 100;
        minutes = n % 100;
    } else if (cursor_take(&d->c, ':')) {
        minutes = number(&d->c, &more);
    }
    d->has_zone = true;
    d->zone = hours < 24 && minutes <= 59 ? sign * (hours * 60 + minutes) : 0;
}

/* year-month-day or year/month/day; the year was taken, and the separator is next. */
static void take_iso(struct date *d, long year)
{
    unsigned digits;
    uint8_t separator = cursor_byte(&d->c);
    d->year = year;
    d->month = number(&d->c, &digits);
    (void)cursor_take(&d->c, separator);
    d->day = number(&d->c, &digits);
    if (cursor_peek(&d->c) == 'T' || cursor_peek(&d->c) == 't')
        cursor_skip(&d->c, 1);
}

/* n/n/year: the day comes first only where the other order is impossible. */
static void take_slashes(struct date *d, long first)
{
    unsigned digits;
    cursor_skip(&d->c, 1);
    long second = number(&d->c, &digits);
    bool day_first = first > 12;
    d->month = day_first ? second : first;
    d->day = day_first ? first : second;
    if (cursor_take(&d->c, '/')) {
        d->year = number(&d->c, &digits);
        d->year_short = digits < 4;
    }
}

static void take_number(struct date *d)
{
    unsigned digits;
    long n = number(&d->c, &digits);
    struct view rest = cursor_rest(&d->c);
    int next = rest.len > 0 ? rest.ptr[0] : -1, after = rest.len > 1 ? rest.ptr[1] : -1;
    if (digits <= 2 && is_digit(after) && !d->has_time && (next == ':' || (next == '.' && d->day != UNSET && d->month != UNSET)))
        take_time(d, n);
    else if (digits == 4 && d->year == UNSET && d->month == UNSET && is_digit(after) && (next == '-' || next == '/'))
        take_iso(d, n);
    else if (digits <= 2 && d->month == UNSET && d->day == UNSET && next == '/' && is_digit(after))
        take_slashes(d, n);
    else if (digits <= 2 && d->day == UNSET)
        d->day = n;
    else if (d->year == UNSET) {
        d->year = n;
        d->year_short = digits < 4;
    } else if (d->has_time && !d->has_zone && digits == 4)
        d->has_zone = true; /* a zone without its sign means nothing */
}

static const char months[12][4] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};

/* Zone names: RFC 5322 4.3 and those that occur besides; minutes east. Others count as UTC. */
static const struct {
    const char *name;
    int minutes;
} zones[] = {
    {"edt", -240},  {"est", -300},  {"cdt", -300}, {"cst", -360}, {"mdt", -360}, {"mst", -420}, {"pdt", -420}, {"pst", -480},
    {"akdt", -480}, {"akst", -540}, {"hst", -600}, {"ast", -240}, {"adt", -180}, {"nst", -210}, {"ndt", -150}, {"bst", 60},
    {"wet", 0},     {"west", 60},   {"cet", 60},   {"cest", 120}, {"met", 60},   {"mest", 120}, {"mez", 60},   {"mesz", 120},
    {"eet", 120},   {"eest", 180},  {"msk", 180},  {"msd", 240},  {"jst", 540},  {"kst", 540},  {"hkt", 480},  {"sgt", 480},
    {"awst", 480},  {"acst", 570},  {"aest", 600}, {"aedt", 660}, {"nzst", 720}, {"nzdt", 780},
};

static void take_word(struct date *d)
{
    struct view rest = cursor_rest(&d->c);
    size_t n = 0;
    while (n < rest.len && is_alpha(rest.ptr[n]))
        n++;
    struct view word = cursor_bytes(&d->c, n);
    if (view_eq_nocase(word, VIEW("am")) || view_eq_nocase(word, VIEW("pm"))) {
        d->pm = ascii_lower(word.ptr[0]) == 'p';
        d->am = !d->pm;
        return;
    }
    for (size_t i = 0; word.len >= 3 && d->month == UNSET && i < ARRAY_LEN(months); i++) {
        if (view_eq_nocase(view_sub(word, 0, 3), view_str(months[i]))) {
            d->month = (long)i + 1;
            return;
        }
    }
    for (size_t i = 0; d->has_time && !d->has_zone && i < ARRAY_LEN(zones); i++) {
        if (view_eq_nocase(word, view_str(zones[i].name))) {
            d->zone = zones[i].minutes;
            d->has_zone = true;
        }
    }
}

static void take_sign(struct date *d)
{
    int sign = cursor_byte(&d->c) == '-' ? -1 : 1;
    if (d->has_time && is_digit(cursor_peek(&d->c)))
        take_zone(d, sign);
}

static void take_items(struct date *d)
{
    while (cursor_left(&d->c) > 0) {
        header_skip_cfws(&d->c);
        int c = cursor_peek(&d->c);
        if (is_digit(c))
            take_number(d);
        else if (is_alpha(c))
            take_word(d);
        else if (c == '+' || c == '-')
            take_sign(d);
        else if (c >= 0)
            cursor_skip(&d->c, 1);
    }
}

static long days_in_month(long year, long month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* "12 Jan 5" and "99 Jan 5": a day that cannot be one was the year. */
static void settle_year(struct date *d)
{
    if (d->day > 31 && d->year >= 1 && d->year <= 31) {
        long day = d->year;
        d->year = d->day;
        d->year_short = true;
        d->day = day;
    }
    if (d->year_short && d->year != UNSET && d->year < 1000)
        d->year += d->year < 50 ? 2000 : 1900;
}

int date_parse_header(struct view raw, int64_t *t_out, int *zone_out)
{
    struct date d = {.c = cursor_make(view_sub(raw, 0, 512)), .year = UNSET, .month = UNSET, .day = UNSET};
    take_items(&d);
    settle_year(&d);
    if (d.year < 1000 || d.year > 9999 || d.month < 1 || d.month > 12 || d.day < 1 || d.day > days_in_month(d.year, d.month))
        return ERR_SYNTAX;
    if (d.pm && d.hour < 12)
        d.hour += 12;
    else if (d.am && d.hour == 12)
        d.hour = 0;
    *t_out = time_from_civil((int)d.year, (unsigned)d.month, (unsigned)d.day, (unsigned)d.hour, (unsigned)d.minute,
                             (unsigned)d.second) -
             d.zone * 60;
    *zone_out = (int)d.zone;
    return 0;
}
