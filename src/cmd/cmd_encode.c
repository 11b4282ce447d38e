#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/encode_file.h"
#include "cmd/encoder.h"
#include "cmd/vendor.h"

struct encode_options {
    const char *to;
    const char *format;
    struct select_options select;
    struct opt_list vendor_keys;
    const char *auth_key, *node_name, *compress;
    uint64_t capture_id, version, rate;
    uint64_t retry, connect_timeout, batch;
    const char *ca, *cert, *cert_key, *server_name, *content_type;
    struct opt_list headers;
    bool insecure, base64_body, quiet;
};

#define AT(member) offsetof(struct encode_options, member)

static const struct opt encode_opts[] = {
    { "message", 0, OPT_TITLE, 0, 0, NULL, "Messages:" },
    { "auth-key", 0, OPT_TEXT, AT(auth_key), 0, "KEY", "authentication key (chunk 0x0e) of every message" },
    { "node", 0, OPT_TEXT, AT(node_name), 0, "NAME", "capture agent name (chunk 0x13) of every message" },
    { "id", 0, OPT_NUMBER, AT(capture_id), UINT32_MAX, "N", "capture agent id (chunk 0x0c) of every message" },
    { "hep-version", 0, OPT_NUMBER, AT(version), 3, "N", "write version 1, 2 or 3 (default 3, or as the input says)" },
    { "compress", 0, OPT_TEXT, AT(compress), 0, "FORMAT",
      "payload into chunk 0x10: zlib (captagent's form) or gzip\n(OpenSIPS'); Homer and Kamailio do not read it" },
    { "vendor-key", 0, OPT_LIST, AT(vendor_keys), 0, "SPEC",
      "name a vendor chunk: VENDOR:TYPE:[KIND:]NAME, such as\n8:133:u8:codec (kinds: text, u8, u16, u32, u64)" },
    { "select", 0, OPT_TITLE, 0, 0, NULL, SELECT_HELP },
    { "type", 0, OPT_LIST, AT(select.types), 0, "LIST", SELECT_TYPE_HELP },
    { "ip", 0, OPT_LIST, AT(select.ips), 0, "NET", SELECT_IP_HELP },
    { "text", 0, OPT_LIST, AT(select.texts), 0, "TEXT", SELECT_TEXT_HELP },
    { "output", 0, OPT_TITLE, 0, 0, NULL, "Output:" },
    { "to", 't', OPT_TEXT, AT(to), 0, "URL",
      "udp://host:9060 tcp://host:9060 tls://host:9061\nhttp://host/path https://host/path (default: standard "
      "output)" },
    { "format", 'f', OPT_TEXT, AT(format), 0, "FORMAT",
      "of standard output: raw (default), base64 (a line a frame),\npcap (datagrams to port 9060)" },
    { "rate", 0, OPT_NUMBER, AT(rate), 10000000, "N", "at most N messages a second" },
    { "retry", 0, OPT_NUMBER, AT(retry), 86400, "SECONDS", "how long a broken connection is tried again (default 30)" },
    { "connect-timeout", 0, OPT_NUMBER, AT(connect_timeout), 3600, "SECONDS", "for one attempt (default 10)" },
    { "tls", 0, OPT_TITLE, 0, 0, NULL, "TLS and HTTPS (certificates are verified):" },
    { "ca", 0, OPT_TEXT, AT(ca), 0, "FILE", "certificates to trust, PEM (default: those of the system)" },
    { "cert", 0, OPT_TEXT, AT(cert), 0, "FILE", "client certificate, PEM" },
    { "cert-key", 0, OPT_TEXT, AT(cert_key), 0, "FILE", "its private key, PEM (default: in the --cert file)" },
    { "server-name", 0, OPT_TEXT, AT(server_name), 0, "NAME", "tls://: name to verify (default: host of the URL)" },
    { "insecure", 0, OPT_FLAG, AT(insecure), 0, NULL, "do not verify the collector's certificate" },
    { "http", 0, OPT_TITLE, 0, 0, NULL, "HTTP and HTTPS:" },
    { "batch", 0, OPT_NUMBER, AT(batch), 10000, "N", "frames a POST (default 1, which is what Homer takes)" },
    { "header", 'H', OPT_LIST, AT(headers), 0, "LINE", "request header, such as 'X-Api-Key: 123'" },
    { "base64-body", 0, OPT_FLAG, AT(base64_body), 0, NULL, "body in base64, for gateways that pass text only" },
    { "content-type", 0, OPT_TEXT, AT(content_type), 0, "TYPE", "of the body (default application/octet-stream)" },
    { "quiet", 'q', OPT_FLAG, AT(quiet), 0, NULL, "nothing on standard error but mistakes in the command line" },
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_encode_help = {
    .name = "encode",
    .summary = "JSON lines, or a capture of SIP and RTCP, to HEP in a file or sent by UDP, TCP, TLS, HTTP(S)",
    .usage = "hepcat encode [OPTION]... [FILE|-]...",
    .about = "Encodes HEP. FILE holds JSON, a line a message, as `hepcat decode` writes it and hep-js knows it;\n"
             "or a pcap or pcapng of plain SIP and RTCP; or raw frames to pass on. The content tells, gzip or not.\n"
             "\"-\", the default, is standard input.",
    .opts = encode_opts,
    .examples = "  hepcat encode messages.jsonl --to udp://10.0.0.1:9060\n"
                "  hepcat encode trace.pcap --to tls://homer.example.org --auth-key s3cret --node sbc1 --id 2001\n"
                "  hepcat encode - --to https://gw.example.org/hep -H 'X-Api-Key: 123' < messages.jsonl\n"
                "  hepcat encode messages.jsonl | hepcat decode -\n",
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static int take_compress(const char *name, struct encoder_override *o, struct errmsg *err)
{
    if (name == NULL)
        return 0;
    o->compress = true;
    o->compress_format = strcmp(name, "gzip") == 0 ? HEP_ZLIB_GZIP : HEP_ZLIB_ZLIB;
    if (strcmp(name, "gzip") != 0 && strcmp(name, "zlib") != 0)
        return errmsg_set(err, "--compress: '%s' is neither zlib nor gzip", name);
    return 0;
}

static int take_format(const char *name, enum encoder_format *ret, struct errmsg *err)
{
    if (name == NULL || strcmp(name, "raw") == 0)
        *ret = ENCODER_RAW;
    else if (strcmp(name, "base64") == 0)
        *ret = ENCODER_BASE64;
    else if (strcmp(name, "pcap") == 0)
        *ret = ENCODER_PCAP;
    else
        return errmsg_set(err, "--format: '%s' is not raw, base64 or pcap", name);
    return 0;
}

static int prepare(const struct encode_options *o, struct encoder *e, struct errmsg *err)
{
    e->override = (struct encoder_override){
        .auth_key = o->auth_key,
        .node_name = o->node_name,
        .capture_id = o->capture_id,
        .version = (unsigned)o->version,
    };
    e->rate = o->rate;
    if (o->to != NULL && o->format != NULL)
        return errmsg_set(err, "--format is for standard output: it does not go with --to");
    if (o->compress != NULL && (o->version == 1 || o->version == 2))
        return errmsg_set(err, "--compress: version %u has no compressed payloads", (unsigned)o->version);
    if (take_compress(o->compress, &e->override, err) != 0 || take_format(o->format, &e->format, err) != 0)
        return -1;
    return select_init(&e->select, &o->select, err);
}

static int open_sender(const struct encode_options *o, struct encoder *e, struct errmsg *err)
{
    struct sender_options s;
    if (o->to == NULL)
        return 0;
    sender_options_init(&s);
    s.retry_ms = (unsigned)o->retry * 1000;
    s.connect_timeout_ms = (unsigned)o->connect_timeout * 1000;
    s.stop = &interrupted;
    s.ca_file = o->ca;
    s.cert_file = o->cert;
    s.key_file = o->cert_key;
    s.server_name = o->server_name;
    s.insecure = o->insecure;
    s.content_type = o->content_type;
    s.frames_per_post = (unsigned)o->batch;
    s.base64 = o->base64_body;
    s.headers = o->headers.items;
    s.header_count = o->headers.count;
    return sender_open(&e->sender, o->to, &s, err);
}

static int run(struct encoder *e, const struct encode_options *o, const struct opt_list *files,
               const struct hep_registry *registry)
{
    struct errmsg err;
    if (open_sender(o, e, &err) != 0)
        return report_usage("encode", "%s", err.text);
    if (encoder_open(e, &err) != 0) {
        encoder_bad(e, "output", "%s", err.text);
        e->done = true;
    }
    if (files->count == 0 && !e->done)
        encode_file(e, "-", registry);
    for (size_t i = 0; i < files->count && !e->done && !interrupted; i++)
        encode_file(e, files->items[i], registry);
    return encoder_close(e, o->to);
}

int cmd_encode(int argc, char **argv)
{
    int status;
    struct encoder e = { 0 };
    struct encode_options o = { .capture_id = ENCODER_ID_AS_IS, .retry = 30, .connect_timeout = 10, .batch = 1 };
    struct opt_list files = { 0 };
    struct report report = { 0 };
    struct vendor vendor;
    struct errmsg err = { "" };

    if (!report_opts(&cmd_encode_help, argc, argv, &o, &files, &status))
        return status;
    report.quiet = o.quiet;
    e.report = &report;
    e.stop = &interrupted;
    if (vendor_init(&vendor, &o.vendor_keys, &err) != 0 || prepare(&o, &e, &err) != 0)
        return report_usage("encode", "%s", err.text);
    struct sigaction action = { .sa_handler = on_signal };
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return run(&e, &o, &files, &vendor.registry);
}
