/* Who takes part in a call. Private to this folder. */
#ifndef DEMO_CAST_H
#define DEMO_CAST_H

#include <stdbool.h>
#include <stdint.h>

#include "demo/text.h"
#include "hep/hep.h"

/* A kind of program: what it calls itself and what it can do. */
struct demo_agent {
    const char *name;
    const char *formats; /* of its SDP offer: static payload types and those of `maps` */
    const char *maps;    /* their lines */
    const char *first;   /* what it offers first, and its line */
    const char *first_map;
    uint32_t clock; /* RTP clock of `first`, Hz */
};

struct demo_party {
    const struct demo_agent *agent;
    const char *domain;
    const char *prefix; /* of the number, which has 4 more digits */
    const char *given;  /* name of a person; NULL: a carrier shows none */
    const char *family;
    uint16_t extension;   /* 1000..9999: the 4 digits */
    uint16_t port;        /* SIP */
    uint16_t media_port;  /* RTP, even */
    uint8_t protocol;     /* 17 UDP, 6 TCP */
    struct hep_addr addr; /* SIP */
    struct hep_addr media;
};

struct demo_cast {
    struct demo_party a, b, c; /* c is another way to b */
    struct hep_addr proxy;
};

#define PROXY_PORT   5060
#define PROXY_DOMAIN "example.org"
#define PROXY_NAME   "kamailio (5.6.3 (x86_64/linux))"
#define BRIDGE_NAME  "sbc 4.2"
#define PROXY_NODE   "proxy1"
#define PROXY_ID     2001

/* Chooses the cast of a call; udp: whatever the parties like, this call goes over UDP. */
void demo_cast_choose(struct demo_cast *cast, uint64_t *random, bool from_subscriber, bool udp);

/* Address as text: as it is, or as URIs have it, IPv6 in brackets. */
void demo_put_address(struct text *t, const struct hep_addr *addr);
void demo_put_host(struct text *t, const struct hep_addr *addr);

#endif
