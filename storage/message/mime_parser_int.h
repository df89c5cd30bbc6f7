/* Inside storage/message: what the parser of structures consists of. */
#ifndef CULVER_STORAGE_MESSAGE_MIME_PARSER_INT_H
#define CULVER_STORAGE_MESSAGE_MIME_PARSER_INT_H

#include "storage/message/mime_int.h"

/* Reads the headers of parts, one after the other. */
#define MIME_NAME_MAX 32 /* more than the longest name that matters */
struct mime_header {
    struct arena *arena;
    const struct message_limits *limits;
    bool *truncated;
    struct header_budget budget; /* of all parts */
    struct mime_fields fields;
    enum { MIME_HEADER_SKIP, MIME_HEADER_NAME, MIME_HEADER_COLON, MIME_HEADER_VALUE } state;
    bool inside_line, only_cr; /* the line so far is not empty; is a CR */
    bool blank_line;           /* what was fed last has completed the blank line that ends a header */
    enum mime_field field;
    uint8_t name[MIME_NAME_MAX];
    size_t name_len;
    struct buf value; /* of the field that is being read: at most value_max octets of value_len */
    size_t value_max, value_len;
    unsigned line_end; /* length of that at its end */
    uint8_t last;      /* its last octet */
};
void mime_header_init(struct mime_header *h, struct arena *a, const struct message_limits *limits, bool *truncated);
void mime_header_free(struct mime_header *h);
/* part must stay where it is until the end of its header. */
void mime_header_begin(struct mime_header *h, struct mime_part *part);
/* Octets of one line, not none; an LF is the last of them. */
void mime_header_feed(struct mime_header *h, struct view piece);
/* Everything of part but its place in the message is set; fields that are missing or broken have their defaults. digest_child:
 * the default type is message/rfc822 (RFC 2046 5.1.5). */
void mime_header_end(struct mime_header *h, bool digest_child);

/* Boundaries of multiparts, each of one frame of the parser; they are closed in the reverse order of opening. */
struct boundary;
struct boundaries {
    struct boundary *open;
    uint32_t n, cap;
    size_t most;         /* no boundary is longer */
    size_t longest;      /* no open one is longer */
    uint32_t *buckets;   /* by the hash; NULL: there was none yet */
    uint32_t *of_length; /* how many are open */
    uint64_t multiplier;
};
void boundaries_init(struct boundaries *b, size_t longest);
void boundaries_free(struct boundaries *b);
/* text is borrowed while it is open, not empty, and at most the `longest` of boundaries_init(). */
void boundaries_open(struct boundaries *b, uint32_t frame, struct view text);
/* That of this frame, if it has one: the last that was opened. */
void boundaries_close(struct boundaries *b, uint32_t frame);
/* The frame whose boundary, of len octets, begins rest (a line behind its two hyphens). */
bool boundaries_find(const struct boundaries *b, struct view rest, uint32_t *frame_out, size_t *len_out);

/* The parts so far, and those that are open. What happens, happens at the place `at`, which whoever reads the lines moves on. */
struct mime_tree {
    struct message_limits limits;
    struct mime_msg msg; /* what there is of it */
    struct arena *arena;
    struct mime_header header;
    struct boundaries boundaries; /* frame: index of the multipart in frames */
    size_t parts_cap;
    struct frame *frames;
    uint32_t nframes, frames_cap;
    bool in_header; /* of the part that began last: its lines go to `header` */
    bool sink;      /* no more delimiters: the rest is one part */
    struct {
        uint64_t off;
        uint64_t lines;    /* line ends before it */
        unsigned line_end; /* at a delimiter: the length of the line end before it, */
        bool blank_before; /* and whether the line that this ends is empty */
    } at;
};
void mime_tree_init(struct mime_tree *t, const struct message_limits *limits);
void mime_tree_free(struct mime_tree *t);
size_t mime_tree_memory(const struct mime_tree *t);
/* The header ends, with its blank line. */
void mime_tree_header_end(struct mime_tree *t);
/* A delimiter line of frame's multipart begins. */
void mime_tree_delimiter(struct mime_tree *t, uint32_t frame, bool is_last);
/* One that was not the last ends: the next part begins. */
void mime_tree_part(struct mime_tree *t);
/* The message ends (at_line: with a line end). */
void mime_tree_finish(struct mime_tree *t, bool at_line, struct mime_msg *out);

#endif
