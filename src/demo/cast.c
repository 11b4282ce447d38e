#include "demo/cast.h"

#include <stddef.h>

#include "demo/random.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* ------------------------------------------------------------------------------------------------ programs */

#define MAP_PCMA "a=rtpmap:8 PCMA/8000\r\n"
#define MAP_PCMU "a=rtpmap:0 PCMU/8000\r\n"
#define MAP_G722 "a=rtpmap:9 G722/8000\r\n"
#define MAP_G729 "a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n"
#define MAP_OPUS "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"

static const struct demo_agent phones[] = {
    { "Deskphone T46 66.86.0.15", "9 8 0 101", MAP_G722 MAP_PCMA MAP_PCMU, "9", MAP_G722, 8000 },
    { "Deskphone 4.0.10", "8 0 18 101", MAP_PCMA MAP_PCMU MAP_G729, "8", MAP_PCMA, 8000 },
    { "Linphone-Desktop/5.0.14 (Debian GNU/Linux 12) LinphoneSDK/5.2.0", "96 8 0 101", MAP_OPUS MAP_PCMA MAP_PCMU, "96",
      MAP_OPUS, 48000 },
    { "baresip v2.0.0 (x86_64/linux)", "96 9 8 101", MAP_OPUS MAP_G722 MAP_PCMA, "96", MAP_OPUS, 48000 },
    { "Asterisk PBX 18.19.0", "8 0 101", MAP_PCMA MAP_PCMU, "8", MAP_PCMA, 8000 },
    { "FreeSWITCH-mod_sofia/1.10.9-release+git~64bit", "8 9 0 101", MAP_PCMA MAP_G722 MAP_PCMU, "8", MAP_PCMA, 8000 },
};

static const struct demo_agent gateways[] = {
    { "Carrier-SBC/8.3.2", "8 18 101", MAP_PCMA MAP_G729, "8", MAP_PCMA, 8000 },
    { "Softswitch 6.1 (build 4471)", "0 8 101", MAP_PCMU MAP_PCMA, "0", MAP_PCMU, 8000 },
    { "Media Gateway/R21.0", "8 0 18 101", MAP_PCMA MAP_PCMU MAP_G729, "18", MAP_G729, 8000 },
};

/* ------------------------------------------------------------------------------------------------ who they are */

static const char *const given_names[] = { "Alice", "Bob",  "Carol", "Dave", "Erin", "Frank", "Grace", "Heidi",
                                           "Ivan",  "Judy", "Karl",  "Lena", "Mia",  "Noah",  "Olga",  "Paul" };
static const char *const family_names[] = {
    "Adler", "Berg",  "Conti", "Dupont", "Evans",  "Fischer", "Garcia", "Haas",
    "Ito",   "Jones", "Klein", "Lopez",  "Müller", "Novak",   "Olsen",  "Petit"
};

/* Domain and numbers of a customer whose phones register, or whose PBX has a trunk. */
static const struct {
    const char *domain, *prefix;
} customers[] = {
    { "pbx.example.com", "+1555201" },
    { "office.example.net", "+1555302" },
    { "voice.example.edu", "+1555403" },
    { PROXY_DOMAIN, "+1555504" },
};

/* A carrier has a network of gateways (last octet of the first one). */
static const struct {
    const char *domain, *prefix;
    uint8_t first;
    uint8_t agent;
    uint8_t protocol;
} carriers[] = {
    { "carrier-a.example", "+1555777", 10, 0, 17 },
    { "carrier-b.example", "+4930555", 30, 1, 17 },
    { "carrier-c.example", "+4420555", 50, 2, 6 },
};
#define GATEWAYS_EACH 4

/*
 * Addresses that belong to nobody: subscribers in the network of benchmarks (RFC 2544), proxy and gateways in those of
 * documentation (RFC 5737, RFC 3849).
 */
static struct hep_addr address4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct hep_addr){ .len = 4, .octets = { a, b, c, d } };
}

/* 2001:db8:NET:SUB::HOST with no zero part, so that its text has one form */
static struct hep_addr address6(uint8_t net, uint8_t sub, uint16_t host)
{
    return (struct hep_addr){
        .len = 16,
        .octets = { 0x20, 0x01, 0x0d, 0xb8, 0, net, 0, sub, [14] = (uint8_t)(host >> 8), [15] = (uint8_t)host },
    };
}

static void choose_subscriber(struct demo_party *p, uint64_t *random, bool ip6)
{
    uint32_t customer = random_below(random, COUNT(customers));
    uint32_t number = random_below(random, 9000);
    /* What a number has does not change from call to call: it is made of the number. */
    uint64_t own = (uint64_t)customer << 32 | number;
    *p = (struct demo_party){ .domain = customers[customer].domain, .prefix = customers[customer].prefix };
    p->agent = &phones[random_below(&own, COUNT(phones))];
    p->given = given_names[random_below(&own, COUNT(given_names))];
    p->family = family_names[random_below(&own, COUNT(family_names))];
    p->protocol = random_below(&own, 100) < 15 ? 6 : 17;
    p->port = p->protocol == 6 ? (uint16_t)(40000 + random_below(&own, 20000)) : 5060;
    p->extension = (uint16_t)(1000 + number);
    p->addr = ip6 ? address6(0x18, (uint8_t)(customer + 1), (uint16_t)(number + 1))
                  : address4(198, 18, (uint8_t)(customer * 36 + number / 250), (uint8_t)(1 + number % 250));
    p->media = p->addr;
    p->media_port = (uint16_t)(16384 + 2 * random_below(random, 8000));
}

static void choose_gateway(struct demo_party *p, uint64_t *random, bool ip6, uint32_t carrier)
{
    uint8_t host = (uint8_t)(carriers[carrier].first + random_below(random, GATEWAYS_EACH));
    *p = (struct demo_party){ .domain = carriers[carrier].domain, .prefix = carriers[carrier].prefix };
    p->agent = &gateways[carriers[carrier].agent];
    p->protocol = carriers[carrier].protocol;
    p->port = 5060;
    p->extension = (uint16_t)(1000 + random_below(random, 9000));
    p->addr = ip6 ? address6(0xcb, (uint8_t)(carrier + 1), host) : address4(203, 0, 113, host);
    p->media = ip6 ? address6(0x13, 0xa0, host) : address4(203, 0, 113, (uint8_t)(host + 100));
    p->media_port = (uint16_t)(20000 + 2 * random_below(random, 20000));
}

/* Subscribers call out, are called from outside, or call each other. */
void demo_cast_choose(struct demo_cast *cast, uint64_t *random, bool from_subscriber, bool udp)
{
    uint32_t way = random_below(random, 100);
    bool ip6 = random_below(random, 100) < 8;
    uint32_t carrier = random_below(random, COUNT(carriers));
    bool outward = way < 60;
    bool inward = !from_subscriber && way >= 60 && way < 90;
    if (inward)
        choose_gateway(&cast->a, random, ip6, carrier);
    else
        choose_subscriber(&cast->a, random, ip6);
    if (outward)
        choose_gateway(&cast->b, random, ip6, carrier);
    else
        choose_subscriber(&cast->b, random, ip6);
    choose_gateway(&cast->c, random, ip6, (carrier + 1) % COUNT(carriers));
    cast->c.prefix = cast->b.prefix;
    cast->c.extension = cast->b.extension;
    cast->proxy = ip6 ? address6(0x51, 1, 5) : address4(192, 0, 2, 5);
    if (udp) {
        cast->a.protocol = cast->b.protocol = cast->c.protocol = 17;
        cast->a.port = cast->b.port = 5060;
    }
}

/* ------------------------------------------------------------------------------------------------ text */

static unsigned pair(const struct hep_addr *a, size_t i)
{
    return (unsigned)a->octets[i] << 8 | a->octets[i + 1];
}

void demo_put_address(struct text *t, const struct hep_addr *a)
{
    if (a->len == 4)
        text_add(t, "%u.%u.%u.%u", (unsigned)a->octets[0], (unsigned)a->octets[1], (unsigned)a->octets[2],
                 (unsigned)a->octets[3]);
    else
        text_add(t, "2001:db8:%x:%x::%x", pair(a, 4), pair(a, 6), pair(a, 14));
}

void demo_put_host(struct text *t, const struct hep_addr *addr)
{
    if (addr->len == 16)
        text_put(t, "[", 1);
    demo_put_address(t, addr);
    if (addr->len == 16)
        text_put(t, "]", 1);
}
