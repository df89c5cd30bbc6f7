/* Questions to databases, and the records that come back. */
#include "common/ipc/proto_int.h"

#define PASSWORD_MAX 1024
#define FIELD_NAME_MAX 32

/* A password goes to the databases that check it themselves, and to no other; a token, of nobody yet, to its issuer. */
static bool password_fits(const struct msg_ask_db *m)
{
    bool token = m->what == ASK_DB_TOKEN;
    return (token || m->what == ASK_DB_BIND) == (m->password.len > 0) && (token || m->password.len <= PASSWORD_MAX) &&
           token == (m->user.len == 0);
}

void msg_ask_db_encode(struct buf *out, const struct msg_ask_db *m)
{
    if (!password_fits(m))
        out->failed = true;
    field_put_enum(out, m->what, ASK_DB_PASSDB, ASK_DB_TOKEN);
    field_put_view(out, m->section, FIELD_TEXT, 1, PROTO_LABEL_MAX);
    field_put_view(out, m->user, FIELD_TEXT, 0, PROTO_NAME_MAX);
    field_put_view(out, m->password, FIELD_NO_NUL, 0, PROTO_TOKEN_MAX);
}

int msg_ask_db_decode(struct view body, struct msg_ask_db *out)
{
    struct cursor c = cursor_make(body);
    struct msg_ask_db m = {0};
    m.what = (enum ask_db)field_get_enum(&c, ASK_DB_PASSDB, ASK_DB_TOKEN);
    m.section = field_get_view(&c, FIELD_TEXT, 1, PROTO_LABEL_MAX);
    m.user = field_get_view(&c, FIELD_TEXT, 0, PROTO_NAME_MAX);
    m.password = field_get_view(&c, FIELD_NO_NUL, 0, PROTO_TOKEN_MAX);
    if (!password_fits(&m))
        cursor_fail(&c);
    FIELD_END(&c, m, out);
}

static bool field_name_allowed(struct view name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t b = name.ptr[i];
        if (!((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '_' || b == '-'))
            return false;
    }
    return name.len > 0;
}

void db_field_put(struct buf *record, struct view name, struct view value)
{
    if (!field_name_allowed(name))
        record->failed = true;
    field_put_view(record, name, FIELD_TEXT, 1, FIELD_NAME_MAX);
    field_put_view(record, value, FIELD_NO_NUL, 0, PROTO_VALUE_MAX);
}

bool db_field_next(struct cursor *record, struct view *name_out, struct view *value_out)
{
    if (cursor_left(record) == 0)
        return false;
    *name_out = field_get_view(record, FIELD_TEXT, 1, FIELD_NAME_MAX);
    *value_out = field_get_view(record, FIELD_NO_NUL, 0, PROTO_VALUE_MAX);
    if (!field_name_allowed(*name_out))
        cursor_fail(record);
    return !record->failed;
}

static bool record_is_clean(struct view record)
{
    struct cursor c = cursor_make(record);
    struct view name, value;
    while (db_field_next(&c, &name, &value)) {
    }
    return cursor_done(&c);
}

void msg_helper_db_encode(struct buf *out, const struct msg_helper_db *m)
{
    if ((m->result != HELPER_OK && m->record.len > 0) || !record_is_clean(m->record))
        out->failed = true;
    field_put_enum(out, m->result, HELPER_OK, HELPER_TEMPORARY);
    field_put_view(out, m->record, FIELD_BYTES, 0, PROTO_RECORD_MAX);
}

int msg_helper_db_decode(struct view body, struct msg_helper_db *out)
{
    struct cursor c = cursor_make(body);
    struct msg_helper_db m = {0};
    m.result = (enum helper_result)field_get_enum(&c, HELPER_OK, HELPER_TEMPORARY);
    m.record = field_get_view(&c, FIELD_BYTES, 0, PROTO_RECORD_MAX);
    if ((m.result != HELPER_OK && m.record.len > 0) || !record_is_clean(m.record))
        cursor_fail(&c);
    FIELD_END(&c, m, out);
}
