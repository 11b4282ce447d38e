/*
 * Runs a fuzz target over files, with any compiler: each argument is a file or a directory of them. Every input is
 * copied to memory of exactly its size, so that a sanitizer sees a read beyond it.
 */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static unsigned files;

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (f == NULL || fstat(fileno(f), &st) != 0) {
        perror(path);
        return -1;
    }
    size_t len = (size_t)st.st_size;
    uint8_t *data = malloc(len > 0 ? len : 1);
    if (data == NULL || fread(data, 1, len, f) != len) {
        perror(path);
        return -1;
    }
    fclose(f);
    fprintf(stderr, "%s\n", path);
    (void)LLVMFuzzerTestOneInput(data, len);
    free(data);
    files++;
    return 0;
}

static int run_directory(const char *path, DIR *dir)
{
    char name[4096];
    int rc = 0;
    for (const struct dirent *e; (e = readdir(dir)) != NULL && rc == 0;) {
        if (e->d_name[0] == '.')
            continue;
        int n = snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
        rc = n > 0 && (size_t)n < sizeof(name) ? run_file(name) : -1;
    }
    closedir(dir);
    return rc;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        if ((dir != NULL ? run_directory(argv[i], dir) : run_file(argv[i])) != 0)
            return 1;
    }
    fprintf(stderr, "%u files\n", files);
    return files > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
