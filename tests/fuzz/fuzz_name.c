/*
 * User names and paths. A name that is accepted is in its final form (normalising it again changes nothing), keeps to the allowed
 * characters, and never leads out of the folder that a template names.
 */
#include <stdlib.h>

#include "auth/name.h"
#include "auth/template.h"

static const struct set_auth *settings(void)
{
    static const struct set_auth set = {
        .auth_default_domain = "example.org",
        .auth_lowercase = true,
        .auth_name_chars = "abcdefghijklmnopqrstuvwxyz0123456789.-_@+=/%~", /* with what the configuration would refuse */
        .recipient_delimiter = "+",
    };
    return &set;
}

static void check(const struct auth_name *name)
{
    static const struct view prefix = {(const uint8_t *)"/mail/", 6};
    struct auth_name again;
    struct buf path;
    if (name->len == 0 || name->len > PROTO_NAME_MAX || name->at == 0 || name->at >= name->len)
        abort();
    if (auth_name_normalise(settings(), auth_name_view(name), &again) != 0 || !auth_name_equal(name, &again))
        abort();
    buf_init(&path, PROTO_PATH_MAX);
    if (template_expand(view_str("/mail/%d/%n"), name, view_str("/home/x"), &path) == 0) {
        struct view p = buf_view(&path);
        size_t slashes = 0;
        for (size_t i = 0; i < p.len; i++)
            slashes += p.ptr[i] == '/';
        if (!view_starts(p, prefix) || slashes != 3 || !template_path_clean(p))
            abort();
    }
    buf_free(&path);
}

/* A detail is shorter than what it was cut off, and has no control characters. */
static void check_both(const struct auth_name *name, const struct auth_detail *detail, struct view in)
{
    check(name);
    if (detail->len > PROTO_DETAIL_MAX || (detail->len > 0 && detail->len + 2 > in.len))
        abort();
    for (size_t i = 0; i < detail->len; i++) {
        if ((uint8_t)detail->text[i] < 0x20 || detail->text[i] == 0x7f)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct auth_name name;
    struct auth_detail detail;
    struct buf path;
    struct view v = view_make(data, size);
    if (auth_name_normalise(settings(), v, &name) == 0)
        check(&name);
    if (auth_name_of_address(settings(), v, &name, &detail) == 0)
        check_both(&name, &detail, v);
    if (auth_name_of_login(settings(), v, &name, &detail) == 0)
        check_both(&name, &detail, v);
    /* The input as a template, and as a home folder. */
    (void)!auth_name_normalise(settings(), view_str("u@d"), &name);
    buf_init(&path, PROTO_PATH_MAX);
    if (template_expand(v, &name, view_str("/home/x"), &path) == 0 && !template_path_clean(buf_view(&path)))
        abort();
    buf_reset(&path);
    if (template_expand(view_str("~/m"), &name, v, &path) == 0 && !template_path_clean(buf_view(&path)))
        abort();
    buf_free(&path);
    return 0;
}
