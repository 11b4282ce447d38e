/* The agent's figures for Prometheus, and the little server that hands them out. */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/agent.h"
#include "cmd/cmd.h"
#include "metrics/metrics.h"
#include "net/sock.h"

#define CONNECTIONS 16
#define TIMEOUT_S   10

struct agent_metrics {
    struct MHD_Daemon *daemon;
    uint16_t port;
    void (*write)(void *arg, struct buf *out);
    void *arg;
};

/* ------------------------------------------------------------------------------------------------ families */

/* Counters that have a family of their own below, or are the kernel's. */
void agent_metrics_account(struct buf *out, const struct account *a)
{
    struct account_row row;
    char name[64];
    for (size_t i = 0; account_row(a, i, &row); i++) {
        (void)snprintf(name, sizeof(name), "agent_%s_total", row.name);
        metrics_one(out, name, METRICS_COUNTER, row.text, row.value);
    }
    metrics_one(out, "agent_fragments_lost_total", METRICS_COUNTER, "datagrams in IP fragments that lack a fragment",
                a->fragments_lost);
    metrics_one(out, "agent_tcp_gaps_total", METRICS_COUNTER, "holes in TCP streams", a->tcp_gaps);
    metrics_family(out, "agent_packet_outcomes_total", METRICS_COUNTER, "packets by what became of them");
    for (int i = 0; i < DISSECT_OUTCOME_COUNT; i++) {
        const char *labels[] = { "outcome", dissect_outcome_name((enum dissect_outcome)i), NULL };
        metrics_sample(out, "agent_packet_outcomes_total", labels, a->outcomes[i]);
    }
}

static const struct {
    const char *name;
    enum metrics_type type;
    const char *help;
    size_t offset;
} lane_rows[] = {
#define LANE_ROW(member, name, type, help)                                                                             \
    {                                                                                                                  \
        name, type, help, offsetof(struct lane_stats, member)                                                          \
    }
    LANE_ROW(taken, "agent_collector_frames_total", METRICS_COUNTER, "frames given to a collector's queue"),
    LANE_ROW(sent, "agent_collector_sent_total", METRICS_COUNTER, "of them, sent"),
    LANE_ROW(octets, "agent_collector_sent_octets_total", METRICS_COUNTER, "octets in these"),
    LANE_ROW(failed, "agent_collector_failed_total", METRICS_COUNTER, "of them, refused or given up"),
    LANE_ROW(dropped, "agent_collector_dropped_total", METRICS_COUNTER, "of them, dropped: queue or spool full"),
    LANE_ROW(resent, "agent_collector_resent_total", METRICS_COUNTER, "sent again after a break"),
    LANE_ROW(spooled, "agent_collector_spooled_total", METRICS_COUNTER, "written to the spool"),
    LANE_ROW(outages, "agent_collector_outages_total", METRICS_COUNTER, "times out of reach"),
    LANE_ROW(switches, "agent_collector_switches_total", METRICS_COUNTER, "times that another one took over"),
    LANE_ROW(waiting, "agent_collector_waiting", METRICS_GAUGE, "frames that wait in memory"),
    LANE_ROW(spool_octets, "agent_collector_spool_octets", METRICS_GAUGE, "octets that wait on disk"),
#undef LANE_ROW
};

void agent_metrics_lanes(struct buf *out, const char *const *names, const struct lane_stats *stats, size_t count)
{
    for (size_t r = 0; r < sizeof(lane_rows) / sizeof(lane_rows[0]); r++) {
        metrics_family(out, lane_rows[r].name, lane_rows[r].type, lane_rows[r].help);
        for (size_t i = 0; i < count; i++) {
            const char *labels[] = { "collector", names[i], NULL };
            uint64_t value;
            memcpy(&value, (const uint8_t *)&stats[i] + lane_rows[r].offset, sizeof(value));
            metrics_sample(out, lane_rows[r].name, labels, value);
        }
    }
    metrics_family(out, "agent_collector_up", METRICS_GAUGE, "1 if a collector takes the frames");
    for (size_t i = 0; i < count; i++) {
        const char *labels[] = { "collector", names[i], NULL };
        metrics_sample(out, "agent_collector_up", labels, stats[i].up ? 1 : 0);
    }
}

void agent_metrics_rule(struct buf *out, const char *name, uint64_t messages)
{
    const char *labels[] = { "rule", name, NULL };
    metrics_sample(out, "agent_rule_messages_total", labels, messages);
}

/* ------------------------------------------------------------------------------------------------ server */

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type, const void *text, size_t len)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (r == NULL)
        return MHD_NO;
    (void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    enum MHD_Result rc = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return rc;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *path, const char *method,
                                  const char *version, const char *data, size_t *len, void **state)
{
    static int begun;
    struct agent_metrics *m = arg;
    (void)version;
    (void)data;
    if (*state == NULL) { /* the first call is before the body */
        *state = &begun;
        return MHD_YES;
    }
    if (*len != 0) {
        *len = 0;
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", "GET only\n", 9);
    if (strcmp(path, "/health") == 0)
        return answer(c, MHD_HTTP_OK, "text/plain", "ok\n", 3);
    if (strcmp(path, "/metrics") != 0)
        return answer(c, MHD_HTTP_NOT_FOUND, "text/plain", "/metrics or /health\n", 20);
    struct buf out;
    buf_init(&out, METRICS_TEXT_MAX);
    metrics_write_build(&out, HEPCAT_VERSION);
    m->write(m->arg, &out);
    enum MHD_Result rc = out.failed ? answer(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "text/plain", "out of memory\n", 14)
                                    : answer(c, MHD_HTTP_OK, METRICS_TYPE, out.ptr, out.len);
    buf_free(&out);
    return rc;
}

int agent_metrics_open(struct agent_metrics **ret, const struct conf_address *address,
                       void (*write)(void *arg, struct buf *out), void *arg, struct errmsg *err)
{
    struct agent_metrics *m = calloc(1, sizeof(*m));
    struct hep_addr local;
    if (m == NULL)
        return errmsg_set(err, "out of memory");
    int fd = sock_listen(SOCK_STREAM, address->host, address->port, NET_SHARE_ALONE, err);
    if (fd < 0) {
        free(m);
        return -1;
    }
    sock_local(fd, &local, &m->port);
    m->write = write;
    m->arg = arg;
    m->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL, 0, NULL, NULL, on_request, m,
                                 MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
                                 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S, MHD_OPTION_END);
    if (m->daemon != NULL) {
        *ret = m;
        return 0;
    }
    (void)close(fd);
    free(m);
    return errmsg_set(err, "the HTTP server does not start");
}

uint16_t agent_metrics_port(const struct agent_metrics *m)
{
    return m->port;
}

void agent_metrics_close(struct agent_metrics *m)
{
    if (m == NULL)
        return;
    MHD_stop_daemon(m->daemon);
    free(m);
}
