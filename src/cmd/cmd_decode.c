#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/decode_file.h"
#include "cmd/decoder.h"
#include "cmd/listen.h"
#include "cmd/vendor.h"

#define DEFAULT_PORTS "9060-9063"

struct decode_options {
    const char *format;
    struct opt_list hep_ports;
    struct listen_options listen;
    struct select_options select;
    struct opt_list vendor_keys;
    struct opt_list tolerate, refuse;
    const char *auth_key;
    uint64_t count;
    bool plain, meta, clean, strict, quiet;
};

#define AT(member) offsetof(struct decode_options, member)

static const struct opt decode_opts[] = {
    { "input", 0, OPT_TITLE, 0, 0, NULL, "Input:" },
    { "udp", 0, OPT_LIST, AT(listen.udp), 0, "ADDR:PORT", "listen for datagrams; \":9060\" is every address" },
    { "tcp", 0, OPT_LIST, AT(listen.tcp), 0, "ADDR:PORT", "listen for streams of frames" },
    { "tls", 0, OPT_LIST, AT(listen.tls), 0, "ADDR:PORT", "the same over TLS" },
    { "http", 0, OPT_LIST, AT(listen.http), 0, "ADDR:PORT", "listen for POSTs of one or many frames, raw or base64" },
    { "https", 0, OPT_LIST, AT(listen.https), 0, "ADDR:PORT", "the same over TLS" },
    { "cert", 0, OPT_TEXT, AT(listen.cert), 0, "FILE", "certificate chain of the TLS listeners, PEM" },
    { "cert-key", 0, OPT_TEXT, AT(listen.cert_key), 0, "FILE", "its private key, PEM (default: in the --cert file)" },
    { "client-ca", 0, OPT_TEXT, AT(listen.client_ca), 0, "FILE", "TLS clients must show a certificate of this CA" },
    { "rcvbuf", 0, OPT_NUMBER, AT(listen.rcvbuf), UINT64_C(1) << 30, "OCTETS", "UDP receive buffer (default 4 MiB)" },
    { "body-max", 0, OPT_NUMBER, AT(listen.body_max), UINT64_C(1) << 30, "OCTETS",
      "largest HTTP body (default 8 MiB)" },
    { "hep-port", 0, OPT_LIST, AT(hep_ports), 0, "PORTS", "where HEP is in a capture (default " DEFAULT_PORTS ")" },
    { "auth-key", 0, OPT_TEXT, AT(auth_key), 0, "KEY", "take only messages with this authentication key" },
    { "vendor-key", 0, OPT_LIST, AT(vendor_keys), 0, "SPEC",
      "name a vendor chunk: VENDOR:TYPE:[KIND:]NAME, such as\n8:133:u8:codec (kinds: text, u8, u16, u32, u64)" },
    { "strict", 0, OPT_FLAG, AT(strict), 0, NULL, "refuse every deviation from the specification" },
    { "refuse", 0, OPT_LIST, AT(refuse), 0, "QUIRK", "refuse this deviation (docs/hep-quirks.md has the names)" },
    { "tolerate", 0, OPT_LIST, AT(tolerate), 0, "QUIRK", "tolerate this deviation" },
    { "select", 0, OPT_TITLE, 0, 0, NULL, SELECT_HELP },
    { "type", 0, OPT_LIST, AT(select.types), 0, "LIST", SELECT_TYPE_HELP },
    { "ip", 0, OPT_LIST, AT(select.ips), 0, "NET", SELECT_IP_HELP },
    { "text", 0, OPT_LIST, AT(select.texts), 0, "TEXT", SELECT_TEXT_HELP },
    { "count", 'n', OPT_NUMBER, AT(count), UINT64_MAX, "N", "stop after N messages" },
    { "output", 0, OPT_TITLE, 0, 0, NULL, "Output, on standard output:" },
    { "format", 'f', OPT_TEXT, AT(format), 0, "FORMAT",
      "json (default): a line a message, {\"rcinfo\":{...},\"payload\":\"...\"}\n"
      "text: for people\n"
      "pcap: payloads as packets between their original addresses\n"
      "raw: the frames as they came" },
    { "plain", 0, OPT_FLAG, AT(plain), 0, NULL, "json: rcinfo and payload only, even if that loses something" },
    { "meta", 0, OPT_FLAG, AT(meta), 0, NULL, "json: add \"meta\": time and peer of reception, deviations met" },
    { "clean", 0, OPT_FLAG, AT(clean), 0, NULL,
      "repair values known to be wrong (byte order of times...); implies --plain" },
    { "quiet", 'q', OPT_FLAG, AT(quiet), 0, NULL, "nothing on standard error but mistakes in the command line" },
    { NULL, 0, OPT_FLAG, 0, 0, NULL, NULL },
};

const struct opt_command cmd_decode_help = {
    .name = "decode",
    .summary = "HEP from a file, a capture or the network to JSON lines, text, pcap or raw frames",
    .usage = "hepcat decode [OPTION]... [FILE|-]...",
    .about = "Decodes HEP (versions 1, 2 and 3). FILE may hold raw frames, a pcap or pcapng of HEP traffic, base64,\n"
             "or the JSON event of an API gateway; the content tells, gzip or not. \"-\" is standard input.",
    .opts = decode_opts,
    .examples = "  hepcat decode capture.pcap\n"
                "  hepcat decode --udp :9060 --format text --type sip\n"
                "  hepcat decode --https :8443 --cert server.pem --auth-key s3cret | jq .rcinfo.srcIp\n"
                "  hepcat decode --format pcap frames.hep > calls.pcap\n",
};

static int take_quirks(const struct opt_list *names, bool tolerate, uint32_t *bits, struct errmsg *err)
{
    for (size_t i = 0; i < names->count; i++) {
        uint32_t bit = hep_quirk_bit(names->items[i], strlen(names->items[i]));
        if (bit == 0)
            return errmsg_set(err, "'%s' is not the name of a deviation", names->items[i]);
        *bits = tolerate ? *bits | bit : *bits & ~bit;
    }
    return 0;
}

/* Options to decoder; 0, or -1 with a text about the command line. */
static int prepare(const struct decode_options *o, const struct vendor *vendor, struct decoder *d, struct errmsg *err)
{
    d->hep.tolerate = o->strict ? HEP_TOLERATE_STRICT : HEP_TOLERATE_DEFAULT;
    if (take_quirks(&o->refuse, false, &d->hep.tolerate, err) != 0 ||
        take_quirks(&o->tolerate, true, &d->hep.tolerate, err) != 0 || select_init(&d->select, &o->select, err) != 0)
        return -1;
    if (o->format != NULL && !output_format_parse(o->format, &d->out.format))
        return errmsg_set(err, "--format: '%s' is not json, text, pcap or raw", o->format);
    if (o->auth_key != NULL && o->auth_key[0] == '\0')
        return errmsg_set(err, "--auth-key: the key is empty; leave the option out to take every message");
    d->clean = o->clean;
    d->auth_key = o->auth_key;
    d->count_max = o->count;
    d->out.json.plain = o->plain || o->clean;
    d->out.json.registry = &vendor->registry;
    d->out.meta = o->meta;
    return 0;
}

static int run(struct decoder *d, const struct decode_options *o, const struct opt_list *files,
               const struct ports *ports)
{
    struct errmsg err;
    int rc = decoder_open(d, &err);
    if (rc == 0 && listen_wanted(&o->listen))
        rc = listen_run(d, &o->listen, &err);
    for (size_t i = 0; rc == 0 && i < files->count && !d->done; i++)
        decode_file(d, files->items[i], ports);
    if (rc != 0)
        report_error(d->report, "%s", err.text);
    decoder_close(d);
    return rc != 0 || d->bad != 0 || d->unauthorized != 0 || d->failed ? EXIT_BAD_INPUT : EXIT_OK;
}

int cmd_decode(int argc, char **argv)
{
    int status;
    struct decode_options o = { 0 };
    struct opt_list files = { 0 };
    struct report report = { 0 };
    struct decoder d = { .report = &report };
    struct vendor vendor;
    struct ports ports;
    struct errmsg err = { "" };

    if (!report_opts(&cmd_decode_help, argc, argv, &o, &files, &status))
        return status;
    report.quiet = o.quiet;
    if (vendor_init(&vendor, &o.vendor_keys, &err) != 0 || ports_init(&ports, &o.hep_ports, DEFAULT_PORTS, &err) != 0 ||
        listen_check(&o.listen, &err) != 0 || prepare(&o, &vendor, &d, &err) != 0)
        return report_usage("decode", "%s", err.text);
    if (files.count == 0 && !listen_wanted(&o.listen))
        return report_usage("decode", "nothing to decode: name a FILE, \"-\" or a listener such as --udp :9060");
    if (files.count != 0 && listen_wanted(&o.listen))
        return report_usage("decode", "files and listeners do not go together");
    (void)signal(SIGPIPE, SIG_IGN);
    return run(&d, &o, &files, &ports);
}
