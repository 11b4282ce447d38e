#include "rtp/emodel.h"

#include <math.h>
#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------------------------------------ codecs */

#define G113_I  "G.113 appendix I"
#define G113_IV "G.113 appendix IV"

#define NB  EMODEL_NARROW
#define WB  EMODEL_WIDE
#define OWN EMODEL_PLC_OWN

/*
 * In the rows of a name the first one is the preset. Columns: bit rate, clock, scale, concealment, Ie, Bpl, whether
 * each of them is an estimate, source.
 */
static const struct emodel_codec codecs[] = {
    { "PCMU", 0, 8000, NB, OWN, false, false, 0, 25.1, G113_I ", G.711 with the concealment of its appendix I" },
    { "PCMU", 0, 8000, NB, EMODEL_PLC_NONE, false, false, 0, 4.3, G113_I ", G.711 without concealment" },
    { "PCMA", 0, 8000, NB, OWN, false, false, 0, 25.1, G113_I ", G.711 with the concealment of its appendix I" },
    { "PCMA", 0, 8000, NB, EMODEL_PLC_NONE, false, false, 0, 4.3, G113_I ", G.711 without concealment" },
    { "G729", 8000, 8000, NB, OWN, false, false, 11, 19, G113_I ", G.729A with VAD; SDP does not tell annex A" },
    { "G723", 6300, 8000, NB, OWN, false, false, 15, 16.1, G113_I ", G.723.1 with VAD" },
    { "G723", 5300, 8000, NB, OWN, false, true, 19, 16.1, G113_I "; Bpl of the row of 6.3 kbit/s" },
    { "GSM", 13000, 8000, NB, OWN, false, true, 20, 10, G113_I ", GSM-FR; Bpl of GSM-EFR" },
    { "GSM-EFR", 12200, 8000, NB, OWN, false, false, 5, 10, G113_I },
    { "GSM-HR-08", 5600, 8000, NB, OWN, false, true, 23, 10, G113_I ", GSM-HR; Bpl of GSM-EFR" },
    { "AMR", 12200, 8000, NB, OWN, true, true, 5, 10, "the values of GSM-EFR, which its mode of 12.2 kbit/s is" },
    { "G726-32", 32000, 8000, NB, OWN, false, true, 7, 4.3, G113_I "; Bpl of G.711 without concealment" },
    { "G726-40", 40000, 8000, NB, OWN, false, true, 2, 4.3, G113_I "; Bpl of G.711 without concealment" },
    { "G726-24", 24000, 8000, NB, OWN, false, true, 25, 4.3, G113_I "; Bpl of G.711 without concealment" },
    { "G726-16", 16000, 8000, NB, OWN, false, true, 50, 4.3, G113_I "; Bpl of G.711 without concealment" },
    { "G728", 16000, 8000, NB, OWN, false, true, 7, 4.3, G113_I "; Bpl of G.711 without concealment" },
    { "iLBC", 0, 8000, NB, OWN, true, true, 11, 32, "values in use in the field; not of ITU-T" },
    { "G722", 64000, 8000, WB, OWN, false, true, 13, 10, G113_IV "; Bpl of GSM-EFR" },
    { "G722", 64000, 8000, WB, EMODEL_PLC_NONE, false, true, 13, 4.3, G113_IV "; Bpl of G.711 without concealment" },
    { "G722", 56000, 8000, WB, OWN, false, true, 20, 10, G113_IV "; Bpl of GSM-EFR" },
    { "G722", 48000, 8000, WB, OWN, false, true, 31, 10, G113_IV "; Bpl of GSM-EFR" },
    { "AMR-WB", 12650, 16000, WB, OWN, false, true, 13, 10, G113_IV ", G.722.2; Bpl of GSM-EFR" },
    { "AMR-WB", 6600, 16000, WB, OWN, false, true, 41, 10, G113_IV ", G.722.2; Bpl of GSM-EFR" },
    { "AMR-WB", 8850, 16000, WB, OWN, false, true, 26, 10, G113_IV ", G.722.2; Bpl of GSM-EFR" },
    { "AMR-WB", 14250, 16000, WB, OWN, false, true, 10, 10, G113_IV ", G.722.2; Bpl of GSM-EFR" },
    { "AMR-WB", 15850, 16000, WB, OWN, false, true, 7, 10, G113_IV ", G.722.2; Bpl of GSM-EFR" },
    { "AMR-WB", 18250, 16000, WB, OWN, false, true, 5, 10, G113_IV ", G.722.2; Bpl of GSM-EFR" },
    { "AMR-WB", 19850, 16000, WB, OWN, false, true, 3, 10, G113_IV ", G.722.2; Bpl of GSM-EFR" },
    { "AMR-WB", 23050, 16000, WB, OWN, false, true, 1, 10, G113_IV ", G.722.2; Bpl of GSM-EFR" },
    { "AMR-WB", 23850, 16000, WB, OWN, false, true, 8, 10, G113_IV ", G.722.2; Bpl of GSM-EFR" },
    { "G7221", 32000, 16000, WB, OWN, false, true, 13, 10, G113_IV ", G.722.1; Bpl of GSM-EFR" },
    { "G7221", 24000, 16000, WB, OWN, false, true, 19, 10, G113_IV ", G.722.1; Bpl of GSM-EFR" },
    { "opus", 0, 48000, WB, OWN, true, true, 9, 19,
      "Ie: the 10.2 of 148 in use on the full-band scale, brought to 129; Bpl: listening-model experiments (17.6 to "
      "24.8)" },
};

#define CODECS (sizeof(codecs) / sizeof(codecs[0]))

/* Other spellings, of senders that do not use the names of SDP. */
static const struct {
    const char *spelling;
    const char *name;
} spellings[] = {
    { "G711", "PCMU" },     { "G711U", "PCMU" },    { "G711-u", "PCMU" },
    { "G.711", "PCMU" },    { "G.711u", "PCMU" },   { "ulaw", "PCMU" },
    { "G711A", "PCMA" },    { "G711-a", "PCMA" },   { "G.711a", "PCMA" },
    { "alaw", "PCMA" },     { "G729A", "G729" },    { "G729B", "G729" },
    { "G729AB", "G729" },   { "G.729", "G729" },    { "G.729A", "G729" },
    { "G7231", "G723" },    { "G.723", "G723" },    { "G.723.1", "G723" },
    { "GSM-FR", "GSM" },    { "EFR", "GSM-EFR" },   { "AMR-NB", "AMR" },
    { "AMRNB", "AMR" },     { "AMRWB", "AMR-WB" },  { "G.722.2", "AMR-WB" },
    { "G.722", "G722" },    { "G.722.1", "G7221" }, { "G726", "G726-32" },
    { "G.726", "G726-32" }, { "G721", "G726-32" },  { "AAL2-G726-32", "G726-32" },
};

static bool is_name(struct hep_slice name, const char *text)
{
    return name.len == strlen(text) && strncasecmp((const char *)name.ptr, text, name.len) == 0;
}

static struct hep_slice canonical(struct hep_slice name)
{
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        if (is_name(name, spellings[i].spelling))
            return (struct hep_slice){ (const uint8_t *)spellings[i].name, strlen(spellings[i].name) };
    }
    return name;
}

const struct emodel_codec *emodel_codec_at(size_t index)
{
    return index < CODECS ? &codecs[index] : NULL;
}

/* How well a row fits what is asked: its name goes without saying. */
static int fit(const struct emodel_codec *row, uint32_t bit_rate, bool concealment)
{
    return (bit_rate != 0 && row->bit_rate == bit_rate ? 2 : 0) + ((row->plc == OWN) == concealment ? 1 : 0);
}

const struct emodel_codec *emodel_codec(struct hep_slice name, uint32_t bit_rate, bool concealment)
{
    const struct emodel_codec *best = NULL;
    if (name.len == 0)
        return NULL;
    name = canonical(name);
    for (size_t i = 0; i < CODECS; i++) {
        if (is_name(name, codecs[i].name) &&
            (best == NULL || fit(&codecs[i], bit_rate, concealment) > fit(best, bit_rate, concealment)))
            best = &codecs[i];
    }
    return best;
}

/* ------------------------------------------------------------------------------------------------ delay */

/* G.107 table 3, and what follows from the presets of the parameters that no report of the field has. */
#define PRESET_RO      94.7688  /* basic signal to noise ratio (7-3) */
#define PRESET_IS      1.4136   /* simultaneous impairment (7-8) */
#define PRESET_RO_WIDE 129.0    /* G.107.1 section 6.2; Is,WB is 0 */
#define PRESET_NO      (-61.18) /* dBm0p, sum of all noise (7-4) */
#define PRESET_RLR     2.0
#define PRESET_TELR    65.0
#define PRESET_WEPL    110.0

double emodel_idd(double delay_ms)
{
    if (!(delay_ms > 100))
        return 0;
    double x = log2(delay_ms / 100); /* (7-28) with sT = 1, mT = 100 ms */
    return 25 * (pow(1 + pow(x, 6), 1.0 / 6) - 3 * pow(1 + pow(x / 3, 6), 1.0 / 6) + 2); /* (7-27) */
}

/* Talker echo (7-18 to 7-23); 9 <= STMR <= 20 and T as the mean one-way delay of the echo path. */
static double idte(double t)
{
    double terv = PRESET_TELR - 40 * log10((1 + t / 10) / (1 + t / 150)) + 6 * exp(-0.3 * t * t);
    double re = 80 + 2.5 * (terv - 14);
    double roe = -1.5 * (PRESET_NO - PRESET_RLR);
    double half = (roe - re) / 2;
    return (half + sqrt(half * half + 100) - 1) * (1 - exp(-t));
}

/* Listener echo (7-24 to 7-26), over the round trip. */
static double idle(double tr)
{
    double rle = 10.5 * (PRESET_WEPL + 7) * pow(tr + 1, -0.25);
    double half = (PRESET_RO - rle) / 2;
    return half + sqrt(half * half + 169);
}

double emodel_id(double delay_ms)
{
    double t = delay_ms > 0 ? delay_ms : 0;
    return idte(t) + idle(2 * t) + emodel_idd(t);
}

/* ------------------------------------------------------------------------------------------------ rating */

double emodel_mos(double r)
{
    if (!(r > 0))
        return 1;
    if (r >= 100)
        return 4.5;
    double mos = 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6;
    return mos < 1 ? 1 : mos; /* the polynomial is below 1 up to R = 6.5 */
}

double emodel_mos_wide(double r)
{
    return emodel_mos(r / 1.29);
}

/* Nearest value within; what is not a number has been refused before. */
static double within(double v, double min, double max)
{
    return v < min ? min : v > max ? max : v;
}

bool emodel_rate(const struct emodel_input *in, struct emodel_rating *ret)
{
    const struct emodel_codec *c = in->codec;
    if (c == NULL || isnan(in->loss_pct) || isnan(in->burst_ratio) || isnan(in->delay_ms))
        return false;
    struct emodel_rating out = { .codec = c,
                                 .loss_pct = within(in->loss_pct, 0, 100),
                                 .burst_ratio = within(in->burst_ratio, 1, 100),
                                 .delay_ms = within(in->delay_ms, 0, 10000) };
    bool wide = c->scale == EMODEL_WIDE;
    out.id = wide ? emodel_idd(out.delay_ms) : emodel_id(out.delay_ms);
    out.ie_eff = c->ie + (95 - c->ie) * out.loss_pct / (out.loss_pct / out.burst_ratio + c->bpl);
    double r = (wide ? PRESET_RO_WIDE : PRESET_RO - PRESET_IS) - out.id - out.ie_eff;
    out.r = r > 0 ? r : 0;
    out.mos = wide ? emodel_mos_wide(out.r) : emodel_mos(out.r);
    *ret = out;
    return true;
}

double emodel_burst_ratio(double burst_loss_pct, double burst_ms, double gap_loss_pct, double gap_ms)
{
    double total = burst_ms + gap_ms;
    if (!(burst_ms > 0) || !(gap_ms > 0) || !(burst_loss_pct > 0) || !(burst_loss_pct < 100) || !(gap_loss_pct >= 0))
        return 1;
    /* Losses of density d come in runs of 1 / (1 - d) packets: `runs` is how many there are for each lost packet. */
    double mean = (burst_loss_pct * burst_ms + gap_loss_pct * gap_ms) / total / 100;
    double burst_share = burst_loss_pct * burst_ms / total / 100 / mean;
    double runs = burst_share * (1 - burst_loss_pct / 100) + (1 - burst_share) * (1 - within(gap_loss_pct / 100, 0, 1));
    return within((1 - mean) / runs, 1, 100);
}
