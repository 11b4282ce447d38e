#include "agent/kernel_filter.h"

#include <pcap/pcap.h>
#include <string.h>

#include "base/num.h"

/* ------------------------------------------------------------------------------------------------ options */

static bool take_range(const char *text, size_t len, struct port_range *ret)
{
    const char *dash = memchr(text, '-', len);
    size_t head = dash == NULL ? len : (size_t)(dash - text);
    uint64_t first, last;
    if (!num_parse(text, head, 65535, &first))
        return false;
    last = first;
    if (dash != NULL && !num_parse(dash + 1, len - head - 1, 65535, &last))
        return false;
    *ret = (struct port_range){ (uint16_t)first, (uint16_t)last };
    return first > 0 && first <= last;
}

int kernel_filter_ports(struct kernel_filter_options *options, const char *text, struct errmsg *err)
{
    for (;; text++) {
        size_t len = strcspn(text, ",");
        struct port_range range;
        if (len == 3 && strncmp(text, "all", 3) == 0)
            range = (struct port_range){ 0, 65535 };
        else if (!take_range(text, len, &range))
            return errmsg_set(err, "'%.*s' is neither a port, a range such as 5060-5091, nor all",
                              (int)(len < 60 ? len : 60), text);
        if (options->port_count == KERNEL_FILTER_RANGES)
            return errmsg_set(err, "more than %d ranges of ports", KERNEL_FILTER_RANGES);
        options->ports[options->port_count++] = range;
        text += len;
        if (*text == '\0')
            return 0;
    }
}

/* ------------------------------------------------------------------------------------------------ writing */

/* Places that code jumps to before it is known where they are. */
enum label { IP4, IP6, IP6_NEXT, TCP, UDP, LABELS };

struct writer {
    struct kernel_filter *f;
    uint32_t snaplen;
    size_t at[LABELS];
};

static void put(struct writer *w, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
    if (w->f->count < KERNEL_FILTER_MAX)
        w->f->code[w->f->count++] = (struct sock_filter){ code, jt, jf, k };
}

static void pass(struct writer *w)
{
    put(w, BPF_RET | BPF_K, w->snaplen, 0, 0);
}

static void reject(struct writer *w)
{
    put(w, BPF_RET | BPF_K, 0, 0, 0);
}

/* A is `value`: pass. */
static void pass_if(struct writer *w, uint32_t value)
{
    put(w, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    pass(w);
}

/* A is `value`: go there. The label stands in k until resolve(): jumps of more than 255 need this kind. */
static void go_if(struct writer *w, uint32_t value, enum label to)
{
    put(w, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    put(w, BPF_JMP | BPF_JA, to, 0, 0);
}

static void place(struct writer *w, enum label l)
{
    w->at[l] = w->f->count;
}

static void resolve(struct writer *w)
{
    for (size_t i = 0; i < w->f->count; i++)
        if (w->f->code[i].code == (BPF_JMP | BPF_JA))
            w->f->code[i].k = (uint32_t)(w->at[w->f->code[i].k] - i - 1);
}

static const uint32_t tagged[] = { 0x8100, 0x88a8, 0x9100, 0x9200, 0x8847, 0x8848, 0x8864, 0x6558 };
/* SCTP, IPIP, 6in4, GRE, EtherIP, L2TP, MPLS in IP */
static const uint32_t protocols[] = { 132, 4, 41, 47, 97, 115, 137 };
/* VXLAN, its port before it had one, GENEVE, GTP-U, L2TP, TZSP */
static const uint32_t tunnel_ports[] = { 4789, 8472, 6081, 2152, 1701, 37008 };
/* IPv6: hop by hop, routing, fragment, authentication, destination, mobility, HIP, shim6 */
static const uint32_t extensions[] = { 0, 43, 44, 51, 60, 135, 139, 140 };

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void pass_if_any(struct writer *w, const uint32_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pass_if(w, values[i]);
}

/* A is a port: pass if it is one of SIP. */
static void pass_if_port(struct writer *w, const struct kernel_filter_options *o)
{
    for (size_t i = 0; i < o->port_count; i++) {
        put(w, BPF_JMP | BPF_JGE | BPF_K, o->ports[i].first, 0, 2);
        put(w, BPF_JMP | BPF_JGT | BPF_K, o->ports[i].last, 1, 0);
        pass(w);
    }
}

/* The ports of TCP and UDP; X is the length of the IP header. */
static void test_ports(struct writer *w, const struct kernel_filter_options *o, uint32_t base, bool udp)
{
    for (uint32_t at = 0; at <= 2; at += 2) {
        put(w, BPF_LD | BPF_H | BPF_IND, base + at, 0, 0);
        if (udp)
            pass_if_any(w, tunnel_ports, COUNT(tunnel_ports));
        pass_if_port(w, o);
    }
}

static void test_media(struct writer *w, const struct kernel_filter_options *o, uint32_t base)
{
    enum { UDP_HEADER = 8, VERSION = 0xc0, VERSION_2 = 0x80, TYPE_FIRST = 192, TYPE_LAST = 223 };
    if (!o->rtcp && !o->rtp)
        return;
    put(w, BPF_LD | BPF_B | BPF_IND, base + UDP_HEADER, 0, 0);
    put(w, BPF_ALU | BPF_AND | BPF_K, VERSION, 0, 0);
    put(w, BPF_JMP | BPF_JEQ | BPF_K, VERSION_2, 1, 0);
    reject(w);
    if (!o->rtp) {
        put(w, BPF_LD | BPF_B | BPF_IND, base + UDP_HEADER + 1, 0, 0);
        put(w, BPF_JMP | BPF_JGE | BPF_K, TYPE_FIRST, 0, 2);
        put(w, BPF_JMP | BPF_JGT | BPF_K, TYPE_LAST, 1, 0);
        pass(w);
        reject(w);
    }
    pass(w);
}

static void write_link(struct writer *w, bool cooked)
{
    enum { ETHERTYPE_AT = 12 };
    if (cooked)
        put(w, BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL), 0, 0);
    else
        put(w, BPF_LD | BPF_H | BPF_ABS, ETHERTYPE_AT, 0, 0);
    go_if(w, 0x0800, IP4);
    go_if(w, 0x86dd, IP6);
    pass_if_any(w, tagged, COUNT(tagged));
    reject(w);
}

static void write_ip(struct writer *w, uint32_t base)
{
    place(w, IP4);
    put(w, BPF_LD | BPF_H | BPF_ABS, base + 6, 0, 0);
    put(w, BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 0, 1); /* more fragments, or an offset */
    pass(w);
    put(w, BPF_LDX | BPF_B | BPF_MSH, base, 0, 0);
    put(w, BPF_LD | BPF_B | BPF_ABS, base + 9, 0, 0);
    put(w, BPF_JMP | BPF_JA, IP6_NEXT, 0, 0);
    place(w, IP6);
    put(w, BPF_LDX | BPF_IMM, 40, 0, 0);
    put(w, BPF_LD | BPF_B | BPF_ABS, base + 6, 0, 0);
    pass_if_any(w, extensions, COUNT(extensions)); /* in IPv4 these numbers are others: hence not below */
    place(w, IP6_NEXT);
    go_if(w, 17, UDP);
    go_if(w, 6, TCP);
    pass_if_any(w, protocols, COUNT(protocols));
    reject(w);
}

void kernel_filter_make(const struct kernel_filter_options *options, struct kernel_filter *ret)
{
    enum { ETHERNET = 14 };
    struct writer w = { .f = ret, .snaplen = options->snaplen };
    uint32_t base = options->cooked ? 0 : ETHERNET;
    ret->count = 0;
    write_link(&w, options->cooked);
    write_ip(&w, base);
    place(&w, TCP);
    test_ports(&w, options, base, false);
    if (options->port_count == 0)
        pass(&w);
    reject(&w);
    place(&w, UDP);
    if (options->port_count == 0)
        pass(&w);
    test_ports(&w, options, base, true);
    test_media(&w, options, base);
    reject(&w);
    resolve(&w);
}

/* ------------------------------------------------------------------------------------------------ libpcap */

/* The two have one layout; it is the kernel's own. */
_Static_assert(sizeof(struct bpf_insn) == sizeof(struct sock_filter), "classic BPF has one form");

int kernel_filter_compile(const char *text, bool cooked, uint32_t snaplen, struct kernel_filter *ret,
                          struct errmsg *err)
{
    struct bpf_program program;
    pcap_t *p = pcap_open_dead(cooked ? DLT_RAW : DLT_EN10MB, (int)snaplen);
    int rc = 0;
    if (p == NULL)
        return errmsg_set(err, "out of memory");
    if (pcap_compile(p, &program, text, 1, PCAP_NETMASK_UNKNOWN) != 0) {
        (void)errmsg_set(err, "%s", pcap_geterr(p));
        pcap_close(p);
        return -1;
    }
    ret->count = program.bf_len;
    if (program.bf_len > KERNEL_FILTER_MAX)
        rc = errmsg_set(err, "the filter is too long: %u instructions", program.bf_len);
    else
        memcpy(ret->code, program.bf_insns, program.bf_len * sizeof(ret->code[0]));
    pcap_freecode(&program);
    pcap_close(p);
    return rc;
}

static struct bpf_insn instruction(const struct kernel_filter *f, size_t i)
{
    struct bpf_insn in;
    memcpy(&in, &f->code[i], sizeof(in));
    return in;
}

void kernel_filter_print(const struct kernel_filter *f, struct buf *out)
{
    for (size_t i = 0; i < f->count; i++) {
        struct bpf_insn in = instruction(f, i);
        if (in.code == (BPF_LD | BPF_H | BPF_ABS) && in.k == (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL))
            buf_printf(out, "(%03zu) ldh      [protocol]\n", i);
        else
            buf_printf(out, "%s\n", bpf_image(&in, (int)i));
    }
}

bool kernel_filter_run(const struct kernel_filter *f, const uint8_t *packet, size_t len, size_t wire_len)
{
    struct bpf_insn code[KERNEL_FILTER_MAX];
    for (size_t i = 0; i < f->count; i++)
        code[i] = instruction(f, i);
    return bpf_filter(code, packet, (unsigned)wire_len, (unsigned)len) != 0;
}
