#include <stdlib.h>
#include <unistd.h>

#include "cmd/agent.h"

static void flag_of(const struct opt_list *list, enum conf_key_id key, struct conf_flag *flags, size_t *count)
{
    if (list->count > 0)
        flags[(*count)++] = (struct conf_flag){ key, list->items, list->count };
}

int agent_opt_load(struct conf **ret, const struct agent_opts *opts, struct conf_errors *errs)
{
    static const char *const yes[] = { "true" };
    struct conf_flag flags[CONF_KEY_COUNT];
    size_t count = 0;
#define FLAG(flag, letter, metavar, member, ...) flag_of(&opts->member, CONF_KEY_##member, flags, &count);
    CONF_TABLE(AGENT_OPT_NONE, AGENT_OPT_NONE, FLAG)
#undef FLAG
    if (opts->insecure)
        flags[count++] = (struct conf_flag){ CONF_KEY_agent_insecure, yes, 1 };
    for (size_t i = 0; i < opts->extra_count; i++)
        flags[count++] = opts->extra[i];
    const struct conf_opts file = { .config = opts->config };
    const struct conf_sources sources = {
        .file = conf_opt_file(&file), .environ = environ, .flags = flags, .flag_count = count
    };
    return conf_load(ret, &sources, errs);
}

void agent_opt_report(const struct agent_opts *opts, const struct conf_errors *errs)
{
    const struct conf_opts file = { .config = opts->config };
    conf_opt_report(&file, errs);
}

void agent_pipeline_settings(const struct conf *c, struct pipeline_settings *ret)
{
    *ret = (struct pipeline_settings){
        .frame = { .key = c->agent_key,
                   .name = c->agent_name,
                   .id = (uint32_t)c->agent_id,
                   .compress = c->agent_compress != CONF_COMPRESS_OFF,
                   .format = c->agent_compress == CONF_COMPRESS_GZIP ? HEP_ZLIB_GZIP : HEP_ZLIB_ZLIB },
        .rules = { .methods = c->agent_discard.items,
                   .method_count = c->agent_discard.count,
                   .keep = c->agent_filter.items,
                   .keep_count = c->agent_filter.count,
                   .drop = c->agent_drop.items,
                   .drop_count = c->agent_drop.count },
        .dedup_us = c->agent_dedup_us,
        .media = (enum pipeline_media)c->agent_media,
        .call_ids = c->agent_collectors == OUTPUTS_HASH,
    };
}

void agent_outputs_options(const struct conf *c, struct outputs_options *ret)
{
    *ret = (struct outputs_options){
        .urls = c->agent_to.items,
        .url_count = c->agent_to.count,
        .mode = (enum outputs_mode)c->agent_collectors,
        .spool_dir = c->agent_spool,
        .lane = { .queue = (size_t)c->agent_queue,
                  .spool_limit = c->agent_spool_max,
                  .spool_rate = c->agent_spool_rate,
                  .udp_max = (size_t)c->agent_udp_max,
                  .give_up_ms = (unsigned)(c->agent_retry_us / 1000) },
    };
    struct sender_options *s = &ret->lane.sender;
    sender_options_init(s);
    s->frames_per_post = 0; /* the lane's own */
    s->ca_file = c->agent_ca;
    s->cert_file = c->agent_cert;
    s->key_file = c->agent_cert_key;
    s->insecure = c->agent_insecure;
}

int agent_devices(const struct conf *c, struct taps_devices *ret, struct errmsg *err)
{
    *ret = (struct taps_devices){
        .names = c->agent_interfaces.items,
        .count = c->agent_interfaces.count,
        .ring = (size_t)c->agent_ring,
        .promiscuous = c->agent_promiscuous,
        .filter = { .rtcp = c->agent_media != CONF_MEDIA_NONE,
                    .rtp = c->agent_media == CONF_MEDIA_RTP,
                    .snaplen = (uint32_t)c->agent_snaplen },
        .bpf = c->agent_bpf,
    };
    for (size_t i = 0; i < c->agent_ports.count; i++)
        if (kernel_filter_ports(&ret->filter, c->agent_ports.items[i], err) != 0)
            return -1;
    return 0;
}

int agent_filter(const struct taps_devices *devices, struct kernel_filter *ret, struct errmsg *err)
{
    static const char *const ethernet = "pcap:"; /* whatever it is: nothing is opened for it */
    const struct device_options first =
        devices->count > 0
            ? taps_device(devices, 0)
            : (struct device_options){ .name = ethernet, .filter = &devices->filter, .bpf = devices->bpf };
    return device_filter(&first, ret, err);
}

int agent_check(const struct conf *c, struct errmsg *err)
{
    struct pipeline_options p = { .frame = NULL };
    struct pipeline *pipeline;
    struct taps_devices devices;
    struct kernel_filter filter;
    agent_pipeline_settings(c, &p.settings);
    if (pipeline_new(&pipeline, &p, err) != 0)
        return -1;
    pipeline_free(pipeline);
    if (agent_devices(c, &devices, err) != 0)
        return -1;
    devices.count = 0; /* those of here may not be those of there */
    return agent_filter(&devices, &filter, err);
}
