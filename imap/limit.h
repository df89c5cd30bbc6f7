/*
 * How many messages one command may work on (RFC 9738): the settings imap_message_limit (MESSAGELIMIT) and imap_save_limit
 * (SAVELIMIT, for COPY and APPEND alone). A command that is limited works on the messages with the highest UIDs, downwards, and
 * its answer says how far it came.
 */
#ifndef CULVER_IMAP_LIMIT_H
#define CULVER_IMAP_LIMIT_H

#include "imap/session_int.h"

/* 0: none, or the client does not see the capability. */
uint32_t imap_message_limit(const struct imap_session *s);
/* Of COPY and APPEND. */
uint32_t imap_save_limit(const struct imap_session *s);
/* Leaves the highest ones of a set, as many as limit (0: all). The lowest that is left, or 0 when none had to go. */
uint32_t imap_limit_cut(struct uidset *set, uint32_t limit);
/* The job works on UIDs from lowest on only (0: on all), because of the limit: its answer is to say so. */
void imap_limit_note(struct imap_job *job, uint32_t limit, uint32_t lowest);
/* With the answer, when it is OK: as its response code, or before it when it has another (RFC 9738 3.1). */
void imap_limit_put(struct imap_job *job);
/* NO [MESSAGELIMIT limit lowest]; lowest 0: none is told. */
enum imap_step imap_limit_refuse(struct imap_job *job, uint32_t limit, uint32_t lowest, const char *text);
/* Members of both sets, added to out, which is empty. */
void imap_limit_intersect(const struct uidset *a, const struct uidset *b, struct uidset *out);

#endif
