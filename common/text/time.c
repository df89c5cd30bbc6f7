/*
 * Civil dates without the C library, which would read /etc/localtime. The proleptic Gregorian calendar; years begin in March
 * inside the computations, so that the leap day is the last of its year.
 */
#include "common/base/cursor.h"
#include "common/text/text.h"

#define DAY_SECONDS 86400
#define ERA_DAYS 146097   /* of 400 years */
#define EPOCH_DAYS 719468 /* from 1 March of year 0 to 1970 */

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

int64_t time_from_civil(int year, unsigned month, unsigned day, unsigned hour, unsigned minute, unsigned second)
{
    int64_t y = (int64_t)year - (month <= 2 ? 1 : 0);
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = month > 2 ? (int64_t)month - 3 : (int64_t)month + 9;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    int64_t days = era * ERA_DAYS + day_of_era - EPOCH_DAYS;
    return days * DAY_SECONDS + (int64_t)hour * 3600 + (int64_t)minute * 60 + (int64_t)second;
}

void time_to_civil(int64_t t, int zone_minutes, struct civil_time *out)
{
    /* Beyond about two billion years the year would not fit its field. */
    const int64_t limit = INT64_C(60000000000000000);
    t = t > limit ? limit : (t < -limit ? -limit : t);
    t += (int64_t)zone_minutes * 60;
    int64_t days = floor_div(t, DAY_SECONDS);
    int64_t second_of_day = t - days * DAY_SECONDS;
    int64_t shifted = days + EPOCH_DAYS;
    int64_t era = floor_div(shifted, ERA_DAYS);
    int64_t day_of_era = shifted - era * ERA_DAYS;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    *out = (struct civil_time){
        .year = (int)(year_of_era + era * 400 + (month <= 2 ? 1 : 0)),
        .month = (unsigned)month,
        .day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
        .hour = (unsigned)(second_of_day / 3600),
        .minute = (unsigned)(second_of_day / 60 % 60),
        .second = (unsigned)(second_of_day % 60),
        .weekday = (unsigned)(((days + 4) % 7 + 7) % 7), /* 1 January 1970 was a Thursday */
    };
}

/* Both forms have four digits for the year and two each for the hours and minutes of the zone. */
static void civil_for_print(int64_t t, int *zone_minutes, struct civil_time *out)
{
    if (*zone_minutes <= -24 * 60 || *zone_minutes >= 24 * 60)
        *zone_minutes = 0;
    time_to_civil(t, *zone_minutes, out);
    if (out->year < 0 || out->year > 9999)
        time_to_civil(0, *zone_minutes, out);
}

static void put_clock_zone(struct buf *out, const struct civil_time *c, int zone_minutes)
{
    unsigned z = (unsigned)(zone_minutes < 0 ? -zone_minutes : zone_minutes);
    buf_put_fmt(out, "%02u:%02u:%02u %c%02u%02u", c->hour, c->minute, c->second, zone_minutes < 0 ? '-' : '+', z / 60, z % 60);
}

void time_put_rfc5322(struct buf *out, int64_t t, int zone_minutes)
{
    struct civil_time c;
    civil_for_print(t, &zone_minutes, &c);
    buf_put_fmt(out, "%s, %02u %s %04d ", day_names[c.weekday], c.day, month_names[c.month - 1], c.year);
    put_clock_zone(out, &c, zone_minutes);
}

void time_put_imap(struct buf *out, int64_t t, int zone_minutes)
{
    struct civil_time c;
    civil_for_print(t, &zone_minutes, &c);
    buf_put_fmt(out, "%2u-%s-%04d ", c.day, month_names[c.month - 1], c.year);
    put_clock_zone(out, &c, zone_minutes);
}

/* Exactly n decimal digits. */
static unsigned take_digits(struct cursor *c, unsigned n)
{
    unsigned value = 0;
    for (unsigned i = 0; i < n; i++) {
        uint8_t byte = cursor_byte(c);
        if (byte < '0' || byte > '9')
            cursor_fail(c);
        else
            value = value * 10 + (byte - (unsigned)'0');
    }
    return value;
}

static unsigned take_month(struct cursor *c)
{
    for (unsigned i = 0; i < 12; i++) {
        if (cursor_take_nocase(c, view_make(month_names[i], 3)))
            return i + 1;
    }
    cursor_fail(c);
    return 0;
}

static unsigned month_days(unsigned year, unsigned month)
{
    if (month == 2)
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

int time_parse_imap(struct view v, int64_t *t_out, int *zone_out)
{
    struct cursor c = cursor_make(v);
    unsigned day = cursor_take(&c, ' ') ? take_digits(&c, 1) : take_digits(&c, 2);
    cursor_expect(&c, '-');
    unsigned month = take_month(&c);
    cursor_expect(&c, '-');
    unsigned year = take_digits(&c, 4);
    cursor_expect(&c, ' ');
    unsigned hour = take_digits(&c, 2);
    cursor_expect(&c, ':');
    unsigned minute = take_digits(&c, 2);
    cursor_expect(&c, ':');
    unsigned second = take_digits(&c, 2);
    cursor_expect(&c, ' ');
    bool west = cursor_take(&c, '-');
    if (!west)
        cursor_expect(&c, '+');
    unsigned zone_hour = take_digits(&c, 2);
    unsigned zone_minute = take_digits(&c, 2);
    if (!cursor_done(&c))
        return ERR_SYNTAX;
    /* 60 seconds: a leap second. */
    if (day < 1 || day > month_days(year, month) || hour > 23 || minute > 59 || second > 60 || zone_hour > 23 || zone_minute > 59)
        return ERR_RANGE;
    int zone = (int)(zone_hour * 60 + zone_minute);
    *zone_out = west ? -zone : zone;
    *t_out = time_from_civil((int)year, month, day, hour, minute, second) - (int64_t)*zone_out * 60;
    return 0;
}
