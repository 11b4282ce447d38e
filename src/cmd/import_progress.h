/* How far an import is: a line on the terminal, twice a second. */
#ifndef CMD_IMPORT_PROGRESS_H
#define CMD_IMPORT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct import_progress {
    bool shown;
    const char *name;         /* of the file under way */
    size_t file, files;       /* its number, from 1, and how many there are */
    const uint64_t *messages; /* so far, of all files */
    uint64_t begun_us, file_begun_us, printed_us;
    uint64_t printed_messages;
};

/* shown: standard error is a terminal, and the user wants it. */
void import_progress_init(struct import_progress *p, bool shown, size_t files, const uint64_t *messages);

/* The next file. */
void import_progress_file(struct import_progress *p, const char *name);

/* For input_wait.on_read: octets read of the file, and its size or 0. Prints if it is time. */
void import_progress_read(void *progress, uint64_t octets, uint64_t size);

#define PROGRESS_TEXT_MAX 200
/* The line; rate: messages a second; left_s: seconds to go, negative if not known. */
void import_progress_text(const struct import_progress *p, uint64_t octets, uint64_t size, uint64_t rate,
                          int64_t left_s, char out[PROGRESS_TEXT_MAX]);

/* "1.5 GB"; terminated. */
#define SIZE_TEXT_MAX 16
void size_text(uint64_t octets, char out[SIZE_TEXT_MAX]);

#endif
