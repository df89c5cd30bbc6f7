/*
 * The tree of parts. The parts on the way from the message to the part that is being read are a stack of frames, so nothing
 * recurses; a delimiter ends frames (RFC 2046 5.1.2: an outer one ends whatever is open inside) and begins the next.
 *
 * What a body structure must not show is settled here, so that every client can parse it:
 *   - a multipart without a usable boundary or without any part becomes a text/plain leaf: its text is then shown, not lost;
 *   - a message/rfc822 under base64 or another encoding that hides it (RFC 2046 5.2.1 forbids them) is not parsed and becomes an
 *     application/octet-stream leaf with its parameters (its name), which clients decode and save;
 *   - a container that is nested too deep, and the rest of a message with too many parts, are application/octet-stream leaves.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "storage/message/mime_parser_int.h"

#define ARENA_CAP (16u * 1024 * 1024)

struct frame {
    uint32_t part;
    uint32_t last_child;
    uint64_t lines_at_body;
};

static struct mime_part *part_of(struct mime_tree *t, const struct frame *f)
{
    return &t->msg.parts[f->part];
}

static struct frame *top(struct mime_tree *t)
{
    return &t->frames[t->nframes - 1];
}

static struct mime_part *part_add(struct mime_tree *t)
{
    struct mime_msg *m = &t->msg;
    if (m->nparts == t->parts_cap) {
        t->parts_cap = t->parts_cap == 0 ? 4 : t->parts_cap * 2;
        m->parts = xreallocarray(m->parts, t->parts_cap, sizeof(*m->parts));
    }
    struct mime_part *part = &m->parts[m->nparts++];
    memset(part, 0, sizeof(*part));
    return part;
}

/* A new part below the top frame (or the message itself), whose header begins here. */
static void part_begin(struct mime_tree *t)
{
    struct mime_part *part = part_add(t);
    uint32_t index = (uint32_t)t->msg.nparts - 1;
    part->header_off = t->at.off;
    if (t->nframes > 0) {
        struct frame *above = top(t);
        struct mime_part *parent = part_of(t, above);
        part->parent = above->part;
        part->depth = (uint16_t)(parent->depth + 1);
        if (parent->first_child == 0) {
            parent->first_child = index;
            part->number = 1;
        } else {
            struct mime_part *before = &t->msg.parts[above->last_child];
            before->next_sibling = index;
            part->number = before->number + 1;
        }
        above->last_child = index;
    }
    if (t->nframes == t->frames_cap) {
        t->frames_cap = t->frames_cap == 0 ? 8 : t->frames_cap * 2;
        t->frames = xreallocarray(t->frames, t->frames_cap, sizeof(*t->frames));
    }
    t->frames[t->nframes++] = (struct frame){.part = index};
    mime_header_begin(&t->header, part);
    t->in_header = true;
}

/* Closes the top frame, whose body ends at end; lines: line ends before end; at_line: there is one directly before it. */
static void part_end(struct mime_tree *t, uint64_t end, uint64_t lines, bool at_line)
{
    struct frame *f = top(t);
    struct mime_part *part = part_of(t, f);
    part->body_len = end - part->body_off;
    part->body_lines = lines - f->lines_at_body;
    if (part->body_len > 0 && !at_line)
        part->body_lines++;
    if (part->kind == MIME_MULTIPART && part->first_child == 0) {
        part->kind = MIME_LEAF;
        mime_part_retype(t->arena, part, VIEW("text"), VIEW("plain"), false);
    }
    t->nframes--;
    boundaries_close(&t->boundaries, t->nframes);
}

/* Closes every frame above keep, before a delimiter line: the line end before it belongs to it (RFC 2046 5.1.1), unless it is
 * already part of a header. */
static void parts_end(struct mime_tree *t, uint32_t keep)
{
    uint64_t end = t->at.off - t->at.line_end;
    bool at_line = t->at.blank_before;
    while (t->nframes > keep) {
        if (end < part_of(t, top(t))->body_off) {
            end = t->at.off; /* which is where its body begins */
            at_line = true;
        }
        part_end(t, end, end == t->at.off ? t->at.lines : t->at.lines - 1, at_line);
    }
}

static struct view boundary_param(const struct mime_part *part)
{
    for (size_t i = 0; i < part->nparams; i++) {
        if (view_eq_nocase(part->params[i].name, VIEW("boundary"))) {
            struct view v = part->params[i].value;
            while (v.len > 0 && (v.ptr[v.len - 1] == ' ' || v.ptr[v.len - 1] == '\t'))
                v.len--;
            return v;
        }
    }
    return VIEW("");
}

static void multipart_begin(struct mime_tree *t, struct mime_part *part)
{
    struct view boundary = boundary_param(part);
    part->kind = MIME_MULTIPART; /* part_end() thinks better of it when no part comes */
    if (boundary.len > t->limits.boundary)
        t->msg.truncated = true;
    else if (boundary.len > 0)
        boundaries_open(&t->boundaries, t->nframes - 1, boundary);
}

/* The header of the top part ends here. Returns true when another begins, of the message in a message part. */
static bool header_end(struct mime_tree *t)
{
    struct frame *f = top(t);
    struct mime_part *part = part_of(t, f), *parent = &t->msg.parts[part->parent];
    bool digest_child = f->part != 0 && parent->kind == MIME_MULTIPART && view_eq_nocase(parent->subtype, VIEW("digest"));
    part->header_len = t->at.off - part->header_off;
    part->body_off = t->at.off;
    f->lines_at_body = t->at.lines;
    t->in_header = false;
    mime_header_end(&t->header, digest_child);
    bool message = mime_type_is_message(part), multipart = mime_type_is_multipart(part);
    if (!message && !multipart)
        return false;
    if (message && mime_encoding_hides(part->encoding)) {
        mime_part_retype(t->arena, part, VIEW("application"), VIEW("octet-stream"), true);
        return false;
    }
    if (part->depth >= t->limits.depth || (message && t->msg.nparts + 1 >= t->limits.parts)) {
        t->msg.truncated = true;
        mime_part_retype(t->arena, part, VIEW("application"), VIEW("octet-stream"), false);
        return false;
    }
    if (multipart) {
        multipart_begin(t, part);
        return false;
    }
    part->kind = MIME_MESSAGE;
    part_begin(t);
    return true;
}

void mime_tree_header_end(struct mime_tree *t)
{
    (void)header_end(t);
}

/* The header, if this is one, ends without a blank line. */
static void header_cut(struct mime_tree *t)
{
    while (t->in_header && header_end(t))
        ;
}

/* The limit of parts: what is left becomes one. */
static void rest_begin(struct mime_tree *t)
{
    t->msg.truncated = true;
    t->sink = true;
    if (t->msg.nparts >= t->limits.parts)
        return;
    part_begin(t);
    struct mime_part *part = part_of(t, top(t));
    part->body_off = t->at.off;
    top(t)->lines_at_body = t->at.lines;
    mime_part_retype(t->arena, part, VIEW("application"), VIEW("octet-stream"), false);
    t->in_header = false;
}

void mime_tree_delimiter(struct mime_tree *t, uint32_t frame, bool is_last)
{
    header_cut(t);
    parts_end(t, frame + 1);
    if (is_last)
        boundaries_close(&t->boundaries, frame);
}

void mime_tree_part(struct mime_tree *t)
{
    if (t->msg.nparts + 1 >= t->limits.parts)
        rest_begin(t);
    else
        part_begin(t);
}

void mime_tree_init(struct mime_tree *t, const struct message_limits *limits)
{
    *t = (struct mime_tree){.limits = *limits, .arena = arena_new(ARENA_CAP)};
    mime_header_init(&t->header, t->arena, &t->limits, &t->msg.truncated);
    boundaries_init(&t->boundaries, limits->boundary);
    part_begin(t);
}

void mime_tree_finish(struct mime_tree *t, bool at_line, struct mime_msg *out)
{
    header_cut(t);
    while (t->nframes > 0)
        part_end(t, t->at.off, t->at.lines, at_line);
    t->msg.truncated |= arena_full(t->arena);
    t->msg.arena = t->arena;
    *out = t->msg;
    t->arena = NULL;     /* transferred */
    t->msg.parts = NULL; /* transferred */
}

size_t mime_tree_memory(const struct mime_tree *t)
{
    return arena_taken(t->arena) + t->parts_cap * sizeof(*t->msg.parts) + t->frames_cap * sizeof(*t->frames) +
           t->header.value.cap;
}

void mime_tree_free(struct mime_tree *t)
{
    mime_header_free(&t->header);
    boundaries_free(&t->boundaries);
    arena_free(&t->arena);
    free(t->msg.parts);
    free(t->frames);
}
