/* culver-auth-sqlite: master starts it for a database section with driver = sqlite. */
#include "auth/sqlite/sqlite.h"

int main(void)
{
    return db_main(&sqlite_driver);
}
