/* culver-auth-ldap: master starts it for a database section with driver = ldap. */
#include "auth/ldap/ldap.h"

int main(void)
{
    return db_main(&ldap_driver);
}
