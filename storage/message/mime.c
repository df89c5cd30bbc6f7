/*
 * The structure of a message in one pass, line by line.
 *
 * The parts on the way from the message to the part that is being read are a stack of frames, so nothing recurses. A line that
 * begins with
 * "--" may be a delimiter of any multipart on the stack (RFC 2046 5.1.2: an outer one ends whatever is open inside). RFC
 * 2046 5.1.1 wants the boundary compared with the beginning of the line; where several match, the longest does, and of equal ones
 * the innermost. To find it without comparing the line with each of them, the line is hashed byte by byte, and at each length at
 * which a boundary is open the hash is looked up: a line costs its length, however many are open. The multiplier of the hash
 * comes from where memory happens to lie, so that collisions cannot be prepared.
 *
 * What a body structure must not show is settled here, so that every client can parse it:
 *   - a multipart without a usable boundary or without any part becomes a text/plain leaf: its text is then shown, not lost;
 *   - a message/rfc822 under base64 or another encoding that hides it (RFC 2046 5.2.1 forbids them) is not parsed and becomes an
 *     application/octet-stream leaf with its parameters (its name), which clients decode and save;
 *   - a container that is nested too deep, and the rest of a message with too many parts, are application/octet-stream leaves.
 */
#include "storage/message/mime.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "storage/message/mime_int.h"

#define BUCKETS 256u
#define NO_FRAME UINT32_MAX
#define ARENA_CAP (16u * 1024 * 1024)

struct frame {
    uint32_t part;
    uint32_t last_child;
    uint64_t lines_at_body;
    struct view boundary; /* len 0: none open */
    uint64_t hash;
    uint32_t bucket_next; /* the frame that headed the bucket before */
};

struct parser {
    struct view msg;
    const struct message_limits *limits;
    struct mime_msg *out;
    struct arena *arena;
    struct header_budget budget;
    size_t parts_cap;
    struct frame *frames;
    uint32_t nframes, frames_cap;
    bool in_header;
    bool sink;      /* no more delimiters: the rest is one part */
    uint64_t lines; /* line ends before the current line */
    uint64_t multiplier;
    uint32_t nopen;           /* frames with an open boundary */
    size_t length_max;        /* no open boundary is longer */
    uint32_t *open_of_length; /* [limits->boundary + 1] */
    uint32_t buckets[BUCKETS];
};

static struct mime_part *part_of(struct parser *p, const struct frame *f)
{
    return &p->out->parts[f->part];
}

static struct frame *top(struct parser *p)
{
    return &p->frames[p->nframes - 1];
}

/* --- open boundaries --- */

static uint64_t hash_step(const struct parser *p, uint64_t h, uint8_t c)
{
    h = (h ^ c) * p->multiplier;
    return h ^ (h >> 29);
}

static uint32_t bucket_of(uint64_t hash)
{
    return (uint32_t)(hash >> 17) % BUCKETS;
}

static void boundary_open(struct parser *p, struct view boundary)
{
    struct frame *f = top(p);
    uint64_t h = 0;
    for (size_t i = 0; i < boundary.len; i++)
        h = hash_step(p, h, boundary.ptr[i]);
    f->boundary = boundary;
    f->hash = h;
    f->bucket_next = p->buckets[bucket_of(h)];
    p->buckets[bucket_of(h)] = p->nframes - 1;
    p->open_of_length[boundary.len]++;
    p->length_max = MAX_OF(p->length_max, boundary.len);
    p->nopen++;
}

/* Of the top frame only: then it heads its bucket. */
static void boundary_close(struct parser *p)
{
    struct frame *f = top(p);
    if (f->boundary.len == 0)
        return;
    p->buckets[bucket_of(f->hash)] = f->bucket_next;
    p->open_of_length[f->boundary.len]--;
    f->boundary.len = 0;
    p->nopen--;
    if (p->nopen == 0)
        p->length_max = 0;
}

/* The frame whose boundary begins rest (a line behind its two hyphens), or NO_FRAME. */
static uint32_t boundary_find(const struct parser *p, struct view rest)
{
    uint32_t found = NO_FRAME;
    uint64_t h = 0;
    size_t most = MIN_OF(rest.len, p->length_max);
    for (size_t i = 0; i < most; i++) {
        h = hash_step(p, h, rest.ptr[i]);
        if (p->open_of_length[i + 1] == 0)
            continue;
        for (uint32_t at = p->buckets[bucket_of(h)]; at != NO_FRAME; at = p->frames[at].bucket_next) {
            const struct frame *f = &p->frames[at];
            if (f->hash == h && f->boundary.len == i + 1 && memcmp(f->boundary.ptr, rest.ptr, i + 1) == 0) {
                found = at;
                break;
            }
        }
    }
    return found;
}

/* --- parts --- */

static struct mime_part *part_add(struct parser *p)
{
    struct mime_msg *m = p->out;
    if (m->nparts == p->parts_cap) {
        p->parts_cap = p->parts_cap == 0 ? 4 : p->parts_cap * 2;
        m->parts = xreallocarray(m->parts, p->parts_cap, sizeof(*m->parts));
    }
    struct mime_part *part = &m->parts[m->nparts++];
    memset(part, 0, sizeof(*part));
    return part;
}

/* A new part below the top frame (or the message itself), whose header begins at off. */
static void part_begin(struct parser *p, size_t off)
{
    struct mime_part *part = part_add(p);
    uint32_t index = (uint32_t)p->out->nparts - 1;
    part->header_off = off;
    if (p->nframes > 0) {
        struct frame *above = top(p);
        struct mime_part *parent = part_of(p, above);
        part->parent = above->part;
        part->depth = (uint16_t)(parent->depth + 1);
        if (parent->first_child == 0) {
            parent->first_child = index;
            part->number = 1;
        } else {
            struct mime_part *before = &p->out->parts[above->last_child];
            before->next_sibling = index;
            part->number = before->number + 1;
        }
        above->last_child = index;
    }
    if (p->nframes == p->frames_cap) {
        p->frames_cap = p->frames_cap == 0 ? 8 : p->frames_cap * 2;
        p->frames = xreallocarray(p->frames, p->frames_cap, sizeof(*p->frames));
    }
    p->frames[p->nframes++] = (struct frame){.part = index};
    p->in_header = true;
}

/* Closes the top frame, whose body ends at end; lines: line ends before end. */
static void part_end(struct parser *p, size_t end, uint64_t lines)
{
    struct frame *f = top(p);
    struct mime_part *part = part_of(p, f);
    part->body_len = end - part->body_off;
    part->body_lines = lines - f->lines_at_body;
    if (part->body_len > 0 && p->msg.ptr[end - 1] != '\n')
        part->body_lines++;
    if (part->kind == MIME_MULTIPART && part->first_child == 0) {
        part->kind = MIME_LEAF;
        mime_part_retype(p->arena, part, VIEW("text"), VIEW("plain"), false);
    }
    boundary_close(p);
    p->nframes--;
}

/* Closes every frame above keep, before a delimiter line that begins at `at`: its line end belongs to the delimiter (RFC
 * 2046 5.1.1), unless it is already part of a header. */
static void parts_end(struct parser *p, uint32_t keep, size_t at)
{
    size_t end = at;
    if (at > 0 && p->msg.ptr[at - 1] == '\n')
        end -= at > 1 && p->msg.ptr[at - 2] == '\r' ? 2 : 1;
    while (p->nframes > keep) {
        end = MAX_OF(end, (size_t)part_of(p, top(p))->body_off);
        part_end(p, end, end == at ? p->lines : p->lines - 1);
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

static void multipart_begin(struct parser *p, struct mime_part *part)
{
    struct view boundary = boundary_param(part);
    part->kind = MIME_MULTIPART; /* part_end() thinks better of it when no part comes */
    if (boundary.len > p->limits->boundary)
        p->out->truncated = true;
    else if (boundary.len > 0)
        boundary_open(p, boundary);
}

/* The header of the top part ends at `end`; lines: line ends before that. Returns true when another header begins there, of the
 * message in a message part. */
static bool header_end(struct parser *p, size_t end, uint64_t lines)
{
    struct frame *f = top(p);
    struct mime_part *part = part_of(p, f), *parent = &p->out->parts[part->parent];
    bool digest_child = f->part != 0 && parent->kind == MIME_MULTIPART && view_eq_nocase(parent->subtype, VIEW("digest"));
    part->header_len = end - part->header_off;
    part->body_off = end;
    f->lines_at_body = lines;
    p->in_header = false;
    mime_fields_parse(p->arena, view_sub(p->msg, part->header_off, part->header_len), p->limits, &p->budget, digest_child, part,
                      &p->out->truncated);
    bool message = mime_type_is_message(part), multipart = mime_type_is_multipart(part);
    if (!message && !multipart)
        return false;
    if (message && mime_encoding_hides(part->encoding)) {
        mime_part_retype(p->arena, part, VIEW("application"), VIEW("octet-stream"), true);
        return false;
    }
    if (part->depth >= p->limits->depth || (message && p->out->nparts + 1 >= p->limits->parts)) {
        p->out->truncated = true;
        mime_part_retype(p->arena, part, VIEW("application"), VIEW("octet-stream"), false);
        return false;
    }
    if (multipart) {
        multipart_begin(p, part);
        return false;
    }
    part->kind = MIME_MESSAGE;
    part_begin(p, end);
    return true;
}

/* The header ends without a blank line. */
static void header_cut(struct parser *p, size_t end)
{
    while (p->in_header && header_end(p, end, p->lines))
        ;
}

/* The limit of parts: what is left becomes one. next: where the part would begin. */
static void rest_begin(struct parser *p, size_t next, uint64_t lines)
{
    p->out->truncated = true;
    p->sink = true;
    if (p->out->nparts >= p->limits->parts)
        return;
    part_begin(p, next);
    struct mime_part *part = part_of(p, top(p));
    part->body_off = next;
    part->encoding = VIEW("7bit");
    top(p)->lines_at_body = lines;
    mime_part_retype(p->arena, part, VIEW("application"), VIEW("octet-stream"), false);
    p->in_header = false;
}

/* The line [at, next) is a delimiter of frame's multipart; tail is what follows the boundary in it. */
static void delimiter(struct parser *p, uint32_t frame, struct view tail, size_t at, size_t next)
{
    if (p->in_header)
        header_cut(p, at);
    parts_end(p, frame + 1, at);
    if (view_starts(tail, VIEW("--"))) {
        boundary_close(p);
        return;
    }
    uint64_t lines = p->lines + (p->msg.ptr[next - 1] == '\n' ? 1 : 0);
    if (p->out->nparts + 1 >= p->limits->parts)
        rest_begin(p, next, lines);
    else
        part_begin(p, next);
}

static void parse_lines(struct parser *p)
{
    for (size_t at = 0, next; at < p->msg.len; at = next) {
        const uint8_t *line = p->msg.ptr + at;
        const uint8_t *lf = memchr(line, '\n', p->msg.len - at);
        next = lf == NULL ? p->msg.len : (size_t)(lf - p->msg.ptr) + 1;
        size_t len = next - at;
        if (p->nopen > 0 && !p->sink && len > 2 && line[0] == '-' && line[1] == '-') {
            struct view rest = view_make(line + 2, len - 2);
            uint32_t frame = boundary_find(p, rest);
            if (frame != NO_FRAME) {
                struct view tail = view_sub(rest, p->frames[frame].boundary.len, rest.len);
                delimiter(p, frame, tail, at, next);
                p->lines += lf != NULL;
                continue;
            }
        }
        p->lines += lf != NULL;
        if (p->in_header && lf != NULL && (len == 1 || (len == 2 && line[0] == '\r')))
            (void)header_end(p, next, p->lines);
    }
}

void mime_parse(struct view message, const struct message_limits *limits, struct mime_msg *out)
{
    struct parser p = {.msg = message, .limits = limits, .out = out};
    memset(out, 0, sizeof(*out));
    p.arena = arena_new(ARENA_CAP);
    p.budget = header_budget_make(limits->header_kept);
    p.budget.left = limits->header_kept * 4; /* of all parts together */
    p.multiplier = ((uint64_t)(uintptr_t)&p * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)p.arena * 0xc2b2ae3d27d4eb4fu) | 1;
    p.open_of_length = xcalloc(limits->boundary + 1, sizeof(*p.open_of_length));
    for (size_t i = 0; i < BUCKETS; i++)
        p.buckets[i] = NO_FRAME;
    part_begin(&p, 0);
    parse_lines(&p);
    if (p.in_header)
        header_cut(&p, message.len);
    while (p.nframes > 0)
        part_end(&p, message.len, p.lines);
    if (arena_full(p.arena))
        out->truncated = true;
    out->arena = p.arena; /* transferred */
    free(p.open_of_length);
    free(p.frames);
}

void mime_msg_free(struct mime_msg *m)
{
    struct arena *a = m->arena;
    arena_free(&a);
    free(m->parts);
    memset(m, 0, sizeof(*m));
}
