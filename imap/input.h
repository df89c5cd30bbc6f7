/*
 * From bytes to whole commands: lines, literals of all kinds, their limits, and the recovery after input that is too large.
 * Resumable at every byte; never parses beyond tag and command name.
 *
 * A command other than APPEND is collected in the host's input buffer, which bounds it. The message literals of APPEND are passed
 * on as they come.
 */
#ifndef CULVER_IMAP_INPUT_H
#define CULVER_IMAP_INPUT_H

#include "common/base/view.h"

struct imap_session;

#define IMAP_LITERAL_SWALLOW_MAX                                                                  \
    (256u * 1024 * 1024) /* of a refused non-synchronizing literal; a larger one ends the session \
                          */
#define IMAP_LINE_SLACK 4096
#define IMAP_LITERAL_MINUS_MAX 4096 /* octets of a non-synchronizing literal with LITERAL- (RFC 7888 5) */

enum imap_input_state {
    IMAP_INPUT_LINE,    /* collecting a line of the command */
    IMAP_INPUT_LITERAL, /* collecting a literal in the input buffer */
    IMAP_INPUT_MESSAGE, /* a literal of APPEND is passed on */
    IMAP_INPUT_SKIP,    /* the rest of a refused command's line is dropped */
    IMAP_INPUT_SWALLOW  /* a refused literal is dropped, then the rest of the line */
};

struct imap_input {
    enum imap_input_state state;
    size_t scanned;                     /* bytes of the input buffer that were looked at and belong to the command */
    size_t line_start;                  /* where the current line begins */
    uint64_t line_bytes, literal_bytes; /* of the command so far */
    uint64_t literal_left;
};

struct imap_literal {
    uint64_t size;
    bool sync; /* waits for a continuation */
    bool literal8;
};

enum imap_input_result {
    IMAP_INPUT_MORE,    /* wait for bytes */
    IMAP_INPUT_COMMAND, /* *text is a whole command without its line end; imap_input_taken() when it was copied */
    IMAP_INPUT_APPEND,  /* *text is a command or its continuation up to a message literal; imap_input_accept() or _refuse() */
    IMAP_INPUT_BYTES,   /* *text is a piece of the message literal; imap_input_taken() */
    IMAP_INPUT_ANSWERED /* an error was answered; go on */
};

enum imap_input_result imap_input_next(struct imap_session *s, struct view *text, struct imap_literal *literal);
/* The bytes of the last result are used. */
void imap_input_taken(struct imap_session *s);
/* After IMAP_INPUT_APPEND: pass the literal on (a continuation is requested where it is needed). */
void imap_input_accept(struct imap_session *s, const struct imap_literal *literal);
/* After IMAP_INPUT_APPEND: drop the literal and the rest of the command, which was answered. */
void imap_input_refuse(struct imap_session *s, const struct imap_literal *literal);
/* The message literal is complete (or none is being passed on). */
bool imap_input_message_done(const struct imap_session *s);
/* One line without its end, for DONE and SASL; false when there is none yet. A line above 1 KiB closes the session. */
bool imap_input_line(struct imap_session *s, struct view *line);

/* The literal that the end of a line announces; false when there is none. *bad: announced but not possible. Exposed for tests. */
bool imap_input_literal(struct view line, struct imap_literal *out, bool *bad);

#endif
