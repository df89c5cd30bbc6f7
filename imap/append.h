/*
 * What APPEND (cmd_append.c) and REPLACE (cmd_replace.c) share: their messages' bytes as they come in (append.c), messages that
 * are put together from parts (catenate.c), and the transaction.
 */
#ifndef CULVER_IMAP_APPEND_H
#define CULVER_IMAP_APPEND_H

#include "imap/input.h"
#include "imap/url.h"
#include "storage/intake.h"

/* A part of a message that is put together: bytes that came as a literal, or what a URL names. */
struct append_part {
    const struct imap_url *url; /* NULL: bytes */
    struct view url_text;
    bool spooled;
    uint64_t offset, size; /* in memory or in the spool */
};

struct append_message {
    struct append_options options;
    bool spooled;
    uint64_t offset, size; /* in memory or in the spool */
    bool hashed;           /* content_id is known: not when the session was frozen in mid-literal */
    uint8_t content_id[CONTENT_ID_SIZE];
    bool catenate;
    size_t first_part, nparts; /* of args.parts */
};

/* A literal as it was announced: what a session's record has of the command (freeze.c). */
struct append_literal {
    struct view text; /* of the command: from the literal before, or the beginning, to this one's header */
    bool url, in_part;
    size_t index; /* of args.parts (url or in_part), or of args.messages; SIZE_MAX: it is not kept */
};

struct append_args {
    struct view name;
    struct append_literal *literals;
    size_t nliterals, cap_literals;
    struct append_message *messages;
    size_t n, cap;
    struct append_part *parts;
    size_t nparts, cap_parts;
    struct buf memory;
    bool has_spool;
    int spool;
    uint64_t spool_size;
    bool utf8;        /* the current message is in UTF8 (…) */
    bool catenating;  /* it is in CATENATE (…) */
    bool url_literal; /* the literal that comes is a URL */
    bool literal8;
    uint8_t last;              /* byte before, for CRLF */
    struct intake *intake;     /* of the message that comes, or is put together; NULL: a part comes */
    struct mime_msg structure; /* of messages[structured], when it has parts. One is enough: large ones come alone */
    size_t structured;
    int err; /* why the command will fail, though its input is still read */
    const char *refused;
    struct view bad_url;
    struct buf url; /* of url_literal */
    /* Putting together (catenate.c). */
    size_t assembled;   /* messages */
    size_t part;        /* of the current one */
    uint64_t part_done; /* octets of it */
    uint64_t url_bytes; /* that URLs have brought */
    struct mailbox_view *view;
    struct imap_message m;
    struct view section;
    struct buf made;
    bool staged;
    uint32_t replaces; /* REPLACE: UID in the selected mailbox; 0 when it is not there */
};

/* The three events of the input, given by the session as they come. The command up to (and with) the header of a literal:
 * accepts or refuses it. */
void imap_append_literal(struct imap_session *s, struct view text, const struct imap_literal *literal);
/* Bytes of the literal. */
void imap_append_bytes(struct imap_session *s, struct view bytes);
/* The line that ends the command. */
void imap_append_end(struct imap_session *s, struct view text);

/* A command whose literals are coming in, as part of a session's record (freeze.c). *spool_out: the descriptor that it needs. */
void imap_append_freeze(const struct imap_job *job, struct buf *out, int *spool_out);
/* In a job whose tag and name were read; takes *spool when it has need of it. Fails the cursor when it cannot be true. */
void imap_append_thaw(struct imap_job *job, struct imap_parse *p, struct cursor *c, int *spool);

/* The mailbox and what follows it, of a command that has no literal at all. */
void imap_append_parse(struct imap_parse *p, struct imap_job *job);
/* Stages the messages in t when they are complete. AGAIN: the slice is over; COMMIT: staged; DONE: the answer is set. */
enum imap_step imap_append_stage(struct imap_job *job, struct append_args *a, struct txn *(*begin)(struct imap_job *job));
/* APPENDUID, but of a mailbox that may not be selected (RFC 4315 3). */
void imap_append_code(struct imap_job *job, const struct txn_result *result);
void imap_append_drop(struct imap_job *job);

/* catenate.c: makes each message of parts one run of bytes in the spool. AGAIN, DONE (the answer is set), COMMIT when all are. */
enum imap_step imap_catenate(struct imap_job *job, struct append_args *a);
/* NO [BADURL …]. */
enum imap_step imap_bad_url(struct imap_job *job, struct view url);
/* Appends bytes to the spool; a failure is noted in a->err. */
void imap_append_spool(struct imap_session *s, struct append_args *a, struct view v);
/* A message begins that goes into the spool or (size) is this large; it is complete: what a->intake has found out is kept. */
void imap_append_intake(struct append_args *a, uint64_t size);
void imap_append_known(struct append_args *a, struct append_message *m);

/* cmd_replace.c: the message's number, before the mailbox. */
void imap_replace_parse(struct imap_parse *p, struct imap_job *job);

#endif
