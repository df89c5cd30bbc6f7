#include "storage/intake.h"

#include <stdlib.h>

#include "common/base/mem.h"

struct intake {
    struct content_id *hash;
    struct mime_parser *parser; /* NULL: no structure */
};

struct intake *intake_begin(bool with_structure)
{
    struct intake *in = xmalloc(sizeof(*in));

    in->hash = content_id_begin();
    in->parser = with_structure ? mime_parser_new(&message_limits_default) : NULL;
    return in;
}

void intake_add(struct intake *in, struct view piece)
{
    content_id_add(in->hash, piece);
    if (in->parser == NULL)
        return;
    mime_parser_feed(in->parser, piece);
    if (mime_parser_memory(in->parser) > INTAKE_STRUCTURE_MAX)
        mime_parser_free(&in->parser);
}

void intake_end(struct intake **in, uint8_t content_id[CONTENT_ID_SIZE], struct mime_msg *structure_out)
{
    content_id_end(&(*in)->hash, content_id);
    *structure_out = (struct mime_msg){.parts = NULL};
    if ((*in)->parser != NULL)
        mime_parser_finish(&(*in)->parser, structure_out);
    intake_free(in);
}

void intake_free(struct intake **in)
{
    if (*in == NULL)
        return;
    content_id_free(&(*in)->hash);
    mime_parser_free(&(*in)->parser);
    free(*in);
    *in = NULL;
}
