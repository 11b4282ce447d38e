#include "cmd/opt.h"

#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "base/num.h"

#define HELP_COLUMN  30
#define USUAL_STATUS "0 all was well, 1 some input was bad or could not be sent, 2 wrong usage"

static const struct opt *find_name(const struct opt *opts, const char *name, size_t len)
{
    for (; opts->name != NULL; opts++)
        if (opts->kind != OPT_TITLE && strlen(opts->name) == len && memcmp(opts->name, name, len) == 0)
            return opts;
    return NULL;
}

static const struct opt *find_letter(const struct opt *opts, char letter)
{
    for (; opts->name != NULL; opts++)
        if (opts->kind != OPT_TITLE && opts->letter == letter)
            return opts;
    return NULL;
}

static int list_add(struct opt_list *list, const char *value, struct errmsg *err)
{
    if (list->count == OPT_LIST_MAX)
        return errmsg_set(err, "more than %d values are too many", OPT_LIST_MAX);
    list->items[list->count++] = value;
    return 0;
}

static int store(const struct opt *o, void *dest, const char *value, struct errmsg *err)
{
    void *at = (uint8_t *)dest + o->offset;
    switch (o->kind) {
    case OPT_FLAG:
        *(bool *)at = true;
        return 0;
    case OPT_TEXT:
        *(const char **)at = value;
        return 0;
    case OPT_LIST:
        return list_add(at, value, err);
    case OPT_NUMBER:
        if (num_parse(value, strlen(value), o->max, at))
            return 0;
        return errmsg_set(err, "--%s: '%s' is not a number in 0..%llu", o->name, value, (unsigned long long)o->max);
    case OPT_TITLE:
        break;
    }
    return errmsg_set(err, "--%s cannot be given", o->name);
}

/* The words still to be read. */
struct words {
    int argc;
    char **argv;
    int next;
};

static int take_value(const struct opt *o, struct words *w, const char *attached, void *dest, struct errmsg *err)
{
    if (o->kind == OPT_FLAG && attached != NULL)
        return errmsg_set(err, "--%s takes no value", o->name);
    if (o->kind != OPT_FLAG && attached == NULL) {
        if (w->next >= w->argc)
            return errmsg_set(err, "--%s needs a value (%s)", o->name, o->metavar);
        attached = w->argv[w->next++];
    }
    return store(o, dest, attached, err);
}

static int unknown_option(const struct opt_command *command, const char *word, size_t len, struct errmsg *err)
{
    const char *near = NULL;
    size_t best = near_allowed(len) + 1;
    for (const struct opt *o = command->opts; o->name != NULL; o++) {
        size_t d = o->kind == OPT_TITLE ? best : near_distance(word, len, o->name, strlen(o->name), best);
        if (d < best) {
            best = d;
            near = o->name;
        }
    }
    return errmsg_set(err, "unknown option --%.*s%s%s%s", (int)len, word, near != NULL ? ", did you mean --" : "",
                      near != NULL ? near : "", near != NULL ? "?" : "");
}

static int take_long(const struct opt_command *command, struct words *w, const char *word, void *dest,
                     struct errmsg *err)
{
    const char *equals = strchr(word, '=');
    size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct opt *o = find_name(command->opts, word, len);
    if (o == NULL)
        return unknown_option(command, word, len, err);
    return take_value(o, w, equals != NULL ? equals + 1 : NULL, dest, err);
}

static int take_letters(const struct opt_command *command, struct words *w, const char *letters, void *dest,
                        struct errmsg *err)
{
    for (; *letters != '\0'; letters++) {
        const struct opt *o = find_letter(command->opts, *letters);
        if (o == NULL)
            return errmsg_set(err, "unknown option -%c", *letters);
        if (o->kind != OPT_FLAG)
            return take_value(o, w, letters[1] != '\0' ? letters + 1 : NULL, dest, err);
        if (take_value(o, w, NULL, dest, err) != 0)
            return -1;
    }
    return 0;
}

enum opt_result opt_parse_many(const struct opt_command *command, int argc, char **argv, void *dest, int *ret_count,
                               struct errmsg *err)
{
    struct words w = { argc, argv, 1 };
    bool only_args = false;
    *ret_count = 0;
    while (w.next < argc) {
        char *word = argv[w.next++];
        int rc = 0;
        if (only_args || word[0] != '-' || word[1] == '\0')
            argv[++*ret_count] = word; /* words that were read already are in its place */
        else if (strcmp(word, "--") == 0)
            only_args = true;
        else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
            return OPT_HELP;
        else if (word[1] == '-')
            rc = take_long(command, &w, word + 2, dest, err);
        else
            rc = take_letters(command, &w, word + 1, dest, err);
        if (rc != 0)
            return OPT_ERROR;
    }
    return OPT_RUN;
}

enum opt_result opt_parse(const struct opt_command *command, int argc, char **argv, void *dest, struct opt_list *args,
                          struct errmsg *err)
{
    int count;
    enum opt_result rc = opt_parse_many(command, argc, argv, dest, &count, err);
    for (int i = 1; i <= count && rc == OPT_RUN; i++)
        if (list_add(args, argv[i], err) != 0)
            return OPT_ERROR;
    return rc;
}

/* Help texts may have several lines: each further one is indented under the first. */
static void print_help_text(const char *text)
{
    for (const char *line = text;;) {
        const char *newline = strchr(line, '\n');
        printf("%.*s\n", newline != NULL ? (int)(newline - line) : (int)strlen(line), line);
        if (newline == NULL)
            return;
        line = newline + 1;
        printf("%*s", HELP_COLUMN, "");
    }
}

static void print_option(const struct opt *o)
{
    if (o->kind == OPT_TITLE) {
        printf("\n%s\n", o->help);
        return;
    }
    int n = o->letter != 0 ? printf("  -%c, --%s", o->letter, o->name) : printf("      --%s", o->name);
    if (o->kind != OPT_FLAG)
        n += printf(" %s", o->metavar);
    if (n >= HELP_COLUMN - 1)
        printf("\n%*s", HELP_COLUMN, "");
    else
        printf("%*s", HELP_COLUMN - n, "");
    print_help_text(o->help);
}

const char *opt_status(const struct opt_command *command)
{
    return command->status != NULL ? command->status : USUAL_STATUS;
}

void opt_help(const struct opt_command *command)
{
    printf("Usage: %s\n\n%s\n", command->usage, command->about);
    for (const struct opt *o = command->opts; o->name != NULL; o++)
        print_option(o);
    printf("  -h, --help                  this text\n\nExamples:\n%s", command->examples);
    printf("\nExit status: %s.\n", opt_status(command));
}
