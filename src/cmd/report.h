/*
 * Standard error: one line an error, "hepcat: where: what", limited in number per minute so that a flood of bad input
 * neither drowns the terminal nor slows the work; the number of those not shown is said afterwards.
 */
#ifndef CMD_REPORT_H
#define CMD_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "cmd/opt.h"

/* Errors shown in one minute. */
#define REPORT_SHOWN_MAX 20

struct report {
    uint64_t errors; /* all that were reported, shown or not */
    bool quiet;      /* count only */
    time_t minute;   /* when the present minute began */
    uint64_t shown;  /* in it */
    uint64_t hidden; /* not shown and not yet told */
};

/* Counts an error and prints it if not too many were printed in this minute. */
void report_error(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints a line that is no error. */
void report_note(const struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Shows a line on the terminal that the next one, or any other output of this module, takes the place of. */
void report_progress(const char *text);

/* Says how many errors were not shown, if any. */
void report_end(struct report *r);

/* Prints "hepcat: ..." and the hint at --help; returns EXIT_USAGE. For mistakes in the command line. */
int report_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * opt_parse(), with help and mistakes dealt with: true if the command is to run; else *ret_status is its exit status.
 */
bool report_opts(const struct opt_command *command, int argc, char **argv, void *dest, struct opt_list *args,
                 int *ret_status);

#endif
