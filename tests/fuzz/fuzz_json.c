/* JSON, keys and tokens: the index stays within the text and itself, texts are written so that they read the same. */
#include <stdlib.h>

#include "auth/jwt.h"
#include "common/text/json.h"

static struct json_doc doc, again;

static void check_texts(void)
{
    struct buf text, quoted;
    buf_init(&text, 65536);
    buf_init(&quoted, 65536);
    for (unsigned i = 0; i < doc.n; i++) {
        if (doc.tokens[i].next <= i || doc.tokens[i].next > doc.n)
            abort();
        buf_reset(&text);
        buf_reset(&quoted);
        if (json_text(&doc.tokens[i], &text) != 0)
            continue;
        json_put_text(&quoted, buf_view(&text));
        if (json_parse(buf_view(&quoted), &again) != 0 || !json_says(&again.tokens[0], buf_view(&text)))
            abort();
    }
    buf_free(&text);
    buf_free(&quoted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct set_auth set = {.oauth2_issuer = "i", .oauth2_user_claim = "email"};
    struct view v = view_make(data, size);
    struct jwks *keys = NULL;
    struct buf name;
    const char *why;
    if (size > 8192)
        return 0;
    if (json_parse(v, &doc) == 0)
        check_texts();
    if (jwks_parse(v, &keys) == 0) {
        buf_init(&name, 255);
        if (jwt_check(keys, &set, v, 0, &name, &why) == 0)
            abort(); /* nobody has signed it */
        buf_free(&name);
    }
    jwks_free(&keys);
    return 0;
}
