/* What went wrong: one scenario after the other, and all that is found in it. */
#include "diagnosis_script.h"
#include "query/q850.h"

#define S 1000

/* What scenarios are made of. A calls B by way of P. */
#define INVITES  "0 A>P INVITE 1 1 sdp\n10 P>A 100 1 1\n20 P>B INVITE 1 2 via=2 sdp=A\n30 B>P 100 1 2 via=2\n"
#define RINGS    "900 B>P 180 1 2 via=2\n910 P>A 180 1 1\n"
#define OK       "4000 B>P 200 1 2 via=2 sdp\n4010 P>A 200 1 1 sdp=B\n"
#define ACKS     "4020 A>P ACK 1 3\n4030 P>B ACK 1 4 via=2\n"
#define ANSWERED INVITES RINGS OK ACKS
#define BYE      "60000 A>P BYE 2 5\n60010 P>B BYE 2 6 via=2\n60020 B>P 200/BYE 2 6 via=2\n60030 P>A 200/BYE 2 5\n"
#define REFUSED(status)                                                                                                \
    "2000 B>P " status " 1 2 via=2\n2001 P>B ACK 1 2 via=2\n2010 P>A " status " 1 1\n2020 A>P ACK 1 1\n"
#define CANCELLED                                                                                                      \
    "9000 A>P CANCEL 1 1\n9005 P>A 200/CANCEL 1 1\n9010 P>B CANCEL 1 2 via=2\n9015 B>P 200/CANCEL 1 2 via=2\n"         \
    "9020 B>P 487 1 2 via=2\n9025 P>B ACK 1 2 via=2\n9030 P>A 487 1 1\n9040 A>P ACK 1 1\n"
#define DIRECT      "0 A>B INVITE 1 1 sdp\n10 B>A 180 1 1\n"
#define DIRECT_OK   DIRECT "3000 B>A 200 1 1 sdp\n3010 A>B ACK 1 2\n"
#define DIRECT_BYE  "50000 A>B BYE 9 8\n50010 B>A 200/BYE 9 8\n"
#define CHALLENGE   "h=WWW-Authenticate:_Digest_realm=\"r\",nonce=\"n\""
#define STALE       "h=WWW-Authenticate:_Digest_realm=\"r\",nonce=\"m\",stale=TRUE"
#define CREDENTIALS "h=Authorization:_Digest_username=\"u\",realm=\"r\",nonce=\"n\""

struct scenario {
    const char *script;
    const char *expect; /* ids, worst first, in the order of their evidence */
    const char *says;   /* a part of the sentence of the first one; NULL: whatever */
    int64_t now_ms;     /* 0: it is over */
};

/* clang-format off */
static const struct scenario scenarios[] = {
    /* Nothing wrong. */
    { ANSWERED BYE, "", NULL, 0 },
    { ANSWERED, "", NULL, 0 },
    { INVITES RINGS, "", NULL, 100 * S },
    { "0 A>P OPTIONS 1 1\n10 P>A 200/OPTIONS 1 1\n", "", NULL, 0 },
    { "0 A>P REGISTER 1 1\n10 P>A 401/REGISTER 1 1 " CHALLENGE "\n20 A>P REGISTER 2 2 " CREDENTIALS "\n30 P>A 200/REGISTER 2 2\n",
      "", NULL, 0 },
    /* no-response: one copy, two copies, TCP; still under way; 100 alone is a response. */
    { "0 A>B INVITE 1 1 sdp\n", "no-response", "from 10.0.0.65:5060 to 10.0.0.66:5060, sent once, got no response", 0 },
    { "0 A>B INVITE 1 1 sdp\n500 A>B INVITE 1 1 sdp\n", "no-response", "sent twice", 0 },
    { "0 A>B INVITE 1 1 sdp tcp\n", "no-response", "sent once over tcp", 0 },
    { "0 A>B INVITE 1 1 sdp\n", "", NULL, 5 * S },
    { "0 A>B INVITE 1 1 sdp\n10 B>A 100 1 1\n", "", NULL, 100 * S },
    { "0 A>P INVITE 1 1 sdp\n10 P>A 100 1 1\n20 P>B INVITE 1 2 via=2 sdp=A\n", "no-response", "from 10.0.0.80:5060 to 10.0.0.66:5060", 0 },
    /* retransmit-timeout */
    { "0 A>P INVITE 1 1 sdp\n10 P>A 100 1 1\n20 P>B INVITE 1 2 via=2 sdp=A\n520 P>B INVITE 1 2 via=2 sdp=A\n"
      "1520 P>B INVITE 1 2 via=2 sdp=A\n3520 P>B INVITE 1 2 via=2 sdp=A\n", "retransmit-timeout",
      "10.0.0.66:5060 does not answer: 10.0.0.80:5060 sent the INVITE 4 times within 3.5 s and got no response.", 0 },
    { "0 A>P REGISTER 1 1\n500 A>P REGISTER 1 1\n1500 A>P REGISTER 1 1\n", "retransmit-timeout", "sent the REGISTER 3 times", 0 },
    { DIRECT "900 B>A 486 1 1\n1400 B>A 486 1 1\n2400 B>A 486 1 1\n", "retransmit-timeout busy", "was sent 3 times within 1.5 s without an ACK", 0 },
    { DIRECT "900 B>A 486 1 1\n1400 B>A 486 1 1\n2400 B>A 486 1 1\n2410 A>B ACK 1 1\n", "busy", NULL, 0 },
    /* no-final-response: after timer C; not where a request behind it got no response, nor where it was cancelled */
    { INVITES RINGS, "no-final-response", "from 10.0.0.80:5060 to 10.0.0.66:5060 got 180 Text and no final response", 0 },
    { DIRECT, "no-final-response", NULL, 181 * S },
    { DIRECT, "", NULL, 179 * S },
    { "0 A>P INVITE 1 1 sdp\n10 P>A 100 1 1\n20 P>B INVITE 1 2 via=2 sdp=A\n", "no-response", NULL, 0 },
    { DIRECT "900 A>B CANCEL 1 1\n910 B>A 200/CANCEL 1 1\n", "no-answer", NULL, 0 },
    /* one direction alone: what the other one said is not known */
    { "0 A>B INVITE 1 1 sdp\n3000 A>B ACK 1 2 t=b\n50000 A>B BYE 2 3 t=b\n", "capture-gap", "but the 200 was not seen", 0 },
    { "10 B>A 180 1 1\n3000 B>A 200 1 1 sdp\n50010 B>A 200/BYE 2 3\n", "capture-gap", "only the responses were seen", 0 },
    /* retransmissions: then answered; the copies of a second tap are none */
    { "0 A>B INVITE 1 1 sdp\n500 A>B INVITE 1 1 sdp\n510 B>A 100 1 1\n", "retransmissions", "1 request had to be repeated", 100 * S },
    { "0 A>B INVITE 1 1 sdp tap=1\n1 A>B INVITE 1 1 sdp tap=2\n510 B>A 100 1 1\n", "", NULL, 100 * S },
    /* no-ack */
    { INVITES RINGS OK, "no-ack", "from 10.0.0.66:5060 to 10.0.0.80:5060 got no ACK; it was not repeated", 0 },
    { INVITES RINGS OK "4500 B>P 200 1 2 via=2 sdp\n5500 B>P 200 1 2 via=2 sdp\n", "no-ack", "sent 3 times within 1.5 s, got no ACK", 0 },
    { INVITES RINGS OK, "", NULL, 6 * S },
    /* ack-lost: the proxy keeps the ACK, and the ACK goes all the way; a 200 repeated before the ACK came */
    { INVITES RINGS OK "4020 A>P ACK 1 3\n4500 B>P 200 1 2 via=2 sdp\n5500 B>P 200 1 2 via=2 sdp\n", "ack-lost", "it was not passed on", 0 },
    { DIRECT_OK "3500 B>A 200 1 1 sdp\n4500 B>A 200 1 1 sdp\n", "ack-lost", "up to 1.5 s after the ACK from 10.0.0.65:5060 to 10.0.0.66:5060 was sent: it does not arrive", 0 },
    { DIRECT "3000 B>A 200 1 1 sdp\n3500 B>A 200 1 1 sdp\n3510 A>B ACK 1 2\n", "", NULL, 0 },
    /* no-prack */
    { "0 A>B INVITE 1 1 sdp\n100 B>A 183 1 1 sdp h=RSeq:1\n600 B>A 183 1 1 sdp h=RSeq:1\n", "no-prack retransmissions", "repeated after 500 ms, and there is no PRACK", 100 * S },
    { "0 A>B INVITE 1 1 sdp\n100 B>A 183 1 1 sdp h=RSeq:1\n600 B>A 183 1 1 sdp h=RSeq:1\n610 A>B PRACK 2 2\n620 B>A 200/PRACK 2 2\n", "retransmissions", NULL, 100 * S },
    { "0 A>B INVITE 1 1 sdp\n100 B>A 180 1 1\n60100 B>A 180 1 1\n", "retransmissions", NULL, 100 * S },
    /* bye-unanswered */
    { DIRECT_OK "50000 A>B BYE 2 8\n50500 A>B BYE 2 8\n", "bye-unanswered", "The BYE from 10.0.0.65:5060 to 10.0.0.66:5060, sent twice", 0 },
    { DIRECT_OK "50000 A>B BYE 2 8\n", "", NULL, 51 * S },
    /* short-call */
    { DIRECT_OK "4000 B>A BYE 1 8 f=b t=a\n4010 A>B 200/BYE 1 8 f=b t=a\n", "short-call", "ended after 1.0 s by a BYE from 10.0.0.66:5060", 0 },
    { DIRECT_OK "5000 B>A BYE 1 8 f=b t=a\n5010 A>B 200/BYE 1 8 f=b t=a\n", "", NULL, 0 },
    /* cancel-crossed */
    { DIRECT "2990 A>B CANCEL 1 1\n3000 B>A 200 1 1 sdp\n3005 B>A 200/CANCEL 1 1\n3010 A>B ACK 1 2\n3100 A>B BYE 2 8\n3110 B>A 200/BYE 2 8\n",
      "short-call cancel-crossed", NULL, 0 },
    { INVITES RINGS CANCELLED, "no-answer", "for 8.1 s, then 10.0.0.65:5060 gave up (CANCEL)", 0 },
    /* glare */
    { DIRECT_OK "9000 A>B INVITE 2 5 t=b sdp\n9010 B>A 491 2 5\n9020 A>B ACK 2 5\n", "glare", "both sides changed the session", 0 },
    { DIRECT_OK "9000 A>B INVITE 2 5 t=b sdp\n9010 B>A 500 2 5\n9020 A>B ACK 2 5\n", "", NULL, 0 },
    /* high-pdd: the hop that took the time */
    { INVITES "7000 B>P 180 1 2 via=2\n7010 P>A 180 1 1\n", "high-pdd", "It took 7.0 s from the INVITE to the 180 Text; 7.0 s of it until an answer came from 10.0.0.66:5060", 100 * S },
    { "0 A>P INVITE 1 1 sdp\n10 P>A 100 1 1\n6000 P>B INVITE 1 2 via=2 sdp=A\n6010 B>P 180 1 2 via=2\n6020 P>A 180 1 1\n", "high-pdd",
      "6.0 s of it until the INVITE was passed on by 10.0.0.80:5060", 100 * S },
    { INVITES "4900 B>P 180 1 2 via=2\n4910 P>A 180 1 1\n", "", NULL, 100 * S },
    /* no-answer, early-media-no-answer, abandoned */
    { DIRECT "30000 B>A 480 1 1 h=Reason:Q.850;cause=19\n30010 A>B ACK 1 1\n", "no-answer", "for 30.0 s, then 10.0.0.66:5060 answered 480 Text; Q.850 cause 19: no answer from user", 0 },
    { "0 A>B INVITE 1 1 sdp\n1000 B>A 183 1 1 sdp\n20000 A>B CANCEL 1 1\n20010 B>A 200/CANCEL 1 1\n20020 B>A 487 1 1\n20030 A>B ACK 1 1\n", "early-media-no-answer", "no answer for 19.0 s", 0 },
    { "0 A>B INVITE 1 1 sdp\n10 B>A 100 1 1\n4000 A>B CANCEL 1 1\n4010 B>A 200/CANCEL 1 1\n4020 B>A 487 1 1\n4030 A>B ACK 1 1\n", "abandoned", "gave up 4.0 s after the INVITE", 0 },
    /* final statuses, where they come from */
    { INVITES REFUSED("486"), "busy", "10.0.0.66:5060 answered 486 Text to the INVITE for 200@example.org.", 0 },
    { INVITES REFUSED("603"), "declined", NULL, 0 },
    { INVITES REFUSED("404"), "unknown-number", NULL, 0 },
    { INVITES REFUSED("484"), "unknown-number", NULL, 0 },
    { INVITES REFUSED("410"), "gone", NULL, 0 },
    { INVITES REFUSED("480"), "unavailable", NULL, 0 },
    { INVITES REFUSED("420"), "not-acceptable", NULL, 0 },
    { INVITES REFUSED("403"), "forbidden", NULL, 0 },
    { INVITES REFUSED("504"), "call-timeout", NULL, 0 },
    { INVITES REFUSED("500"), "server-error", NULL, 0 },
    { INVITES REFUSED("400"), "call-failed", NULL, 0 },
    { INVITES REFUSED("503") "2030 P>B INVITE 1 7 via=2 sdp=A\n" "2100 B>P 180 1 7 via=2\n", "server-error", NULL, 0 },
    /* abnormal-release */
    { DIRECT_OK "9000 B>A BYE 1 8 f=b t=a h=Reason:Q.850;cause=38\n9010 A>B 200/BYE 1 8 f=b t=a\n", "abnormal-release", "Q.850 cause 38: network out of order", 0 },
    { DIRECT_OK "9000 B>A BYE 1 8 f=b t=a h=Reason:Q.850;cause=16\n9010 A>B 200/BYE 1 8 f=b t=a\n", "", NULL, 0 },
    /* cause-contradicts */
    { DIRECT "900 B>A 486 1 1 h=Reason:Q.850;cause=1\n910 A>B ACK 1 1\n", "cause-contradicts busy", "but the Q.850 cause is 1: unallocated", 0 },
    { DIRECT "900 B>A 486 1 1 h=Reason:Q.850;cause=17\n910 A>B ACK 1 1\n", "busy", "Q.850 cause 17: user busy", 0 },
    /* session-expired: by the reason, by the time, refreshed, hung up long before */
    { DIRECT_OK "9000 B>A BYE 1 8 f=b t=a h=Reason:SIP;cause=408;text=\"Session_timer_expired\"\n9010 A>B 200/BYE 1 8 f=b t=a\n", "session-expired", "Reason: Session timer expired", 0 },
    { DIRECT "3000 B>A 200 1 1 sdp h=Session-Expires:90;refresher=uac\n3010 A>B ACK 1 2\n65000 B>A BYE 1 8 f=b t=a\n65010 A>B 200/BYE 1 8 f=b t=a\n",
      "session-expired", "62.0 s after the last refresh, Session-Expires being 90 s, refresher uac", 0 },
    { DIRECT "3000 B>A 200 1 1 sdp h=Session-Expires:90;refresher=uac\n3010 A>B ACK 1 2\n48000 A>B UPDATE 2 6\n48010 B>A 200/UPDATE 2 6 h=Session-Expires:90;refresher=uac\n"
      "65000 B>A BYE 1 8 f=b t=a\n65010 A>B 200/BYE 1 8 f=b t=a\n", "", NULL, 0 },
    { DIRECT "3000 B>A 200 1 1 sdp h=Session-Expires:90;refresher=uac\n3010 A>B ACK 1 2\n40000 B>A BYE 1 8 f=b t=a\n40010 A>B 200/BYE 1 8 f=b t=a\n", "", NULL, 0 },
    /* transfer-failed */
    { DIRECT_OK "9000 A>B REFER 2 5 h=Refer-To:<sip:300@example.org>\n9010 B>A 603/REFER 2 5\n", "transfer-failed", "10.0.0.66:5060 refused the transfer to sip:300@example.org (REFER) with 603", 0 },
    { DIRECT_OK "9000 A>B REFER 2 5 h=Refer-To:<sip:300@example.org>\n9010 B>A 202/REFER 2 5\n9900 B>A NOTIFY 1 6 f=b t=a frag=486\n9910 A>B 200/NOTIFY 1 6 f=b t=a\n",
      "transfer-failed", "the target answered 486", 0 },
    { DIRECT_OK "9000 A>B REFER 2 5 h=Refer-To:<sip:300@example.org>\n9010 B>A 202/REFER 2 5\n9900 B>A NOTIFY 1 6 f=b t=a frag=200\n9910 A>B 200/NOTIFY 1 6 f=b t=a\n", "", NULL, 0 },
    /* auth-loop, wrong-credentials, auth-abandoned */
    { "0 A>P REGISTER 1 1\n10 P>A 401/REGISTER 1 1 " CHALLENGE "\n20 A>P REGISTER 2 2 " CREDENTIALS "\n30 P>A 401/REGISTER 2 2 " CHALLENGE
      "\n40 A>P REGISTER 3 3 " CREDENTIALS "\n50 P>A 401/REGISTER 3 3 " CHALLENGE "\n60 A>P REGISTER 4 4 " CREDENTIALS "\n70 P>A 401/REGISTER 4 4 " CHALLENGE "\n",
      "auth-loop", "4 times, 3 times although it had credentials of user u in realm r", 0 },
    { "0 A>P REGISTER 1 1\n10 P>A 401/REGISTER 1 1 " CHALLENGE "\n20 A>P REGISTER 2 2 " CREDENTIALS "\n30 P>A 401/REGISTER 2 2 " CHALLENGE "\n",
      "wrong-credentials", "refused the credentials of user u in realm r: 401", 0 },
    { "0 A>P REGISTER 1 1 " CREDENTIALS "\n10 P>A 403/REGISTER 1 1\n", "wrong-credentials", NULL, 0 },
    { "0 A>P REGISTER 1 1\n10 P>A 401/REGISTER 1 1 " CHALLENGE "\n20 A>P REGISTER 2 2 " CREDENTIALS "\n30 P>A 401/REGISTER 2 2 " STALE
      "\n40 A>P REGISTER 3 3 " CREDENTIALS "\n50 P>A 200/REGISTER 3 3\n", "", NULL, 0 },
    { "0 A>P INVITE 1 1 sdp\n10 P>A 401 1 1 " CHALLENGE "\n20 A>P ACK 1 1\n", "auth-abandoned", "asked 10.0.0.65:5060 for credentials (401 Text to INVITE) of realm r", 0 },
    { "0 A>P INVITE 1 1 sdp\n10 P>A 401 1 1 " CHALLENGE "\n20 A>P ACK 1 1\n", "", NULL, 1 * S },
    /* registration-expired: run out, ended, still there */
    { "0 B>P REGISTER 1 9 id=reg to=200 h=Expires:60\n10 P>B 200/REGISTER 1 9 id=reg to=200 h=Expires:60\n"
      "90000 A>P INVITE 1 1 sdp\n90010 P>A 480 1 1\n90020 A>P ACK 1 1\n", "registration-expired unavailable",
      "200@example.org was not registered any more: the last registration, for 60 s, ran out 30.0 s before the INVITE, which got 480", 0 },
    { "0 B>P REGISTER 1 9 id=reg to=200 h=Expires:0\n10 P>B 200/REGISTER 1 9 id=reg to=200\n"
      "5000 A>P INVITE 1 1 sdp\n5010 P>A 404 1 1\n5020 A>P ACK 1 1\n", "registration-expired unknown-number", "was ended 5.0 s before", 0 },
    { "0 B>P REGISTER 1 9 id=reg to=200 h=Expires:600\n10 P>B 200/REGISTER 1 9 id=reg to=200 h=Expires:600\n"
      "90000 A>P INVITE 1 1 sdp\n90010 P>A 480 1 1\n90020 A>P ACK 1 1\n", "unavailable", NULL, 0 },
    /* redirect-loop */
    { "0 A>P INVITE 1 1 sdp ruri=200@p\n10 P>A 302 1 1 c=300@p\n20 A>P ACK 1 1\n30 A>P INVITE 2 2 sdp ruri=300@p\n40 P>A 302 2 2 c=200@p\n50 A>P ACK 2 2\n",
      "redirect-loop", "redirects the call to 200@p, where it has been already; redirections: 2", 0 },
    { "0 A>P INVITE 1 1 sdp ruri=200@p\n10 P>A 302 1 1 c=300@p\n20 A>P ACK 1 1\n30 A>P INVITE 2 2 sdp ruri=300@p\n40 P>A 180 2 2\n", "", NULL, 100 * S },
    /* loop-detected, too-many-hops */
    { INVITES REFUSED("482"), "loop-detected", "10.0.0.66:5060 has seen the request before: 482", 0 },
    { INVITES REFUSED("483"), "too-many-hops", "which had 2 Via and Max-Forwards 70", 0 },
    { "0 A>B INVITE 1 1 sdp mf=0\n10 B>A 100 1 1\n", "too-many-hops", "has Max-Forwards 0 behind 1 Via", 100 * S },
    { "0 A>B OPTIONS 1 1 mf=0\n10 B>A 404/OPTIONS 1 1\n", "", NULL, 0 },
    /* fork-race */
    { "0 A>P INVITE 1 1 sdp\n10 P>A 100 1 1\n20 P>B INVITE 1 2 via=2 sdp=A\n21 P>C INVITE 1 3 via=2 sdp=A\n30 B>P 200 1 2 via=2 sdp t=b\n31 P>A 200 1 1 t=b sdp=B\n"
      "35 C>P 200 1 3 via=2 sdp t=c\n36 P>A 200 1 1 t=c sdp=C\n40 A>P ACK 1 4 t=b\n41 P>B ACK 1 5 via=2\n42 A>P ACK 1 6 t=c\n43 P>C ACK 1 7 via=2 t=c\n"
      "50 A>P BYE 2 8 t=c\n51 P>C BYE 2 9 via=2 t=c\n52 C>P 200/BYE 2 9 via=2 t=c\n53 P>A 200/BYE 2 8 t=c\n", "fork-race",
      "2 devices answered the INVITE: the first 200 from 10.0.0.66:5060, the second from 10.0.0.67:5060 5 ms later; the second got a BYE 15 ms", 0 },
    { "0 A>P INVITE 1 1 sdp\n10 P>A 100 1 1\n20 P>B INVITE 1 2 via=2 sdp=A\n21 P>C INVITE 1 3 via=2 sdp=A\n22 C>P 180 1 3 via=2 t=c\n30 B>P 200 1 2 via=2 sdp t=b\n"
      "31 P>A 200 1 1 t=b sdp=B\n32 P>C CANCEL 1 3 via=2\n33 C>P 200/CANCEL 1 3 via=2\n34 C>P 487 1 3 via=2 t=c\n35 P>C ACK 1 3 via=2 t=c\n40 A>P ACK 1 4\n41 P>B ACK 1 5 via=2\n",
      "", NULL, 0 },
    /* transport-trouble */
    { "0 A>P INVITE 1 1 sdp\n10 P>A 503 1 1 h=Reason:SIP;cause=503;text=\"TLS_handshake_failed\"\n20 A>P ACK 1 1\n", "transport-trouble server-error",
      "10.0.0.80:5060 cannot reach the next hop: 503 Text with TLS handshake failed", 0 },
    { "0 A>P INVITE 1 1 sdp\n10 P>A 408 1 1\n20 A>P ACK 1 1\n", "transport-trouble call-timeout", "10.0.0.80:5060 answered 408 Text after 10 ms and sent the INVITE nowhere", 0 },
    { "0 A>P INVITE 1 1 sdp\n32000 P>A 408 1 1\n32010 A>P ACK 1 1\n", "call-timeout high-pdd", NULL, 0 },
    { "0 A>B INVITE 1 1 sdp tcp\n400 A>B INVITE 1 2 sdp udp\n500 B>A 180 1 2\n", "transport-trouble", NULL, 100 * S },
    { "0 A>P INVITE 1 1 sdp\n10 P>A 503 1 1\n20 A>P ACK 1 1\n", "server-error", NULL, 0 },
    /* udp-too-big */
    { "0 A>B INVITE 1 1 sdp len=1800\n", "no-response udp-too-big", NULL, 0 },
    { "0 A>B INVITE 1 1 sdp len=1800 tcp\n", "no-response", NULL, 0 },
    { "0 A>B INVITE 1 1 sdp len=1800\n10 B>A 100 1 1\n", "", NULL, 100 * S },
    /* codec-mismatch: refused, with both lists; disjoint; telephone-event is no codec; case does not matter */
    { "0 A>B INVITE 1 1 sdp=A:4000:-:G729,opus\n10 B>A 488 1 1 sdp=B:0:-:PCMA h=Warning:304_b_\"media\"\n20 A>B ACK 1 1\n", "codec-mismatch",
      "10.0.0.66:5060 refused the media: 488 Text; offered by 10.0.0.65:5060: G729, opus; of its own: PCMA; Warning 304 media", 0 },
    { "0 A>B INVITE 1 1 sdp\n10 B>A 415 1 1\n20 A>B ACK 1 1\n", "codec-mismatch", "of its own: not told", 0 },
    { "0 A>B INVITE 1 1 sdp=A:4000:-:G729\n10 B>A 200 1 1 sdp=B:4000:-:PCMA\n20 A>B ACK 1 2\n", "codec-mismatch", "10.0.0.65:5060 offers G729; 10.0.0.66:5060 answers PCMA", 0 },
    { "0 A>B INVITE 1 1 sdp=A:4000:-:G729\n10 B>A 200 1 1 sdp=B:4000:-:g729\n20 A>B ACK 1 2\n", "", NULL, 0 },
    /* no-sdp-answer; a late offer is none */
    { DIRECT "3000 B>A 200 1 1\n3010 A>B ACK 1 2\n", "no-sdp-answer", NULL, 0 },
    { "0 A>B INVITE 1 1\n3000 B>A 200 1 1 sdp\n3010 A>B ACK 1 2 sdp\n", "", NULL, 0 },
    /* private-sdp, private-contact: public sender, public receiver, ICE-less, repaired by a relay, all private */
    { "0 x>y INVITE 1 1 sdp=192.168.1.2\n10 y>x 180 1 1\n", "private-sdp", "wants media at the private address 192.168.1.2:4000, though it came from a public one", 100 * S },
    { "0 A>y INVITE 1 1 sdp c=x\n10 y>A 180 1 1\n", "private-sdp", "though it goes to a public one", 100 * S },
    { "0 x>y INVITE 1 1 sdp=192.168.1.2\n10 y>x 100 1 1\n20 y>z INVITE 1 2 via=2 sdp=y\n30 z>y 100 1 2 via=2\n", "", NULL, 100 * S },
    { "0 x>y INVITE 1 1 sdp c=192.168.1.2\n10 y>x 180 1 1\n", "private-contact", "The INVITE from 203.0.113.120:5060 to 203.0.113.121:5060 has the private address 192.168.1.2 in its Contact", 100 * S },
    { "0 x>y INVITE 1 1 sdp c=phone.example.org\n10 y>x 180 1 1\n", "", NULL, 100 * S },
    /* media-elsewhere: reports silence it */
    { "0 A>B INVITE 1 1 sdp=M\n10 B>A 200 1 1 sdp\n20 A>B ACK 1 2\n", "media-elsewhere", "10.0.0.77:4000 (signalling 10.0.0.65:5060)", 0 },
    { "0 A>B INVITE 1 1 sdp=M\n10 B>A 200 1 1 sdp\n20 A>B ACK 1 2\n5000 M>B RTCP 1 1\n", "", NULL, 0 },
    /* one-way-audio */
    { "0 A>B INVITE 1 1 sdp=A:4000:sendonly\n10 B>A 200 1 1 sdp=B:4000:recvonly\n20 A>B ACK 1 2\n", "one-way-audio", "10.0.0.65:5060 offers sendonly", 0 },
    { DIRECT "3000 B>A 200 1 1 sdp=B:4000:recvonly\n3010 A>B ACK 1 2\n", "one-way-audio", "10.0.0.66:5060 answers with recvonly: it does not send", 0 },
    { DIRECT "3000 B>A 200 1 1 sdp=B:0\n3010 A>B ACK 1 2\n", "one-way-audio", "port 0: there is no audio in either direction", 0 },
    { DIRECT "3000 B>A 200 1 1 sdp=0.0.0.0\n3010 A>B ACK 1 2\n", "one-way-audio", "0.0.0.0", 0 },
    { DIRECT "3000 B>A 200 1 1 sdp=B:4000:sendrecv\n3010 A>B ACK 1 2\n", "", NULL, 0 },
    /* hold-no-resume */
    { DIRECT_OK "9000 A>B INVITE 2 5 t=b sdp=A:4000:sendonly\n9010 B>A 200 2 5 sdp=B:4000:recvonly\n9020 A>B ACK 2 6\n50000 A>B BYE 3 8\n50010 B>A 200/BYE 3 8\n",
      "hold-no-resume", "10.0.0.65:5060 put the call on hold (sendonly) and it was not resumed before the BYE, 41.0 s later", 0 },
    { DIRECT_OK "9000 A>B INVITE 2 5 t=b sdp=A:4000:sendonly\n9010 B>A 200 2 5 sdp=B:4000:recvonly\n9020 A>B ACK 2 6\n"
      "20000 A>B INVITE 3 9 t=b sdp=A:4000:sendrecv\n20010 B>A 200 3 9 sdp\n20020 A>B ACK 3 10\n", "", NULL, 0 },
    /* capture-gap */
    { "4020 A>P ACK 1 3\n4030 P>B ACK 1 4 via=2\n" BYE, "capture-gap", "The INVITE that began the call was not seen", 0 },
    { "10 B>A 180 1 1\n3000 B>A 200 1 1 sdp\n3010 A>B ACK 1 2\n", "capture-gap capture-gap", NULL, 0 },
    { DIRECT "3010 A>B ACK 1 2\n" , "capture-gap", "there is an ACK from 10.0.0.65:5060 to 10.0.0.66:5060, but the 200 was not seen", 0 },
    { DIRECT_OK DIRECT_BYE, "capture-gap", "CSeq goes from 1 (INVITE) to 9 (BYE) in the requests from 10.0.0.65:5060: 7 requests between them not seen", 0 },
    { "0 A>P INVITE 1 1 sdp\n20 P>B INVITE 1 2 via=2 sdp=A\n30 B>P 180 1 2 via=2\n4000 B>P 200 1 2 via=2 sdp\n4020 A>P ACK 1 3\n4030 P>B ACK 1 4 via=2\n",
      "capture-gap", "No response to the INVITE was seen from 10.0.0.80:5060 to 10.0.0.65:5060", 0 },
    /* clock-skew: by the same messages, by the order; the same clock */
    { "0 A>B INVITE 1 1 sdp tap=1\n2000 A>B INVITE 1 1 sdp tap=2\n10 B>A 180 1 1 tap=1\n2011 B>A 180 1 1 tap=2\n"
      "20 B>A 183 1 1 tap=1\n2020 B>A 183 1 1 tap=2\n", "clock-skew",
      "capture id 2 is ahead of that of capture id 1 by about 2.0 s", 100 * S },
    { "500 A>B INVITE 1 1 sdp tap=1\n100 B>A 180 1 1 tap=2\n", "clock-skew", "capture id 2 is behind that of capture id 1 by at least 400 ms", 100 * S },
    { "0 A>B INVITE 1 1 sdp tap=1\n20 A>B INVITE 1 1 sdp tap=2\n30 B>A 180 1 1 tap=1\n45 B>A 180 1 1 tap=2\n", "", NULL, 100 * S },
    /* call-id-reuse: another From tag behind the end; a B2BUA that changes tags alone is none */
    { DIRECT_OK "9000 A>B BYE 2 8\n9010 B>A 200/BYE 2 8\n99000 A>B INVITE 1 21 sdp f=z\n99010 B>A 180 1 21 f=z t=y\n", "call-id-reuse", "2 calls have the same Call-ID; the second began 99.0 s after the first", 0 },
    { "0 A>P INVITE 1 1 sdp\n10 P>A 180 1 1\n20 P>B INVITE 1 2 sdp=A f=q\n30 B>P 180 1 2 f=q\n", "", NULL, 100 * S },
    /* malformed */
    { "0 A>B INVITE 1 1 sdp h=Max-Forwards-is-missing\n10 B>A 180 1 1\n", "malformed", "1 message is not well-formed (no_colon), the first one INVITE from 10.0.0.65:5060", 100 * S },
    { DIRECT "20 B>A 183 1 1 nocseq\n900 B>A 486 1 1\n910 A>B ACK 1 1\n", "malformed busy", "(no_cseq), the first one 183", 0 },
};
/* clang-format on */

static void ids_of(const struct diagnosis *d, char *to, size_t size)
{
    to[0] = '\0';
    for (size_t i = 0; i < d->count; i++) {
        size_t used = strlen(to);
        (void)snprintf(to + used, size - used, "%s%s", i > 0 ? " " : "", d->findings[i].title->id);
    }
}

/* Properties of every diagnosis. */
static void check(const struct diagnosis *d, const struct diagnosis_facts *facts)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct diagnosis_finding *f = &d->findings[i];
        assert_true(strlen(f->text) > 10 && f->text[strlen(f->text) - 1] == '.');
        assert_true(f->evidence_count > 0);
        assert_true(f->evidence_total >= f->evidence_count);
        assert_true(i == 0 || d->findings[i - 1].title->severity >= f->title->severity);
        for (size_t k = 0; k < f->evidence_count; k++) {
            uint32_t n = f->evidence[k].number;
            assert_true(n >= 1 && n <= facts->count);
            assert_int_equal(facts->all[n - 1].seq, f->evidence[k].seq);
            assert_int_equal(facts->all[n - 1].ts, f->evidence[k].ts);
        }
    }
}

static void scenarios_are_told(void **state)
{
    size_t wrong = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(scenarios); i++) {
        const struct scenario *s = &scenarios[i];
        struct diagnosis_facts facts = { .count = 0 };
        struct diagnosis d;
        const struct diagnosis_options o = { .now_us = s->now_ms == 0 ? 0 : SCRIPT_START + s->now_ms * 1000 };
        char ids[1024];
        script_read(&facts, s->script);
        assert_int_equal(diagnosis_make(&d, &facts, &o), 0);
        check(&d, &facts);
        ids_of(&d, ids, sizeof(ids));
        bool said = s->says == NULL;
        for (size_t k = 0; k < d.count; k++)
            said = said || strstr(d.findings[k].text, s->says) != NULL;
        if (strcmp(ids, s->expect) != 0 || !said) {
            wrong++;
            fprintf(stderr, "%zu:\n%sexpected: %s: %s\n", i, s->script, s->expect, s->says == NULL ? "" : s->says);
            for (size_t k = 0; k < d.count; k++)
                fprintf(stderr, "found: %s: %s\n", d.findings[k].title->id, d.findings[k].text);
        }
        diagnosis_free(&d);
        diagnosis_facts_free(&facts);
    }
    assert_int_equal(wrong, 0);
}

/* ------------------------------------------------------------------------------------------------ the list of rules */

static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = text; (p = strstr(p, word)) != NULL; p += len)
        if ((p == text || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
            return true;
    return false;
}

/* Found by what agents and reports say beside the messages. */
static bool needs_more(const char *id)
{
    return strcmp(id, "packet-loss") == 0 || strcmp(id, "high-jitter") == 0 || strcmp(id, "capture-drops") == 0;
}

static void every_rule_has_a_scenario(void **state)
{
    size_t count;
    const struct diagnosis_title *titles = diagnosis_titles(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        bool found = needs_more(titles[i].id);
        for (size_t k = 0; k < COUNT_OF(scenarios); k++)
            found = found || has_word(scenarios[k].expect, titles[i].id);
        if (!found)
            fail_msg("no scenario finds %s", titles[i].id);
    }
}

static void ids_are_words(void **state)
{
    size_t count;
    const struct diagnosis_title *titles = diagnosis_titles(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(strspn(titles[i].id, "abcdefghijklmnopqrstuvwxyz-"), strlen(titles[i].id));
        assert_true(strlen(titles[i].title) > 0 && strlen(titles[i].hint) > 0);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(titles[i].id, titles[k].id);
    }
}

/* docs/diagnosis.md has a row for each rule, in the same order, and no other. */
static void the_document_agrees(void **state)
{
    size_t count, len, rows = 0;
    const struct diagnosis_title *titles = diagnosis_titles(&count);
    char *text = read_file(TEST_DATA "/../docs/diagnosis.md", &len), *at = text, row[1024];
    (void)state;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(row, sizeof(row), "\n| `%s` | %s | %s | %s |\n", titles[i].id,
                       diagnosis_severity_name(titles[i].severity), titles[i].title, titles[i].hint);
        at = strstr(at, row);
        if (at == NULL)
            fail_msg("not there, or not in this place: %s", row);
    }
    for (at = text; (at = strstr(at, "\n| `")) != NULL; at++)
        rows++;
    assert_int_equal(rows, count);
    free(text);
}

/* ------------------------------------------------------------------------------------------------ further input */

static void media_figures_are_told(void **state)
{
    struct diagnosis_facts facts = { .count = 0 };
    struct diagnosis d;
    struct diagnosis_media media[2] = {
        { .src = script_addr('A'),
          .dst = script_addr('B'),
          .loss_percent = 12.5,
          .loss_at = SCRIPT_START + 30000000,
          .jitter_ms = 80,
          .jitter_at = SCRIPT_START + 31000000 },
        { .src = script_addr('B'), .dst = script_addr('A'), .nothing = true, .loss_percent = -1, .jitter_ms = 5 },
    };
    const struct diagnosis_options o = { .media = media, .media_count = COUNT_OF(media) };
    char ids[256];
    (void)state;
    script_read(&facts, ANSWERED BYE);
    assert_int_equal(diagnosis_make(&d, &facts, &o), 0);
    ids_of(&d, ids, sizeof(ids));
    assert_string_equal(ids, "one-way-audio packet-loss high-jitter");
    assert_string_equal(d.findings[0].text, "No media arrives from 10.0.0.66:5060 at 10.0.0.65:5060, by the reports.");
    assert_string_equal(d.findings[1].text,
                        "Packet loss of 12.5 % from 10.0.0.65:5060 to 10.0.0.66:5060, 30.0 s after the first message.");
    diagnosis_free(&d);
    diagnosis_facts_free(&facts);
}

/* Of agents that saw the call, in its time. */
static void agents_that_dropped_packets_are_told(void **state)
{
    static const struct diagnosis_blind blind[] = {
        { SCRIPT_START + 20, SCRIPT_START + 60000000, 7, "edge", 1234, 4444 },
        { SCRIPT_START + 20, SCRIPT_START + 60000000, 8, "elsewhere", 1, 1 },
        { SCRIPT_START - 60000000, SCRIPT_START - 1, 7, "before", 1, 1 },
        { SCRIPT_START + INT64_C(86400000000), SCRIPT_START + INT64_C(86460000000), 7, "later", 1, 1 },
    };
    const struct diagnosis_options o = { .blind = blind, .blind_count = COUNT_OF(blind) };
    struct diagnosis_facts facts = { .count = 0 };
    struct diagnosis d;
    char ids[256];
    (void)state;
    script_read(&facts, ANSWERED BYE);
    for (size_t i = 0; i < facts.count; i++)
        facts.all[i].capture_id = 7;
    assert_int_equal(diagnosis_make(&d, &facts, &o), 0);
    ids_of(&d, ids, sizeof(ids));
    assert_string_equal(ids, "capture-drops");
    assert_string_equal(
        d.findings[0].text,
        "The capture agent edge (capture id 7) dropped 1234 of 5678 packets within 60.0 s of this call.");
    assert_int_equal(d.findings[0].evidence_count, 1);
    diagnosis_free(&d);
    diagnosis_facts_free(&facts);
}

/* Two legs whose messages were found twice: each counts once, and numbers go by time. */
static void rows_of_two_legs_count_once(void **state)
{
    struct diagnosis_facts facts = { .count = 0 };
    struct diagnosis d;
    const struct diagnosis_options o = { .now_us = 0 };
    char line[64];
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        strcpy(line, "50 A>B INVITE 1 1 id=one");
        script_line(&facts, 2, line);
        strcpy(line, "40 C>D INVITE 1 1 id=two");
        script_line(&facts, 1, line);
    }
    diagnosis_facts_settle(&facts);
    assert_int_equal(facts.count, 2);
    assert_int_equal(facts.all[0].seq, 1);
    assert_int_equal(facts.all[1].number, 2);
    assert_int_equal(diagnosis_make(&d, &facts, &o), 0);
    assert_int_equal(d.legs, 2);
    assert_int_equal(d.count, 2);
    diagnosis_free(&d);
    diagnosis_facts_free(&facts);
}

static void nothing_is_nothing(void **state)
{
    struct diagnosis_facts facts = { .count = 0 };
    struct diagnosis d;
    const struct diagnosis_options o = { .now_us = 0 };
    (void)state;
    diagnosis_facts_settle(&facts);
    assert_int_equal(diagnosis_make(&d, &facts, &o), 0);
    assert_int_equal(d.count, 0);
    assert_false(d.call.is_call);
    diagnosis_free(&d);
    diagnosis_free(NULL);
    diagnosis_facts_free(&facts);
}

/* A thousand dialogs on one Call-ID, and more messages than are looked at: what is beyond is counted. */
static void limits_hold(void **state)
{
    struct diagnosis_facts facts = { .count = 0 };
    struct diagnosis d;
    const struct diagnosis_options o = { .now_us = 0 };
    char line[128];
    (void)state;
    for (unsigned i = 0; i < DIAGNOSIS_MESSAGES_MAX + 5; i++) {
        (void)snprintf(line, sizeof(line), "%u A>B INVITE %u %u f=f%u id=%u", i * 100, i % 7, i, i % 1000, i % 90);
        script_line(&facts, i + 1, line);
    }
    diagnosis_facts_settle(&facts);
    assert_int_equal(facts.left_out, 5);
    assert_int_equal(diagnosis_make(&d, &facts, &o), 0);
    assert_int_equal(d.legs, DIAGNOSIS_LEGS_MAX);
    assert_int_equal(d.left_out, 5);
    assert_true(d.count > 0 && d.count <= DIAGNOSIS_FINDINGS_MAX && d.dropped > 0);
    check(&d, &facts);
    diagnosis_free(&d);
    diagnosis_facts_free(&facts);
}

static void the_call_is_described(void **state)
{
    static const struct {
        const char *script, *outcome;
        unsigned status;
    } calls[] = {
        { ANSWERED BYE, "answered, the caller hung up", 200 },
        { DIRECT_OK "9000 B>A BYE 1 8 f=b t=a\n9010 A>B 200/BYE 1 8 f=b t=a\n", "answered, the called side hung up",
          200 },
        { ANSWERED, "answered, no BYE was seen", 200 },
        { INVITES RINGS CANCELLED, "the caller gave up", 487 },
        { INVITES REFUSED("486"), "not answered", 486 },
        { INVITES, "no answer was seen", 0 },
        { INVITES RINGS, "no final response was seen", 0 },
        { BYE, "answered before the capture began, ended by a BYE", 0 },
        { "0 A>P INVITE 1 1\n10 P>A 302 1 1 c=300@p\n", "redirected", 302 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        struct diagnosis_facts facts = { .count = 0 };
        struct diagnosis d;
        const struct diagnosis_options o = { .now_us = 0 };
        script_read(&facts, calls[i].script);
        assert_int_equal(diagnosis_make(&d, &facts, &o), 0);
        assert_true(d.call.is_call);
        assert_string_equal(d.call.outcome, calls[i].outcome);
        assert_int_equal(d.call.status, calls[i].status);
        diagnosis_free(&d);
        diagnosis_facts_free(&facts);
    }
}

static void json_is_whole(void **state)
{
    struct diagnosis_facts facts = { .count = 0 };
    struct diagnosis d;
    struct buf out;
    const struct diagnosis_options o = { .now_us = 0 };
    (void)state;
    script_read(&facts, "0 A>B INVITE 1 1 sdp\n");
    assert_int_equal(diagnosis_make(&d, &facts, &o), 0);
    buf_init(&out, 65536);
    diagnosis_json(&out, &d);
    buf_putc(&out, '\0');
    assert_false(out.failed);
    assert_string_equal(
        (const char *)out.ptr,
        "\"call\":{\"outcome\":\"no answer was "
        "seen\",\"from_user\":\"100\",\"from_host\":\"example.org\",\"to_user\":\"200\","
        "\"to_host\":\"example.org\",\"first\":\"2023-11-14T22:13:20.000000Z\",\"last\":\"2023-11-14T22:13:20."
        "000000Z\","
        "\"start\":\"2023-11-14T22:13:20.000000Z\"},\"legs\":1,\"messages\":1,\"findings\":[\n"
        "{\"id\":\"no-response\",\"severity\":\"error\",\"text\":\"The INVITE from 10.0.0.65:5060 to 10.0.0.66:5060, "
        "sent once, got no response, not even 100 Trying.\",\"hint\":\"is that host up, does the request reach it, "
        "does it "
        "listen on this port and transport? A firewall, a wrong route or a blacklist drop in silence\","
        "\"evidence\":[{\"number\":1,\"seq\":101,\"ts\":\"2023-11-14T22:13:20.000000Z\"}]}\n]");
    buf_free(&out);
    diagnosis_free(&d);
    diagnosis_facts_free(&facts);
}

static void causes_have_texts(void **state)
{
    (void)state;
    assert_string_equal(q850_text(17), "user busy");
    assert_string_equal(q850_text(127), "interworking, unspecified");
    assert_string_equal(q850_text(0), "unknown cause");
    assert_string_equal(q850_text(257), "unknown cause"); /* no octet of it counts */
    assert_int_equal(q850_kind(17), q850_kind_of_status(486));
    assert_int_equal(q850_kind(19), q850_kind_of_status(480));
    assert_int_equal(q850_kind(1), q850_kind_of_status(404));
    assert_int_equal(q850_kind(21), q850_kind_of_status(603));
    assert_int_equal(q850_kind(-1), Q850_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scenarios_are_told),
        cmocka_unit_test(every_rule_has_a_scenario),
        cmocka_unit_test(ids_are_words),
        cmocka_unit_test(the_document_agrees),
        cmocka_unit_test(media_figures_are_told),
        cmocka_unit_test(agents_that_dropped_packets_are_told),
        cmocka_unit_test(rows_of_two_legs_count_once),
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(the_call_is_described),
        cmocka_unit_test(json_is_whole),
        cmocka_unit_test(causes_have_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
