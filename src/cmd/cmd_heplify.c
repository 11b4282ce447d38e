/*
 * `hepcat heplify`: the command line that everybody knows, done by hepcat's agent. Options are those of heplify 1 and
 * 2, with Go's rules: -x value, -x=value, --x; flags -x, -x=false.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/agent.h"
#include "cmd/cmd.h"

#define TEXTS_MAX 4096 /* octets of the texts that are made of others */

static const struct opt no_opts[] = { { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL } };

const struct opt_command cmd_heplify_help = {
    .name = "heplify",
    .summary = "hepcat agent with the command line of heplify",
    .usage = "hepcat heplify [-OPTION [VALUE]]...",
    .about =
        "Does what heplify does with this command line:\n\n"
        "  capture    -i any -t af -s 65535 -b 32 (MB) -promisc -bpf TEXT -pr 5060-5090 -fw N (workers)\n"
        "  mode       -m SIP | SIPRTCP | SIPRTP\n"
        "  send       -hs HOST:PORT[,...] -hi ID -hn NAME -hp KEY -nt udp | tcp | tls -skipverify\n"
        "  filters    -dim METHODS -fi TEXT -di TEXT -diip -disip -didip ADDRESSES -dd\n"
        "  files      -rf FILE -rs (as fast as it goes; else at the recorded pace)\n"
        "  outage     -hep-buffer-activate -hep-buffer-file FILE -hep-buffer-max-size SIZE (a spool is kept there)\n"
        "  service    -prometheus :9096 -l LEVEL -e\n\n"
        "Defragmentation and TCP reassembly are always on. Options that hepcat has no use for are taken and told; "
        "those\n"
        "that would have to do something else are refused. hepcat agent has more.",
    .opts = no_opts,
    .examples = "  hepcat heplify -i any -hs 10.0.0.1:9060 -m SIPRTCP -dim OPTIONS,NOTIFY -e\n",
};

/* What a command line is translated into. */
struct heplify {
    struct agent_command command;
    const char *servers, *transport, *spool, *spool_size;
    bool spool_wanted, full_speed;
    char texts[TEXTS_MAX];
    size_t used;
};

/* ------------------------------------------------------------------------------------------------ texts */

/* before + the first `len` octets of text + after; it lives as long as the command line. NULL if there is no room. */
static const char *make_text(struct heplify *h, const char *before, const char *text, size_t len, const char *after)
{
    char *at = h->texts + h->used;
    int n = snprintf(at, sizeof(h->texts) - h->used, "%s%.*s%s", before, (int)len, text, after);
    if (n < 0 || (size_t)n >= sizeof(h->texts) - h->used)
        return NULL;
    h->used += (size_t)n + 1;
    return at;
}

static int add(struct opt_list *list, const char *text)
{
    if (text == NULL || list->count == OPT_LIST_MAX)
        return report_usage("heplify", "too much on the command line");
    list->items[list->count++] = text;
    return 0;
}

/* Adds a text for each part between commas, with `before` in front. */
static int add_parts(struct heplify *h, struct opt_list *list, const char *text, const char *before)
{
    for (;; text++) {
        size_t len = strcspn(text, ",");
        if (len > 0 && add(list, make_text(h, before, text, len, "")) != 0)
            return EXIT_USAGE;
        text += len;
        if (*text == '\0')
            return 0;
    }
}

/* A key without a flag of ours. The value lives as long as the command line. */
static int set_key(struct heplify *h, enum conf_key_id key, const char *value)
{
    static const char *values[AGENT_EXTRA_MAX];
    struct agent_opts *o = &h->command.conf;
    if (value == NULL || o->extra_count == AGENT_EXTRA_MAX)
        return report_usage("heplify", "too much on the command line");
    values[o->extra_count] = value;
    o->extra[o->extra_count] = (struct conf_flag){ key, &values[o->extra_count], 1 };
    o->extra_count++;
    return 0;
}

/* A text for a filter: in quotes, with what they need. */
static int add_text_filter(struct heplify *h, struct opt_list *list, const char *text, const char *before)
{
    char quoted[1024];
    size_t len = 0;
    for (; *text != '\0' && len + 2 < sizeof(quoted); text++) {
        if (*text == '"' || *text == '\\' || *text == '*')
            quoted[len++] = '\\';
        quoted[len++] = *text;
    }
    if (*text != '\0')
        return report_usage("heplify", "-fi, -di: the text is too long");
    return add(list, make_text(h, before, quoted, len, "\""));
}

/* ------------------------------------------------------------------------------------------------ options */

static int take_mode(struct heplify *h, const char *value)
{
    static const struct {
        const char *mode, *media;
    } modes[] = {
        { "SIP", "none" }, { "SIPRTCP", "rtcp" }, { "SIPRTP", "rtp" }, { "SIPDNS", "rtcp" }, { "SIPLOG", "rtcp" }
    };
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(value, modes[i].mode) != 0)
            continue;
        if (i >= 3)
            fprintf(stderr, "hepcat: -m %s: SIP and RTCP are captured, the rest is not known here\n", value);
        return add(&h->command.conf.agent_media, modes[i].media);
    }
    return report_usage("heplify", "-m: '%s' is not one of SIP, SIPRTCP, SIPRTP", value);
}

static int take_level(struct heplify *h, const char *value)
{
    static const char *const levels[][2] = { { "warn", "warning" }, { "err", "error" },   { "crit", "error" },
                                             { "alert", "error" },  { "emerg", "error" }, { "notice", "info" } };
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcmp(value, levels[i][0]) == 0)
            value = levels[i][1];
    return set_key(h, CONF_KEY_log_level, value);
}

enum action {
    IGNORED, /* nothing to do: it is so anyway, or it is of no use here */
    REFUSED, /* would have to do what hepcat does not */
    INTERFACE,
    SNAPLEN,
    RING,
    PROMISCUOUS,
    BPF,
    PORTS,
    WORKERS,
    MODE,
    SERVERS,
    ID,
    NAME,
    KEY,
    TRANSPORT,
    INSECURE,
    METHODS,
    KEEP,
    DROP,
    ADDRESS,
    SOURCE,
    DESTINATION,
    DEDUP,
    READ,
    FULL_SPEED,
    SPOOL,
    SPOOL_FILE,
    SPOOL_SIZE,
    METRICS,
    LEVEL
};

static const struct habit {
    const char *name;
    bool value; /* takes one; else a flag */
    enum action action;
} habits[] = {
    { "i", true, INTERFACE },
    { "t", true, IGNORED },
    { "s", true, SNAPLEN },
    { "b", true, RING },
    { "promisc", false, PROMISCUOUS },
    { "pi", true, IGNORED },
    { "bpf", true, BPF },
    { "pr", true, PORTS },
    { "fg", true, IGNORED },
    { "fw", true, WORKERS },
    { "vlan", false, IGNORED },
    { "erspan", false, IGNORED },
    { "m", true, MODE },
    { "hs", true, SERVERS },
    { "hi", true, ID },
    { "hn", true, NAME },
    { "hp", true, KEY },
    { "nt", true, TRANSPORT },
    { "skipverify", false, INSECURE },
    { "keepalive", true, IGNORED },
    { "tcpsendretries", true, IGNORED },
    { "hin", true, REFUSED },
    { "collectonlysip", false, REFUSED },
    { "replacetoken", false, REFUSED },
    { "fi", true, KEEP },
    { "di", true, DROP },
    { "dim", true, METHODS },
    { "diip", true, ADDRESS },
    { "disip", true, SOURCE },
    { "didip", true, DESTINATION },
    { "dd", false, DEDUP },
    { "rf", true, READ },
    { "wf", true, REFUSED },
    { "rt", true, IGNORED },
    { "zf", false, IGNORED },
    { "rs", false, FULL_SPEED },
    { "lp", true, IGNORED },
    { "eof-exit", false, IGNORED },
    { "hep-buffer-activate", false, SPOOL },
    { "hep-buffer-file", true, SPOOL_FILE },
    { "hep-buffer-max-size", true, SPOOL_SIZE },
    { "hep-buffer-debug", false, IGNORED },
    { "tcpassembly", false, IGNORED },
    { "sipassembly", false, IGNORED },
    { "ipfragment", false, IGNORED },
    { "disable-defrag", false, REFUSED },
    { "disable-tcp-reasm", false, REFUSED },
    { "script-file", true, REFUSED },
    { "script-hep-filter", true, IGNORED },
    { "prometheus", true, METRICS },
    { "api", true, REFUSED },
    { "config", true, REFUSED },
    { "no-config", false, IGNORED },
    { "l", true, LEVEL },
    { "log-format", true, IGNORED },
    { "log-payload", false, IGNORED },
    { "e", false, IGNORED },
    { "S", false, IGNORED },
    { "d", true, IGNORED },
    { "print-out-bad-message", false, IGNORED },
    { "protobuf", false, REFUSED },
    { "o", false, IGNORED },
    { "p", true, IGNORED },
    { "n", true, IGNORED },
    { "fnum", true, IGNORED },
    { "fsize", true, IGNORED },
    { "sl", false, IGNORED },
    { NULL, false, IGNORED },
};

static int set_text(const char **to, const char *value)
{
    *to = value;
    return 0;
}

static int take_value(struct heplify *h, const struct habit *habit, const char *value)
{
    struct agent_opts *o = &h->command.conf;
    switch (habit->action) {
    case INTERFACE:
        return add_parts(h, &o->agent_interfaces, value, "");
    case SNAPLEN:
        return set_key(h, CONF_KEY_agent_snaplen, value);
    case RING:
        return set_key(h, CONF_KEY_agent_ring, make_text(h, "", value, strlen(value), "MiB"));
    case BPF:
        return value[0] == '\0' ? 0 : add(&o->agent_bpf, value);
    case PORTS:
        return add(&o->agent_ports, value);
    case WORKERS:
        return add(&o->agent_workers, value);
    case MODE:
        return take_mode(h, value);
    case SERVERS:
        return set_text(&h->servers, value);
    case ID:
        return add(&o->agent_id, value);
    case NAME:
        return value[0] == '\0' ? 0 : add(&o->agent_name, value);
    case KEY:
        return value[0] == '\0' ? 0 : add(&o->agent_key, value);
    case TRANSPORT:
        return set_text(&h->transport, value);
    case METHODS:
        return value[0] == '\0' ? 0 : add(&o->agent_discard, value);
    case KEEP: /* of SIP alone, as heplify does */
        return value[0] == '\0' ? 0 : add_text_filter(h, &o->agent_filter, value, "NOT type:sip OR payload:\"");
    case DROP:
        return value[0] == '\0' ? 0 : add_text_filter(h, &o->agent_drop, value, "payload:\"");
    case ADDRESS:
        return add_parts(h, &o->agent_drop, value, "ip:");
    case SOURCE:
        return add_parts(h, &o->agent_drop, value, "src:");
    case DESTINATION:
        return add_parts(h, &o->agent_drop, value, "dst:");
    case READ:
        return value[0] == '\0' ? 0 : add(&h->command.read, value);
    case SPOOL_FILE:
        return set_text(&h->spool, value);
    case SPOOL_SIZE:
        return set_text(&h->spool_size, value);
    case METRICS:
        return value[0] == '\0' ? 0 : add(&o->agent_http, value);
    case LEVEL:
        return take_level(h, value);
    default:
        return 0;
    }
}

static int take_flag(struct heplify *h, const struct habit *habit, bool on)
{
    switch (habit->action) {
    case PROMISCUOUS:
        return set_key(h, CONF_KEY_agent_promiscuous, on ? "true" : "false");
    case INSECURE:
        h->command.conf.insecure = on;
        return 0;
    case DEDUP:
        return on ? add(&h->command.conf.agent_dedup_us, "200ms") : 0;
    case FULL_SPEED:
        h->full_speed = on;
        return 0;
    case SPOOL:
        h->spool_wanted = on;
        return 0;
    default:
        return 0;
    }
}

/* ------------------------------------------------------------------------------------------------ command line */

static const struct habit *habit_of(const char *name, size_t len)
{
    const struct habit *h = habits;
    while (h->name != NULL && (strlen(h->name) != len || strncmp(h->name, name, len) != 0))
        h++;
    return h->name == NULL ? NULL : h;
}

/* The option at argv[*i]; *i moves on over its value. */
static int take_option(struct heplify *h, int argc, char **argv, int *i)
{
    const char *word = argv[*i];
    if (word[0] != '-' || word[1] == '\0')
        return report_usage("heplify", "an option was expected, not '%s'", word);
    const char *name = word + (word[1] == '-' ? 2 : 1), *equals = strchr(name, '=');
    const struct habit *habit = habit_of(name, equals != NULL ? (size_t)(equals - name) : strlen(name));
    if (habit == NULL)
        return report_usage("heplify", "unknown option '%s'", word);
    if (habit->action == REFUSED)
        return report_usage("heplify", "-%s: hepcat does not do this", habit->name);
    if (!habit->value) {
        const char *on = equals == NULL ? "true" : equals + 1;
        return take_flag(h, habit, strcmp(on, "true") == 0 || strcmp(on, "1") == 0);
    }
    if (equals == NULL && *i + 1 >= argc)
        return report_usage("heplify", "-%s needs a value", habit->name);
    const char *value = equals != NULL ? equals + 1 : argv[++*i];
    return take_value(h, habit, value);
}

/* What options mean together. */
static int complete(struct heplify *h)
{
    struct agent_opts *o = &h->command.conf;
    const char *transport = h->transport == NULL ? "udp" : h->transport;
    if (strcmp(transport, "udp") != 0 && strcmp(transport, "tcp") != 0 && strcmp(transport, "tls") != 0)
        return report_usage("heplify", "-nt: '%s' is not one of udp, tcp, tls", transport);
    const char *scheme = strcmp(transport, "udp") == 0 ? "udp://" : strcmp(transport, "tcp") == 0 ? "tcp://" : "tls://";
    if (add_parts(h, &o->agent_to, h->servers == NULL ? "127.0.0.1:9060" : h->servers, scheme) != 0)
        return EXIT_USAGE;
    if (o->agent_interfaces.count == 0 && add(&o->agent_interfaces, "any") != 0)
        return EXIT_USAGE;
    if (h->command.read.count > 0 && !h->full_speed)
        h->command.speed = "1";
    if (!h->spool_wanted)
        return 0;
    const char *file = h->spool == NULL ? "HEP-Buffer.dump" : h->spool;
    if (add(&o->agent_spool, make_text(h, "", file, strlen(file), ".spool")) != 0)
        return EXIT_USAGE;
    return h->spool_size == NULL ? 0 : set_key(h, CONF_KEY_agent_spool_max, h->spool_size);
}

int cmd_heplify(int argc, char **argv)
{
    static struct heplify h; /* its texts live as long as the agent */
    int rc = 0;
    for (int i = 1; i < argc && rc == 0; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "-help") == 0 || strcmp(argv[i], "--help") == 0)
            return opt_help(&cmd_heplify_help), EXIT_OK;
        rc = take_option(&h, argc, argv, &i);
    }
    if (rc == 0)
        rc = complete(&h);
    return rc != 0 ? rc : agent_run(&h.command);
}
