/* tests/fuzz/replay.c - call a fuzzer with each file of a folder: what was found once stays found.
 *
 *     replay FOLDER
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

static void replay(int folder, const char *name)
{
    const int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    struct stat facts;
    uint8_t *bytes;

    must(fd >= 0 && fstat(fd, &facts) == 0, name);
    bytes = malloc((size_t)facts.st_size); /* of this size, so that a read behind it is seen */
    must(bytes != NULL || facts.st_size == 0, "memory");
    must(read(fd, bytes, (size_t)facts.st_size) == facts.st_size, name);
    (void)close(fd);
    (void)fprintf(stderr, "%s\n", name);
    (void)LLVMFuzzerTestOneInput(bytes, (size_t)facts.st_size);
    free(bytes);
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    unsigned n = 0;

    must(folder != NULL, "usage: replay FOLDER");
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_type == DT_REG) {
            replay(dirfd(folder), entry->d_name);
            n++;
        }
    }
    (void)closedir(folder);
    must(n > 0, "an empty corpus");
    (void)fprintf(stderr, "%u files\n", n);
    return 0;
}
