/* The Content- fields of one part. A field that occurs twice counts the first time; one that cannot be read counts as missing. */
#include "storage/message/mime_int.h"

bool mime_type_is_message(const struct mime_part *part)
{
    return view_eq_nocase(part->type, VIEW("message")) &&
           (view_eq_nocase(part->subtype, VIEW("rfc822")) || view_eq_nocase(part->subtype, VIEW("global")));
}

bool mime_type_is_multipart(const struct mime_part *part)
{
    return view_eq_nocase(part->type, VIEW("multipart"));
}

bool mime_encoding_hides(struct view encoding)
{
    static const struct view hiding[] = {{(const uint8_t *)"base64", 6},
                                         {(const uint8_t *)"quoted-printable", 16},
                                         {(const uint8_t *)"x-uuencode", 10},
                                         {(const uint8_t *)"x-uue", 5},
                                         {(const uint8_t *)"uuencode", 8}};
    for (size_t i = 0; i < sizeof(hiding) / sizeof(hiding[0]); i++) {
        if (view_eq_nocase(encoding, hiding[i]))
            return true;
    }
    return false;
}

void mime_part_retype(struct arena *a, struct mime_part *part, struct view type, struct view subtype, bool keep_params)
{
    part->type = type;
    part->subtype = subtype;
    if (keep_params)
        return;
    part->params = NULL;
    part->nparams = 0;
    if (!view_eq_nocase(type, VIEW("text")))
        return;
    struct mime_param *charset = arena_alloc(a, 1, sizeof(*charset));
    if (charset == NULL)
        return;
    *charset = (struct mime_param){VIEW("charset"), VIEW("us-ascii")};
    part->params = charset;
    part->nparams = 1;
}

/* RFC 2045 5.1; RFC 2045 5.2: what does not parse leaves the default. */
static void set_type(struct mime_fields *f, struct view value)
{
    struct cursor c = cursor_make(value);
    f->has_type = true;
    header_skip_cfws(&c);
    struct view type = mime_token(&c);
    header_skip_cfws(&c);
    if (type.len == 0 || !cursor_take(&c, '/'))
        return;
    header_skip_cfws(&c);
    struct view subtype = mime_token(&c);
    if (subtype.len == 0)
        return;
    f->part->type = type;
    f->part->subtype = subtype;
    mime_params_parse(f->arena, &c, f->limits->params, &f->part->params, &f->part->nparams, f->truncated);
}

static void set_encoding(struct mime_fields *f, struct view value)
{
    struct cursor c = cursor_make(value);
    f->has_encoding = true;
    header_skip_cfws(&c);
    struct view token = mime_token(&c);
    if (token.len > 0)
        f->part->encoding = token;
}

/* RFC 2183. */
static void set_disposition(struct mime_fields *f, struct view value)
{
    struct cursor c = cursor_make(value);
    f->has_disposition = true;
    header_skip_cfws(&c);
    struct view token = mime_token(&c);
    if (token.len == 0)
        return;
    f->part->disposition = token;
    mime_params_parse(f->arena, &c, f->limits->params, &f->part->disposition_params, &f->part->ndisposition_params, f->truncated);
}

/* RFC 3282: a list of tags. */
static void set_language(struct mime_fields *f, struct view value)
{
    struct view found[32];
    size_t n = 0;
    struct cursor c = cursor_make(value);
    f->has_language = true;
    while (cursor_left(&c) > 0 && n < sizeof(found) / sizeof(found[0])) {
        header_skip_cfws(&c);
        struct view tag = mime_token(&c);
        if (tag.len > 0)
            found[n++] = tag;
        else if (cursor_left(&c) > 0)
            cursor_skip(&c, 1);
    }
    if (n == 0)
        return;
    f->part->languages = arena_alloc(f->arena, n, sizeof(found[0]));
    if (f->part->languages == NULL) {
        *f->truncated = true;
        return;
    }
    memcpy(f->part->languages, found, n * sizeof(found[0]));
    f->part->nlanguages = n;
}

/* RFC 2557 4.2: a URI, whose folding leaves blanks that are no part of it. */
static void set_location(struct mime_fields *f, struct view value)
{
    f->part->location = value;
    if (memchr(value.ptr, ' ', value.len) == NULL && memchr(value.ptr, '\t', value.len) == NULL)
        return;
    uint8_t *room = arena_bytes(f->arena, value.len);
    size_t n = 0;
    for (size_t i = 0; room != NULL && i < value.len; i++) {
        if (value.ptr[i] != ' ' && value.ptr[i] != '\t')
            room[n++] = value.ptr[i];
    }
    if (room != NULL)
        f->part->location = view_make(room, n);
}

enum mime_field mime_field_find(struct view name)
{
    static const char *const names[MIME_FIELD_NONE] = {"type", "transfer-encoding", "disposition", "language",
                                                       "id",   "description",       "md5",         "location"};
    struct view prefix = VIEW("Content-");
    if (!view_starts_nocase(name, prefix))
        return MIME_FIELD_NONE;
    for (enum mime_field i = 0; i < MIME_FIELD_NONE; i++) {
        if (view_eq_nocase(view_sub(name, prefix.len, name.len), view_str(names[i])))
            return i;
    }
    return MIME_FIELD_NONE;
}

bool mime_field_is_set(const struct mime_fields *f, enum mime_field which)
{
    switch (which) {
    case MIME_FIELD_TYPE:
        return f->has_type;
    case MIME_FIELD_ENCODING:
        return f->has_encoding;
    case MIME_FIELD_DISPOSITION:
        return f->has_disposition;
    case MIME_FIELD_LANGUAGE:
        return f->has_language;
    case MIME_FIELD_ID:
        return f->part->id.ptr != NULL;
    case MIME_FIELD_DESCRIPTION:
        return f->part->description.ptr != NULL;
    case MIME_FIELD_MD5:
        return f->part->md5.ptr != NULL;
    case MIME_FIELD_LOCATION:
        return f->part->location.ptr != NULL;
    case MIME_FIELD_NONE:
        break;
    }
    return true;
}

void mime_field_set(struct mime_fields *f, enum mime_field which, struct view value)
{
    switch (which) {
    case MIME_FIELD_TYPE:
        set_type(f, value);
        break;
    case MIME_FIELD_ENCODING:
        set_encoding(f, value);
        break;
    case MIME_FIELD_DISPOSITION:
        set_disposition(f, value);
        break;
    case MIME_FIELD_LANGUAGE:
        set_language(f, value);
        break;
    case MIME_FIELD_ID:
        f->part->id = value;
        break;
    case MIME_FIELD_DESCRIPTION:
        f->part->description = value;
        break;
    case MIME_FIELD_MD5:
        f->part->md5 = value;
        break;
    case MIME_FIELD_LOCATION:
        set_location(f, value);
        break;
    case MIME_FIELD_NONE:
        break;
    }
}
