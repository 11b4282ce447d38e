// How senders are pointed at this server; docs/senders.md is the same for readers. "collector" is replaced.

export interface Snippet {
  name: string;
  where: string;
  text: string;
}

export const SNIPPETS: Snippet[] = [
  {
    name: "Kamailio", where: "kamailio.cfg; HEP 3 needs to be asked for.",
    text: `loadmodule "siptrace.so"
modparam("siptrace", "trace_on", 1)
modparam("siptrace", "trace_mode", 1)          # everything sent and received
modparam("siptrace", "trace_to_database", 0)
modparam("siptrace", "hep_mode_on", 1)
modparam("siptrace", "hep_version", 3)
modparam("siptrace", "hep_capture_id", 101)
modparam("siptrace", "duplicate_uri", "sip:collector:9060")`,
  },
  {
    name: "OpenSIPS", where: "opensips.cfg",
    text: `loadmodule "proto_hep.so"
loadmodule "tracer.so"
modparam("proto_hep", "hep_id", "[hepcat] collector:9060; transport=udp; version=3")
modparam("tracer", "trace_id", "[tid]uri=hep:hepcat")
# in the route: trace("tid", "d", "sip");`,
  },
  {
    name: "Asterisk", where: "hep.conf; load res_hep, res_hep_pjsip and res_hep_rtcp.",
    text: `[general]
enabled = yes
capture_address = collector:9060
capture_id = 102
uuid_type = call-id`,
  },
  {
    name: "FreeSWITCH", where: "sofia.conf.xml; then sofia profile internal capture on.",
    text: `<param name="capture-server" value="udp:collector:9060;hep=3;capture_id=103"/>`,
  },
  { name: "rtpengine", where: "Options of the daemon, for RTCP.", text: "rtpengine --homer=collector:9060 --homer-protocol=udp --homer-id=104" },
  { name: "heplify", where: "Sniffs beside any SIP server.", text: "heplify -i any -hs collector:9060 -m SIPRTCP -dim OPTIONS,NOTIFY" },
  {
    name: "captagent", where: "transport_hep.xml",
    text: `<param name="version" value="3"/>
<param name="capture-host" value="collector"/>
<param name="capture-port" value="9060"/>
<param name="capture-proto" value="udp"/>`,
  },
  { name: "sngrep", where: "On the command line.", text: "sngrep -H udp:collector:9060" },
  { name: "hepcat agent", where: "Sniffs SIP and RTCP beside any server, and accounts for every packet.", text: "hepcat agent -i any --to udp://collector:9060" },
  { name: "hepcat", where: "A capture, or made-up traffic.", text: `hepcat encode capture.pcap --to tcp://collector:9060
hepcat demo --to udp://collector:9060` },
];
