#include "pop3/login.h"

int main(void)
{
    return login_main(&pop3_login_protocol);
}
