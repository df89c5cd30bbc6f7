/* culver-auth-oauth2: master starts it for a database section with driver = oauth2. */
#include "auth/oauth2/oauth2.h"

int main(void)
{
    return db_main(&oauth2_driver);
}
