/* Deliveries. */
#include "common/conf/settings.h"

#define AT(field) offsetof(struct set_lmtp, field)
static const struct conf_setting settings[] = {
    {"lmtp_timeout", CONF_TIME, AT(lmtp_timeout), 10000, 3600000, "5min", NULL,
     "A mail server that says nothing for so long in the middle of a connection is cut off."},
    {"lmtp_recipients_max", CONF_UINT, AT(lmtp_recipients_max), 100, 8000, "1000", NULL,
     "Recipients of one message (RFC 5321 wants 100 or more)."},
    {"lmtp_line_max", CONF_SIZE, AT(lmtp_line_max), 512, 65536, "4K", NULL, "Octets of one command."},
    {"lmtp_connections_max", CONF_UINT, AT(lmtp_connections_max), 1, 10000, "500", NULL, "Connections at once."},
    {"lmtp_received", CONF_BOOL, AT(lmtp_received), 0, 0, "yes", NULL, "Add a Received field to delivered messages."},
    {"lmtp_delivered_to", CONF_BOOL, AT(lmtp_delivered_to), 0, 0, "yes", NULL,
     "Add a Delivered-To field with the recipient to delivered messages."},
    {"lmtp_domains", CONF_LIST, AT(lmtp_domains), 0, 1000, "", NULL,
     "Domains that recipients may have, such as example.org. An address with another domain is refused (550 5.7.1), one without "
     "a "
     "domain is not. Empty: the user databases alone say who is a recipient."},
    {NULL, CONF_BOOL, 0, 0, 0, NULL, NULL, NULL},
};

const struct conf_component set_lmtp_component = {
    "lmtp", settings, NULL, sizeof(struct set_lmtp), "Delivery of mail by a mail server (RFC 2033).",
};
