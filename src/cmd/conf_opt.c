#include "cmd/conf_opt.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void flag_of(const struct opt_list *list, enum conf_key_id key, struct conf_flag *flags, size_t *count)
{
    if (list->count > 0)
        flags[(*count)++] = (struct conf_flag){ key, list->items, list->count };
}

const char *conf_opt_file(const struct conf_opts *opts)
{
    if (opts->config != NULL)
        return opts->config;
    const char *file = getenv("HEPCAT_CONFIG");
    return file != NULL && file[0] != '\0' ? file : NULL;
}

int conf_opt_load(struct conf **ret, const struct conf_opts *opts, struct conf_errors *errs)
{
    struct conf_flag flags[CONF_KEY_COUNT];
    size_t count = 0;
#define FLAG(flag, metavar, member, ...) flag_of(&opts->member, CONF_KEY_##member, flags, &count);
    CONF_TABLE(CONF_OPT_NONE, FLAG, CONF_OPT_NONE)
#undef FLAG
    const struct conf_sources sources = {
        .file = conf_opt_file(opts), .environ = environ, .flags = flags, .flag_count = count
    };
    return conf_load(ret, &sources, errs);
}

void conf_opt_report(const struct conf_opts *opts, const struct conf_errors *errs)
{
    struct buf line;
    buf_init(&line, 8192);
    for (size_t i = 0; i < errs->count; i++) {
        buf_reset(&line);
        conf_error_print(&errs->items[i], conf_opt_file(opts), &line);
        fprintf(stderr, "%s%.*s\n", errs->items[i].warning ? "warning: " : "", (int)line.len, (const char *)line.ptr);
    }
    if (errs->hidden != 0)
        fprintf(stderr, "%zu more like these\n", errs->hidden);
    buf_free(&line);
}
