#include "capture/pcap_in.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hep/rd.h"

/* stdio's buffer between libpcap, which reads packet by packet, and the input. */
#define BUFFER_SIZE ((size_t)256 << 10)

struct pcap_in {
    pcap_t *pcap;
    struct input *in;
    int linktype;
    char *buffer;     /* of stdio: it takes no size without a buffer */
    bool read_failed; /* the input failed; its text is better than libpcap's */
    char error[PCAP_ERRBUF_SIZE];
};

bool pcap_in_probe(const uint8_t *p, size_t n)
{
    struct rd r;
    rd_init(&r, p, n);
    uint32_t magic = rd_u32(&r);
    switch (magic) {
    case 0xa1b2c3d4: /* microseconds */
    case 0xd4c3b2a1:
    case 0xa1b23c4d: /* nanoseconds */
    case 0x4d3cb2a1:
    case 0xa1b2cd34: /* longer record headers */
    case 0x34cdb2a1:
        return true;
    case 0x0a0d0d0a: /* also CR LF LF CR: the byte order mark decides */
        rd_skip(&r, 4);
        magic = rd_u32(&r);
        return magic == 0x1a2b3c4d || magic == 0x4d3c2b1a;
    default:
        return false;
    }
}

static ssize_t cookie_read(void *cookie, char *buf, size_t size)
{
    struct pcap_in *p = cookie;
    ssize_t n = input_read(p->in, (uint8_t *)buf, size);
    if (n < 0)
        p->read_failed = true;
    return n;
}

static FILE *open_stream(struct pcap_in *p)
{
    FILE *f = fopencookie(p, "r", (cookie_io_functions_t){ .read = cookie_read });
    p->buffer = f == NULL ? NULL : malloc(BUFFER_SIZE);
    if (p->buffer != NULL)
        (void)setvbuf(f, p->buffer, _IOFBF, BUFFER_SIZE);
    return f;
}

/* Takes the stream over. */
static int start(struct pcap_in *p, FILE *f, struct pcap_in **ret, struct errmsg *err)
{
    if (f != NULL)
        p->pcap = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_MICRO, p->error);
    if (p->pcap == NULL) {
        (void)errmsg_set(err, "%s", f == NULL ? "out of memory" : p->read_failed ? input_error(p->in) : p->error);
        if (f != NULL)
            (void)fclose(f); /* libpcap closes it only if it took it */
        free(p->buffer);
        free(p);
        return -1;
    }
    p->linktype = pcap_datalink(p->pcap);
    *ret = p;
    return 0;
}

int pcap_in_open(struct pcap_in **ret, struct input *in, struct errmsg *err)
{
    struct pcap_in *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return errmsg_set(err, "out of memory");
    p->in = in;
    return start(p, open_stream(p), ret, err);
}

int pcap_in_open_memory(struct pcap_in **ret, struct hep_slice octets, struct errmsg *err)
{
    struct pcap_in *p = octets.len == 0 ? NULL : calloc(1, sizeof(*p));
    if (p == NULL)
        return errmsg_set(err, octets.len == 0 ? "it is empty" : "out of memory");
    return start(p, fmemopen((void *)(uintptr_t)octets.ptr, octets.len, "r"), ret, err);
}

int pcap_in_next(struct pcap_in *p, struct packet *ret)
{
    struct pcap_pkthdr *header;
    const uint8_t *data;
    int rc = pcap_next_ex(p->pcap, &header, &data);
    if (rc == PCAP_ERROR_BREAK && !p->read_failed)
        return 0;
    if (rc != 1) {
        const char *text = p->read_failed ? input_error(p->in) : pcap_geterr(p->pcap);
        (void)snprintf(p->error, sizeof(p->error), "%s", text);
        return -1;
    }
    uint32_t usec = (uint32_t)header->ts.tv_usec;
    *ret = (struct packet){
        .sec = (uint32_t)header->ts.tv_sec + usec / 1000000,
        .usec = usec % 1000000,
        .data = { data, header->caplen },
        .wire_len = header->len > header->caplen ? header->len : header->caplen,
        .linktype = p->linktype,
    };
    return 1;
}

const char *pcap_in_error(const struct pcap_in *p)
{
    return p->error;
}

void pcap_in_close(struct pcap_in *p)
{
    if (p == NULL)
        return;
    pcap_close(p->pcap); /* closes the stream as well */
    free(p->buffer);
    free(p);
}
