/* Runs a fuzz target over files without libFuzzer: what was found once is tested by every compiler. Arguments: files, and folders
 * of them. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/mem.h"

#define INPUT_MAX ((size_t)16 << 20)

int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input has just its length, so that a sanitizer sees what reads beyond it. */
static void run_file(const char *path, const struct stat *st)
{
    FILE *f = fopen(path, "rb");
    size_t size = (size_t)st->st_size;
    uint8_t *data = xmalloc(size + (size == 0));

    if (f == NULL || size > INPUT_MAX || fread(data, 1, size, f) != size) {
        perror(path);
        exit(1);
    }
    fclose(f);
    fprintf(stderr, "%s\n", path); /* the last one named is the one that failed */
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
}

static unsigned run(const char *path)
{
    struct dirent *e;
    struct stat st;
    unsigned n = 0;
    DIR *dir;

    if (stat(path, &st) != 0) {
        perror(path);
        exit(1);
    }
    if (!S_ISDIR(st.st_mode)) {
        run_file(path, &st);
        return 1;
    }
    dir = opendir(path);
    while (dir != NULL && (e = readdir(dir)) != NULL) {
        char *below = NULL;

        if (e->d_name[0] == '.')
            continue;
        if (asprintf(&below, "%s/%s", path, e->d_name) < 0)
            abort();
        n += run(below);
        free(below);
    }
    if (dir != NULL)
        closedir(dir);
    return n;
}

int main(int argc, char **argv)
{
    static const uint8_t nothing[1];
    unsigned n = 0;

    if (LLVMFuzzerInitialize != NULL)
        (void)LLVMFuzzerInitialize(&argc, &argv);
    (void)LLVMFuzzerTestOneInput(nothing, 0);
    for (int i = 1; i < argc; i++)
        n += run(argv[i]);
    fprintf(stderr, "%u inputs\n", n);
    return n == 0;
}
