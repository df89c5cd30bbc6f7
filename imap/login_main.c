#include "imap/login.h"

int main(void)
{
    return login_main(&imap_login_protocol);
}
