#include "imap/rights.h"

#include <stdlib.h>
#include <utf8proc.h>

#include "common/text/text.h"
#include "imap/respond.h"

bool imap_may(const struct mailbox *m, unsigned rights)
{
    return (mailbox_own_rights(m) & rights) == rights;
}

bool imap_may_annotate(const struct mailbox *m)
{
    return imap_may(m, ACL_LOOKUP) && (mailbox_own_rights(m) & IMAP_RIGHTS_METADATA) != 0;
}

bool imap_may_create(const struct imap_session *s, struct view name)
{
    for (size_t i = name.len; i > 0; i--) {
        const struct mailbox *m = name.ptr[i - 1] == '/' ? account_find(s->acc, view_sub(name, 0, i - 1)) : NULL;

        if (m != NULL)
            return imap_may(m, ACL_CREATE);
    }
    return true;
}

enum imap_step imap_job_noperm(struct imap_job *job)
{
    return imap_job_no(job, "NOPERM", "You do not have the right to do this");
}

unsigned imap_rights_flags(unsigned rights)
{
    return ((rights & ACL_SEEN) != 0 ? MSG_SEEN : 0u) | ((rights & ACL_DELETED) != 0 ? MSG_DELETED : 0u) |
           ((rights & ACL_WRITE) != 0 ? MSG_ANSWERED | MSG_FLAGGED | MSG_DRAFT : 0u);
}

/* --- letters -------------------------------------------------------------------------------------------------------------- */

/* RFC 4314 2.1.1 */
#define CREATE_RIGHTS (ACL_CREATE | ACL_DELETE)
#define DELETE_RIGHTS (ACL_DELETED | ACL_EXPUNGE)

void imap_put_rights(struct buf *out, unsigned rights)
{
    for (unsigned i = 0; i < sizeof(ACL_LETTERS) - 1; i++) {
        if (ACL_LETTERS[i] == 'a') {
            buf_put_str(out, (rights & CREATE_RIGHTS) != 0 ? "c" : "");
            buf_put_str(out, (rights & DELETE_RIGHTS) != 0 ? "d" : "");
        }
        if ((rights >> i & 1) != 0)
            buf_put_byte(out, (uint8_t)ACL_LETTERS[i]);
    }
}

bool imap_rights_parse(struct view letters, unsigned *rights_out)
{
    unsigned rights = 0;

    for (size_t i = 0; i < letters.len; i++) {
        const char *at = letters.ptr[i] != '\0' ? strchr(ACL_LETTERS, letters.ptr[i]) : NULL;

        if (at != NULL)
            rights |= 1u << (at - ACL_LETTERS);
        else if (letters.ptr[i] == 'c')
            rights |= CREATE_RIGHTS;
        else if (letters.ptr[i] == 'd')
            rights |= DELETE_RIGHTS;
        else
            return false;
    }
    *rights_out = rights;
    return true;
}

void imap_put_myrights(struct imap_session *s, struct view name, const struct mailbox *m)
{
    struct buf *out = imap_out(s);

    buf_put_str(out, "* MYRIGHTS ");
    imap_put_mailbox(s, out, name);
    buf_put_byte(out, ' ');
    imap_put_rights(out, mailbox_own_rights(m));
    buf_put_str(out, "\r\n");
}

/* --- identifiers ---------------------------------------------------------------------------------------------------------- */

/* RFC 4314 3: what cannot be prepared, or is nothing then, is no identifier. */
static struct view prepare(struct imap_pool *pool, struct view v)
{
    struct view made = {NULL, 0};
    utf8proc_uint8_t *out = NULL;
    utf8proc_ssize_t n;

    if (v.len == 0 || v.len > ACL_IDENTIFIER_MAX || !utf8_valid(v))
        return made;
    n = utf8proc_map(v.ptr, (utf8proc_ssize_t)v.len, &out,
                     UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_IGNORE | UTF8PROC_REJECTNA);
    if (n > 0 && n <= ACL_IDENTIFIER_MAX) {
        made = view_make(out, (size_t)n);
        for (size_t i = 0; i < made.len && made.ptr != NULL; i++) {
            uint8_t c = made.ptr[i];

            if (c < 0x20 || c == 0x7f || (c == 0xc2 && i + 1 < made.len && made.ptr[i + 1] < 0xa0))
                made = (struct view){NULL, 0};
        }
        if (made.ptr != NULL)
            made = imap_pool_copy(pool, made);
    }
    free(out);
    return made;
}

void imap_parse_identifier(struct imap_parse *p, const struct imap_session *s, struct imap_identifier *out)
{
    out->given = imap_parse_astring(p);
    out->kept = imap_parse_ok(p) ? prepare(p->pool, out->given) : out->given;
    if (out->kept.ptr == NULL)
        imap_parse_fail(p, "Invalid identifier");
    out->anyone = view_eq(out->kept, VIEW("anyone")) || view_eq(out->kept, VIEW("anonymous"));
    if (view_eq(out->kept, view_str(s->host->user)))
        out->kept.len = 0;
}
