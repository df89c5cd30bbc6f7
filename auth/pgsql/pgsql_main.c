/* culver-auth-pgsql: master starts it for a database section with driver = pgsql. */
#include "auth/pgsql/pgsql.h"

int main(void)
{
    return db_main(&pgsql_driver);
}
