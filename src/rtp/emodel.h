/*
 * Listening and conversational quality out of figures of the network: the E-model of ITU-T G.107 (06/2015) for narrow
 * band and of G.107.1 for wide band, with the codec parameters of G.113 Appendix I and IV. docs/media.md has the
 * formulas and the tables.
 *
 *     const struct emodel_codec *codec = emodel_codec(name, 0, true);
 *     if (codec != NULL)
 *         emodel_rate(&(struct emodel_input){ .codec = codec, .loss_pct = 1.5, .delay_ms = 80 }, &rating);
 *
 * The result carries what it was computed from, so that a number can be checked by hand. Nothing is guessed: there is
 * no rating for a codec that is not in the table.
 */
#ifndef RTP_EMODEL_H
#define RTP_EMODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hep/hep.h"

enum emodel_scale {
    EMODEL_NARROW, /* R up to 93.2 (G.107) */
    EMODEL_WIDE    /* R up to 129 (G.107.1); the MOS is on the scale of wide-band listeners */
};

/* Packet loss concealment that a row is about. */
enum emodel_plc { EMODEL_PLC_OWN, EMODEL_PLC_NONE };

struct emodel_codec {
    const char *name;   /* encoding name of SDP, as it is mostly written */
    uint32_t bit_rate;  /* bit/s, 0: the codec has one only, or is rated alike at all */
    uint32_t clock;     /* of RTP, Hz */
    uint8_t scale;      /* enum emodel_scale */
    uint8_t plc;        /* enum emodel_plc */
    bool ie_estimated;  /* not a value of ITU-T; `source` says where it is from */
    bool bpl_estimated; /* the same of bpl */
    double ie;          /* equipment impairment without loss; Ie,WB where the scale is wide */
    double bpl;         /* packet-loss robustness, percent */
    const char *source;
};

/*
 * Row of a codec: by its encoding name (any case, and the other spellings of docs/media.md), its bit rate (0: not
 * known; then, or if no row has this rate, the preset row of the name) and whether the receiver conceals losses, which
 * is what every receiver of today does. NULL if there is none.
 */
const struct emodel_codec *emodel_codec(struct hep_slice name, uint32_t bit_rate, bool concealment);

/* Row `index` of the table, in order; NULL behind the last. */
const struct emodel_codec *emodel_codec_at(size_t index);

struct emodel_input {
    const struct emodel_codec *codec;
    double loss_pct;    /* of packets, late ones that the jitter buffer dropped included; 0..100 */
    double burst_ratio; /* BurstR: observed length of loss bursts by that of random loss; below 1, or 0: random (1) */
    double delay_ms;    /* one way, mouth to ear; of the network alone if nothing else is known */
};

struct emodel_rating {
    double r;   /* 0..93.2 or 0..129 */
    double mos; /* 1..4.5; MOS-CQE, see docs/media.md */
    /* what it was computed from, after limits */
    const struct emodel_codec *codec;
    double loss_pct, burst_ratio, delay_ms;
    double id;     /* delay impairment */
    double ie_eff; /* equipment impairment with loss */
};

/*
 * Rates; false, and nothing is written, if there is no codec or a figure is not a number. Figures out of range are
 * brought to the nearest end of it: loss 0..100 %, delay 0..10000 ms, burst ratio 1..100.
 */
bool emodel_rate(const struct emodel_input *in, struct emodel_rating *ret);

/* MOS of an R of the narrow-band scale (G.107 annex B): 1 up to 0, 4.5 from 100 on. Not a number: 1. */
double emodel_mos(double r);

/* The same of the wide-band scale (G.107.1 annex A). */
double emodel_mos_wide(double r);

/* Id of G.107 for a one-way delay in ms with the presets of all other parameters: Idte + Idle + Idd. */
double emodel_id(double delay_ms);

/* Idd alone, the part that pure delay has without any echo. */
double emodel_idd(double delay_ms);

/*
 * BurstR from the two densities and lengths of RFC 3611 section 4.7.2: burst and gap loss in percent, lengths in ms. 1
 * if there is no telling. It is at least 1.
 */
double emodel_burst_ratio(double burst_loss_pct, double burst_ms, double gap_loss_pct, double gap_ms);

#endif
