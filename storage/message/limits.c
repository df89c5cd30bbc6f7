#include "storage/message/limits.h"

const struct message_limits message_limits_default = {
    .depth = 100,
    .parts = 10000,
    .params = 64,
    .addresses = 10000,
    .header_kept = 1024 * 1024,
    .boundary = 200,
};
