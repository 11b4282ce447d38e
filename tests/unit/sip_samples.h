/*
 * SIP messages for the tests of src/sip: what phones, trunks and proxies send, and what RFC 4475 ("torture tests")
 * says a parser has to get along with, in messages of our own.
 */
#ifndef TEST_SIP_SAMPLES_H
#define TEST_SIP_SAMPLES_H

#include <stddef.h>

#define SAMPLE_SDP                                                                                                     \
    "v=0\r\no=alice 2890844526 2890844527 IN IP4 host.example.com\r\ns=A call\r\nc=IN IP4 192.0.2.101\r\nt=0 0\r\n"    \
    "m=audio 49172 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"

/* Everything that struct sip_msg has a field for. */
static const char sample_full[] =
    "INVITE sip:+15550200;npdi;rn=+15550299@[2001:db8::7]:5070;user=phone?Subject=x SIP/2.0\r\n"
    "Via: SIP/2.0/TLS edge.example.com:5061;branch=z9hG4bK-1;rport=40000;received=198.51.100.9\r\n"
    "Via: SIP/2.0/UDP [2001:db8::9]:5060;branch=z9hG4bK-2, SIP / 2.0 / TCP inner.example.com : 5090 "
    ";branch=z9hG4bK-3\r\n"
    "Max-Forwards: 68\r\n"
    "Record-Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr;x=\"a,b\">\r\n"
    "Record-Route: <sip:p3.example.com;lr>\r\n"
    "Route: <sip:next.example.com;lr>\r\n"
    "From: \"Alice \\\"A\\\" Example\" <sip:alice:secret@example.com:5062;user=phone>;tag=from-1;x=y\r\n"
    "To: Bob Example <sip:+15550100@example.org>;tag=to-1\r\n"
    "Call-ID: full-1@192.0.2.101\r\n"
    "CSeq: 4711 INVITE\r\n"
    "Contact: \"A\" <sip:alice@192.0.2.101:5062;transport=tls>;expires=60, <sip:alice@192.0.2.102>\r\n"
    "P-Asserted-Identity: \"Alice\" <sip:+15550100@example.com>, <tel:+15550100;phone-context=example.com>\r\n"
    "P-Preferred-Identity: <sip:+15550101@example.com>\r\n"
    "Remote-Party-ID: \"RP\" <sip:+15550102@example.com>;party=calling;privacy=off\r\n"
    "Privacy: id;critical\r\n"
    "Diversion: <sip:+15550111@example.com>;reason=no-answer;counter=1, <sip:+15550112@example.com>;reason=x\r\n"
    "History-Info: <sip:+15550111@example.com?Reason=SIP%3Bcause%3D302>;index=1, "
    "<sip:+15550112@example.com>;index=1.1\r\n"
    "Reason: Q.850;cause=16;text=\"Normal, call clearing\", SIP ;cause=200 ;text=\"Call completed elsewhere\"\r\n"
    "Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2\r\n"
    "P-Charging-Vector: icid-value=\"icid;42\";icid-generated-at=192.0.2.1;orig-ioi=home1.example\r\n"
    "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=00101\r\n"
    "Identity: eyJhbGciOiJFUzI1NiJ9.eyJhIjoxfQ.c2ln;info=<https://cert.example.com/c.pem>;alg=ES256;ppt=shaken\r\n"
    "Replaces: old-1@192.0.2.7;to-tag=rt;from-tag=rf;early-only\r\n"
    "Refer-To: <sip:carol@example.net?Replaces=a%40b%3Bto-tag%3D1>\r\n"
    "Referred-By: <sip:dave@example.net>;cid=\"2@example.net\"\r\n"
    "Event: dialog;id=7\r\n"
    "Subscription-State: active;expires=600\r\n"
    "Expires: 120\r\nMin-Expires: 60\r\nSession-Expires: 1800;refresher=uas\r\nMin-SE: 90\r\n"
    "RSeq: 988789\r\nRAck: 776656 1 INVITE\r\nRetry-After: 18 (in a meeting);duration=3600\r\n"
    "Warning: 370 gw.example.com \"Too \\\"thin\\\" a pipe\", 399 x \"more\"\r\n"
    "User-Agent: Example UA/1.0\r\nServer: Example Server/2.0\r\n"
    "Allow: INVITE, ACK\r\nSupported: timer, 100rel\r\nRequire: 100rel\r\n"
    "Authorization: Digest username=\"al\\\"ice\", realm=\"example.com\", nonce=\"n,1\", uri=\"sip:x\", "
    "response=\"00\"\r\n"
    "Proxy-Authorization: Digest realm = \"proxy.example.com\" , username=bob\r\n"
    "WWW-Authenticate: Digest realm=\"www.example.com\", nonce=\"2\"\r\n"
    "Proxy-Authenticate: Digest nonce=\"3\",realm=\"pa.example.com\"\r\n"
    "Date: Sat, 13 Nov 2010 23:29:00 GMT\r\nSubject: Lunch\r\nOrganization: Example Ltd\r\n"
    "X-RTP-Stat: CS=1;PS=10\r\nP-RTP-Stat: PS=2\r\nX-CID: leg-a-77\r\n"
    "Content-Encoding: identity\r\nContent-Type: application/sdp;charset=utf-8\r\nContent-Length: 180\r\n"
    "\r\n" SAMPLE_SDP;

static const char sample_response[] = "SIP/2.0 486 Busy Here\r\n"
                                      "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n"
                                      "From: <sip:a@example.com>;tag=1\r\n"
                                      "To: <sip:b@example.com>;tag=2\r\n"
                                      "Call-ID: r1\r\n"
                                      "CSeq: 9 BYE\r\n"
                                      "Content-Length: 0\r\n\r\n";

/* Compact forms, odd case, blanks around colons, folding wherever it may stand; legal all the same. */
static const char sample_tortuous[] = "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n"
                                      "TO :\r\n"
                                      " sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n"
                                      "f   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n"
                                      "  ;\r\n"
                                      "  tag = 98asjd8\r\n"
                                      "MaX-fOrWaRdS: 0068\r\n"
                                      "I: wsinv.ndaksdj@192.0.2.1\r\n"
                                      "l   : 4\r\n"
                                      "cSEQ: 0009\r\n"
                                      "  INVITE\r\n"
                                      "V  : SIP  / 2.0\r\n"
                                      " / UDP\r\n"
                                      "    192.0.2.2;branch=390skdjuw\r\n"
                                      "s :\r\n"
                                      "NewFangledHeader:   newfangled value\r\n"
                                      " continued newfangled value\r\n"
                                      "UnknownHeaderWithUnusualValue: ;;,,;;,;\r\n"
                                      "Content-Type: application/sdp\r\n"
                                      "Route:\r\n"
                                      " <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n"
                                      "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n"
                                      "  branch  =   z9hG4bK9ikj8  ,\r\n"
                                      " SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n"
                                      " z9hG4bK30239\r\n"
                                      "m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n"
                                      "      newvalue ;\r\n"
                                      "  secondparam ; q = 0.33\r\n\r\n"
                                      "v=0\n";

/* Line ends of LF alone, and of CR alone. */
static const char sample_lf[] = "BYE sip:b@example.com SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK8\n"
                                "From: <sip:a@example.com>;tag=1\nTo: <sip:b@example.com>;tag=2\nCall-ID: lf1\n"
                                "CSeq: 2\n BYE\nContent-Length: 2\n\nhi";
static const char sample_cr[] = "BYE sip:b@example.com SIP/2.0\rVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK8\r"
                                "From: <sip:a@example.com>;tag=1\rTo: <sip:b@example.com>;tag=2\rCall-ID: cr1\r"
                                "CSeq: 2 BYE\rContent-Length: 2\r\rhi";

static const struct {
    const char *text;
    size_t len;
} samples[] = {
    { sample_full, sizeof(sample_full) - 1 },
    { sample_response, sizeof(sample_response) - 1 },
    { sample_tortuous, sizeof(sample_tortuous) - 1 },
    { sample_lf, sizeof(sample_lf) - 1 },
    { sample_cr, sizeof(sample_cr) - 1 },
};

#endif
