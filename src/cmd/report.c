#include "cmd/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "cmd/cmd.h"

static void print_line(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
static void print_line(const char *format, va_list args)
{
    fputs("hepcat: ", stderr);
    (void)vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void report_error(struct report *r, const char *format, ...)
{
    if (++r->errors > REPORT_SHOWN_MAX || r->quiet)
        return;
    va_list args;
    va_start(args, format);
    print_line(format, args);
    va_end(args);
}

void report_note(const struct report *r, const char *format, ...)
{
    if (r->quiet)
        return;
    va_list args;
    va_start(args, format);
    print_line(format, args);
    va_end(args);
}

void report_end(const struct report *r)
{
    if (!r->quiet && r->errors > REPORT_SHOWN_MAX)
        report_note(r, "%llu more errors like these", (unsigned long long)(r->errors - REPORT_SHOWN_MAX));
}

int report_usage(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(format, args);
    va_end(args);
    if (command != NULL)
        fprintf(stderr, "Try 'hepcat %s --help'.\n", command);
    else
        fprintf(stderr, "Try 'hepcat --help'.\n");
    return EXIT_USAGE;
}
