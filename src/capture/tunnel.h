/*
 * What is inside an IP packet or a UDP datagram that is a tunnel: where the inner frame or packet begins, and what it
 * begins with. One function a tunnel, two tables that say which: by protocol of IP and by port of UDP.
 *
 * A port alone makes no tunnel: media use any port. Of UDP only what has the header of the tunnel, reserved bits and
 * all, is taken for it; RTP, RTCP, STUN and SIP cannot be.
 */
#ifndef CAPTURE_TUNNEL_H
#define CAPTURE_TUNNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

/* Most tunnels in one another. Mobile cores and overlays have three. */
#define TUNNEL_DEPTH_MAX 8

/* name, text of the counter, constant */
#define TUNNEL_KINDS(X)                                                                                                \
    X(IPIP, "ipip")           /* RFC 2003; also IPv4 in IPv6 (RFC 2473) */                                             \
    X(IP6, "6in4")            /* IPv6 in IPv4 (RFC 4213) or in IPv6 */                                                 \
    X(GRE, "gre")             /* RFC 2784, 2890 */                                                                     \
    X(NVGRE, "nvgre")         /* Ethernet in GRE (RFC 7637) */                                                         \
    X(PPTP, "pptp")           /* GRE version 1 (RFC 2637) */                                                           \
    X(ERSPAN1, "erspan1")     /* mirrored frames in GRE: without a header, */                                          \
    X(ERSPAN2, "erspan2")     /* with eight octets, */                                                                 \
    X(ERSPAN3, "erspan3")     /* with twelve or twenty (draft-foschiano-erspan) */                                     \
    X(ETHERIP, "etherip")     /* RFC 3378 */                                                                           \
    X(MPLS_IP, "mpls_in_ip")  /* RFC 4023; RFC 7510 of UDP */                                                          \
    X(L2TP2, "l2tp2")         /* RFC 2661 */                                                                           \
    X(L2TP3, "l2tp3")         /* RFC 3931, over IP or UDP */                                                           \
    X(VXLAN, "vxlan")         /* RFC 7348 */                                                                           \
    X(VXLAN_GPE, "vxlan_gpe") /* draft-ietf-nvo3-vxlan-gpe */                                                          \
    X(GENEVE, "geneve")       /* RFC 8926 */                                                                           \
    X(GTP_U, "gtp_u")         /* 3GPP TS 29.281 */                                                                     \
    X(TZSP, "tzsp")           /* TaZmen Sniffer Protocol */                                                            \
    X(GRE_UDP, "gre_in_udp")  /* RFC 8086 */

enum tunnel_kind {
#define TUNNEL_ENUM(name, text) TUNNEL_##name,
    TUNNEL_KINDS(TUNNEL_ENUM)
#undef TUNNEL_ENUM
        TUNNEL_KIND_COUNT
};

enum tunnel_result {
    TUNNEL_NONE,    /* not a tunnel */
    TUNNEL_OK,      /* something is inside */
    TUNNEL_CONTROL, /* signalling or keep-alive of a tunnel, or a protocol inside that carries no IP */
    TUNNEL_SHORT,   /* ends inside the tunnel's header (of IP alone) */
    TUNNEL_HEADER   /* impossible header (of IP alone) */
};

struct tunnel_inner {
    enum tunnel_kind kind;
    bool by_type; /* `type` is an Ethernet type; else a link type of link.h */
    unsigned type;
    struct hep_slice data; /* from the inner header on; within what was asked about */
    /* Number of the virtual network or tunnel, 0 without one: the same addresses in two of them are not the same. */
    uint32_t network;
    bool has_vlan; /* ERSPAN tells the tag that the mirrored frame had */
    uint16_t vlan;
};

/* *ret is of use on TUNNEL_OK only; but for its kind, which is also set on _CONTROL, _SHORT and _HEADER. */
enum tunnel_result tunnel_of_ip(unsigned protocol, struct hep_slice payload, struct tunnel_inner *ret);
enum tunnel_result tunnel_of_udp(uint16_t src_port, uint16_t dst_port, struct hep_slice payload,
                                 struct tunnel_inner *ret);

/* "vxlan"; static. */
const char *tunnel_name(enum tunnel_kind kind);

#endif
