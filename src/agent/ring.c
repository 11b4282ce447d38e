#include "agent/ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"

#define BLOCK_MAX    ((size_t)1 << 20)
#define PAGE         ((size_t)4096)
#define FRAME        2048 /* of no meaning in version 3, but it has to divide the block */
#define RETIRE_MS    20   /* a block that is not full is handed out after it */
#define ROOM         32   /* octets kept free in front of a packet: for a tag, or a cooked header */
#define ANY          "any"
#define SLL_HEADER   16
#define SLL_LINKTYPE 113
/* struct sockaddr_ll stands behind it. */
#define HEADER ((sizeof(struct tpacket3_hdr) + TPACKET_ALIGNMENT - 1) / TPACKET_ALIGNMENT * TPACKET_ALIGNMENT)

struct ring {
    char device[IF_NAMESIZE];
    int fd;
    unsigned ifindex; /* 0: any */
    unsigned loopback;
    bool cooked;
    uint8_t *map;
    size_t block_size, block_count, next;
    struct ring_stats stats;
    uint64_t device_drops_before;
};

/* ------------------------------------------------------------------------------------------------ the device */

static bool is_any(const char *device)
{
    return strcmp(device, ANY) == 0;
}

int ring_is_cooked(const char *device, struct errmsg *err)
{
    struct ifreq request = { 0 };
    if (is_any(device))
        return 1;
    if (strlen(device) >= sizeof(request.ifr_name) || if_nametoindex(device) == 0)
        return errmsg_set(err, "%s: no such network device", device);
    memcpy(request.ifr_name, device, strlen(device));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 ? -1 : ioctl(fd, SIOCGIFHWADDR, &request);
    int saved = errno;
    if (fd >= 0)
        (void)close(fd);
    if (rc < 0)
        return errmsg_set(err, "%s: %s", device, strerror(saved));
    unsigned type = request.ifr_hwaddr.sa_family;
    return type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK ? 0 : 1;
}

static uint64_t sys_number(const char *device, const char *name)
{
    char path[128], text[32];
    uint64_t value = 0;
    (void)snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/%s", device, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));
    if (fd >= 0)
        (void)close(fd);
    if (n > 1 && !num_parse(text, (size_t)n - 1, UINT64_MAX, &value))
        value = 0;
    return value;
}

static uint64_t device_drops(const char *device)
{
    return is_any(device) ? 0 : sys_number(device, "rx_missed_errors") + sys_number(device, "rx_fifo_errors");
}

/* ------------------------------------------------------------------------------------------------ opening */

static int set(int fd, int level, int name, const void *value, size_t len)
{
    return setsockopt(fd, level, name, value, (socklen_t)len);
}

static int map_ring(struct ring *r, size_t size)
{
    static const int version = TPACKET_V3, room = ROOM;
    size_t block = BLOCK_MAX;
    while (block > PAGE && block * 4 > size) /* a few at least: one is filled while another is read */
        block /= 2;
    r->block_size = block;
    r->block_count = size / block;
    struct tpacket_req3 req = {
        .tp_block_size = (unsigned)block,
        .tp_block_nr = (unsigned)r->block_count,
        .tp_frame_size = FRAME,
        .tp_frame_nr = (unsigned)(block / FRAME * r->block_count),
        .tp_retire_blk_tov = RETIRE_MS,
    };
    if (set(r->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
        set(r->fd, SOL_PACKET, PACKET_RESERVE, &room, sizeof(room)) < 0 ||
        set(r->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0)
        return -1;
    void *map = mmap(NULL, block * r->block_count, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    if (map == MAP_FAILED)
        return -1;
    r->map = map;
    return 0;
}

static int start(struct ring *r, const struct ring_options *o)
{
    const struct sock_fprog filter = { (unsigned short)o->filter->count,
                                       (struct sock_filter *)(uintptr_t)o->filter->code };
    const struct sockaddr_ll addr = { .sll_family = AF_PACKET,
                                      .sll_protocol = htons(ETH_P_ALL),
                                      .sll_ifindex = (int)r->ifindex };
    const struct packet_mreq promiscuous = { .mr_ifindex = (int)r->ifindex, .mr_type = PACKET_MR_PROMISC };
    const uint32_t mode = PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG;
    const uint32_t fanout = (o->fanout_group & 0xffff) | mode << 16;
    if (set(r->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 || map_ring(r, o->size) < 0 ||
        bind(r->fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
        return -1;
    if (o->promiscuous && r->ifindex != 0 &&
        set(r->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) < 0)
        return -1;
    return o->fanout_group == 0 ? 0 : set(r->fd, SOL_PACKET, PACKET_FANOUT, &fanout, sizeof(fanout));
}

int ring_open(struct ring **ret, const struct ring_options *options, struct errmsg *err)
{
    int cooked = ring_is_cooked(options->device, err);
    struct ring *r = cooked < 0 ? NULL : calloc(1, sizeof(*r));
    if (r == NULL)
        return cooked < 0 ? -1 : errmsg_set(err, "out of memory");
    (void)snprintf(r->device, sizeof(r->device), "%s", options->device);
    r->cooked = cooked == 1;
    r->ifindex = is_any(options->device) ? 0 : if_nametoindex(options->device);
    r->loopback = if_nametoindex("lo");
    r->device_drops_before = device_drops(r->device);
    r->fd = socket(AF_PACKET, (r->cooked ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC, 0);
    if (r->fd < 0 || start(r, options) < 0) {
        int why = errno;
        (void)errmsg_set(err, "%s: %s%s", options->device, strerror(why),
                         why == EPERM ? " (root, or the capability CAP_NET_RAW, is needed)" : "");
        ring_close(r);
        return -1;
    }
    *ret = r;
    return 0;
}

void ring_close(struct ring *r)
{
    if (r == NULL)
        return;
    if (r->map != NULL)
        (void)munmap(r->map, r->block_size * r->block_count);
    if (r->fd >= 0)
        (void)close(r->fd);
    free(r);
}

int ring_fd(const struct ring *r)
{
    return r->fd;
}

const char *ring_device(const struct ring *r)
{
    return r->device;
}

/* ------------------------------------------------------------------------------------------------ packets */

static void put16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

/* The TPID and TCI that the card took off; false if it took none. */
static bool tag_of(const struct tpacket3_hdr *h, unsigned *ret_tpid, unsigned *ret_tci)
{
    if ((h->tp_status & TP_STATUS_VLAN_VALID) == 0)
        return false;
    *ret_tpid = (h->tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? h->hv1.tp_vlan_tpid : ETH_P_8021Q;
    *ret_tci = h->hv1.tp_vlan_tci;
    return true;
}

/* Puts the tag back behind the MAC addresses, in the room in front of the packet. Returns where the frame begins. */
static uint8_t *with_tag(uint8_t *frame, size_t *len, unsigned tpid, unsigned tci)
{
    enum { MACS = 12, TAG = 4 };
    if (*len < MACS)
        return frame;
    memmove(frame - TAG, frame, MACS);
    put16(frame - TAG + MACS, tpid);
    put16(frame - TAG + MACS + 2, tci);
    *len += TAG;
    return frame - TAG;
}

/* LINKTYPE_LINUX_SLL: packet type, ARPHRD type, address length, address, protocol. */
static uint8_t *with_sll(uint8_t *ip, size_t *len, const struct sockaddr_ll *from, const struct tpacket3_hdr *h)
{
    unsigned tpid, tci, protocol = ntohs(from->sll_protocol);
    uint8_t *at = ip;
    if (tag_of(h, &tpid, &tci)) {
        at -= 4;
        put16(at, tci);
        put16(at + 2, protocol);
        protocol = tpid;
    }
    at -= SLL_HEADER;
    put16(at, from->sll_pkttype);
    put16(at + 2, from->sll_hatype);
    put16(at + 4, from->sll_halen);
    memcpy(at + 6, from->sll_addr, 8);
    put16(at + 14, protocol);
    *len += (size_t)(ip - at);
    return at;
}

/* Everything on the loopback is seen twice, going out and coming in. */
static bool is_echo(const struct ring *r, const struct sockaddr_ll *from)
{
    return from->sll_pkttype == PACKET_OUTGOING && r->loopback != 0 && (unsigned)from->sll_ifindex == r->loopback;
}

static void packet_of(const struct ring *r, struct tpacket3_hdr *h, const struct sockaddr_ll *from, struct packet *ret)
{
    uint8_t *data = (uint8_t *)h + h->tp_mac;
    size_t len = h->tp_snaplen;
    unsigned tpid, tci;
    if (r->cooked)
        data = with_sll(data, &len, from, h);
    else if (tag_of(h, &tpid, &tci))
        data = with_tag(data, &len, tpid, tci);
    *ret = (struct packet){
        .sec = h->tp_sec,
        .usec = h->tp_nsec / 1000,
        .data = { data, len },
        .wire_len = h->tp_len + (len - h->tp_snaplen),
        .linktype = r->cooked ? SLL_LINKTYPE : 1,
    };
}

static size_t take_block(const struct ring *r, struct tpacket_block_desc *block,
                         void (*take)(void *arg, const struct packet *packet), void *arg)
{
    struct tpacket3_hdr *h = (struct tpacket3_hdr *)((uint8_t *)block + block->hdr.bh1.offset_to_first_pkt);
    struct packet packet;
    size_t taken = 0;
    for (uint32_t i = 0; i < block->hdr.bh1.num_pkts; i++) {
        const struct sockaddr_ll *from = (const struct sockaddr_ll *)((const uint8_t *)h + HEADER);
        if (!is_echo(r, from)) {
            packet_of(r, h, from, &packet);
            take(arg, &packet);
            taken++;
        }
        h = (struct tpacket3_hdr *)((uint8_t *)h + h->tp_next_offset);
    }
    return taken;
}

size_t ring_take(struct ring *r, void (*take)(void *arg, const struct packet *packet), void *arg)
{
    size_t taken = 0;
    for (size_t i = 0; i < r->block_count; i++) {
        struct tpacket_block_desc *block = (struct tpacket_block_desc *)(r->map + r->next * r->block_size);
        if ((__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0)
            break;
        taken += take_block(r, block, take, arg);
        __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        r->next = (r->next + 1) % r->block_count;
    }
    return taken;
}

void ring_figures(struct ring *r, struct ring_stats *ret)
{
    struct tpacket_stats_v3 now = { 0 };
    socklen_t len = sizeof(now);
    if (getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &now, &len) == 0) { /* reading sets them to zero */
        r->stats.packets += now.tp_packets;
        r->stats.drops += now.tp_drops;
        r->stats.freezes += now.tp_freeze_q_cnt;
    }
    uint64_t drops = device_drops(r->device);
    r->stats.device_drops = drops > r->device_drops_before ? drops - r->device_drops_before : 0;
    *ret = r->stats;
}

bool ring_is_dead(const struct ring *r)
{
    return r->ifindex != 0 && if_nametoindex(r->device) != r->ifindex;
}
