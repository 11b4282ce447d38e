#include "cmd/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "cmd/cmd.h"

/* There is one standard error. */
static bool progress_shown;

static void clear_progress(void)
{
    if (progress_shown)
        fputs("\r\033[K", stderr);
    progress_shown = false;
}

void report_progress(const char *text)
{
    fprintf(stderr, "\r%s\033[K", text);
    (void)fflush(stderr);
    progress_shown = true;
}

static void print_line(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
static void print_line(const char *format, va_list args)
{
    clear_progress();
    fputs("hepcat: ", stderr);
    (void)vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

/* True if one more may be shown now. */
static bool has_room(struct report *r)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (r->minute == 0 || now.tv_sec - r->minute >= 60) {
        report_end(r);
        r->minute = now.tv_sec;
        r->shown = 0;
    }
    return r->shown < REPORT_SHOWN_MAX;
}

void report_error(struct report *r, const char *format, ...)
{
    r->errors++;
    if (r->quiet)
        return;
    if (!has_room(r)) {
        r->hidden++;
        return;
    }
    r->shown++;
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

void report_end(struct report *r)
{
    if (r->hidden != 0)
        report_note(r, "%llu more errors like these", (unsigned long long)r->hidden);
    r->hidden = 0;
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

bool report_opts(const struct opt_command *command, int argc, char **argv, void *dest, struct opt_list *args,
                 int *ret_status)
{
    struct errmsg err = { "" };
    switch (opt_parse(command, argc, argv, dest, args, &err)) {
    case OPT_HELP:
        opt_help(command);
        *ret_status = EXIT_OK;
        return false;
    case OPT_ERROR:
        *ret_status = report_usage(command->name, "%s", err.text);
        return false;
    case OPT_RUN:
        break;
    }
    return true;
}
