/* The account for people. */
#include <stdio.h>

#include "cmd/agent.h"

static void line(const struct report *report, uint64_t value, const char *before, const char *text)
{
    if (value != 0)
        report_note(report, "%12llu  %s%s", (unsigned long long)value, before, text);
}

static void outcomes(const struct report *report, const struct account *a)
{
    for (int i = 0; i < DISSECT_OUTCOME_COUNT; i++) {
        const enum dissect_outcome outcome = (enum dissect_outcome)i;
        line(report, a->outcomes[i], account_is_loss(outcome) ? "  not all readable: " : "  ",
             dissect_outcome_name(outcome));
    }
}

void agent_report_account(const struct report *report, const struct account *a)
{
    struct account_row row;
    for (size_t i = 0; account_row(a, i, &row); i++) {
        if (i == 2) /* behind packets and octets */
            outcomes(report, a);
        line(report, row.value, "", row.text);
    }
    line(report, a->fragments_lost, "", "datagrams in IP fragments that lack a fragment");
    line(report, a->tcp_gaps, "", "holes in TCP streams");
}

void agent_report_rule(const struct report *report, const char *name, uint64_t messages)
{
    line(report, messages, "left out by rule: ", name);
}

bool agent_lane_lost(const struct lane_stats *s)
{
    return s->failed + s->dropped + s->waiting > 0;
}

void agent_report_lane(const struct report *report, const char *name, const struct lane_stats *s)
{
    report_note(report, "%s: %llu sent (%llu octets), %llu failed, %llu dropped", name, (unsigned long long)s->sent,
                (unsigned long long)s->octets, (unsigned long long)s->failed + s->waiting,
                (unsigned long long)s->dropped);
    if (s->by_tcp != 0)
        report_note(report, "%s: %llu of them by TCP, too long for UDP", name, (unsigned long long)s->by_tcp);
    if (s->outages != 0)
        report_note(report, "%s: %llu times out of reach, %llu frames sent again", name, (unsigned long long)s->outages,
                    (unsigned long long)s->resent);
    if (s->spooled != 0 || s->spool_octets != 0)
        report_note(report, "%s: %llu frames went to the spool, %llu octets wait there", name,
                    (unsigned long long)s->spooled, (unsigned long long)s->spool_octets);
    if (agent_lane_lost(s) && s->problem.text[0] != '\0')
        report_note(report, "%s: %s", name, s->problem.text);
}
