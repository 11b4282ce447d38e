/* `hepcat query-worker`: what the server starts beside itself to run DuckDB. Nobody types it. */
#include "cmd/cmd.h"
#include "cmd/report.h"
#include "filter/filter.h"
#include "store/lake/duck_worker.h"

#define FUNCTIONS_MAX 16

int cmd_query_worker(int argc, char **argv)
{
    static struct duck_function functions[FUNCTIONS_MAX];
    size_t n = 0;
    for (const struct filter_function *f = filter_functions(); f->name != NULL && n < FUNCTIONS_MAX; f++)
        functions[n++] = (struct duck_function){ f->name, f->octets, f->test };
    duck_worker_functions(functions, n);
    duck_worker_gave_up(filter_functions_gave_up);
    if (duck_worker_main(argc, argv) == 0)
        return EXIT_OK;
    return report_usage(NULL, "'" QUERY_WORKER "' is started by 'hepcat serve', not by hand");
}
