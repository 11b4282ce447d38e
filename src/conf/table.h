/*
 * Every key of the configuration, one row each:
 *
 *     K(                member, path, type, default, least, most, words, RELOAD or RESTART, help)
 *     F(flag, metavar,  member, path, type, default, least, most, words, RELOAD or RESTART, help)
 *     A(flag, letter, metavar, member, path, type, default, least, most, words, RELOAD or RESTART, help)
 *
 * F rows are flags of `hepcat serve` as well, A rows of `hepcat agent`; letter is 0 or that of a short option. The row
 * makes the member of struct conf, the key in YAML, the environment variable (HEPCAT_ and the path in capitals), the
 * flag, its help, and the documentation.
 *
 * default: text as in the environment, lists with commas; "" is "not set". least, most: limits of numbers, sizes
 * (octets), durations (microseconds) and percents; for lists the count of values, for texts nothing. words: of an ENUM,
 * "a|b|c" in the order of the constants in conf.h; of a number, a word that stands for CONF_INHERIT. RELOAD: SIGHUP is
 * enough after a change. The keys of a section stand together.
 */
#ifndef CONF_TABLE_H
#define CONF_TABLE_H

#define CONF_USEC(n) ((uint64_t)(n))
#define CONF_MSEC(n) (CONF_USEC(n) * 1000)
#define CONF_SEC(n)  (CONF_MSEC(n) * 1000)
#define CONF_DAYS(n) (CONF_SEC(n) * 86400)
#define CONF_MB(n)   ((uint64_t)(n)*1000000)
#define CONF_KIB(n)  ((uint64_t)(n) << 10)
#define CONF_MIB(n)  ((uint64_t)(n) << 20)
#define CONF_GIB(n)  ((uint64_t)(n) << 30)
#define CONF_TIB(n)  ((uint64_t)(n) << 40)
#define CONF_PIB(n)  ((uint64_t)(n) << 50)

/* clang-format off */
#define CONF_TABLE(K, F, A) \
    F("data", "DIR", data, "data", PATH, "./data", 0, 0, NULL, RESTART, \
      "directory that holds everything") \
    F("listen", "URL...", listen, "listen", LISTENS, "udp://[::]:9060,tcp://[::]:9060", 0, 64, NULL, RESTART, \
      "where HEP is received: udp, tcp, tls, http or https://ADDR:PORT") \
    F("memory", "SIZE", memory, "memory", SIZE, "512MB", CONF_MB(192), CONF_TIB(1), NULL, RESTART, \
      "limit of all processes together") \
    F("node", "N", node, "node", NUMBER, "0", 0, UINT32_MAX, NULL, RESTART, \
      "number of this server in a cluster; 0: derived from the machine") \
    \
    F("http", "ADDR:PORT", http_listen, "http.listen", ADDRESS, "127.0.0.1:9080", 0, 0, NULL, RESTART, \
      "where API and user interface are served") \
    F("token", "TOKEN", http_token, "http.token", SECRET, "", 0, 0, NULL, RELOAD, \
      "every HTTP request needs it; without one only loopback is served") \
    K(http_live, "http.live", NUMBER, "32", 1, 1000, NULL, RESTART, \
      "clients that may follow live messages at once; further ones are refused") \
    K(http_exports, "http.exports", NUMBER, "16", 1, 1000, NULL, RESTART, \
      "exports at once; further ones are refused") \
    K(http_answer_timeout_us, "http.answer_timeout", DURATION, "10min", CONF_SEC(1), CONF_DAYS(1), NULL, RESTART, \
      "a client that has not read an answer after so long, or 256 kB of an export, is cut off") \
    \
    F("cert", "FILE", tls_cert, "tls.cert", PATH, "", 0, 0, NULL, RELOAD, \
      "certificate chain of the tls and https listeners, PEM") \
    F("cert-key", "FILE", tls_key, "tls.key", PATH, "", 0, 0, NULL, RELOAD, \
      "its private key, PEM; not set: in the file of the certificate") \
    F("client-ca", "FILE", tls_client_ca, "tls.client_ca", PATH, "", 0, 0, NULL, RELOAD, \
      "TLS clients must show a certificate of this CA") \
    \
    F("key", "KEY...", hep_keys, "hep.keys", SECRETS, "", 0, 64, NULL, RELOAD, \
      "authentication keys, one of which a message must carry") \
    F("allow", "NET...", hep_allow, "hep.allow", NETS, "", 0, 1024, NULL, RELOAD, \
      "networks that may send HEP; none: all") \
    K(hep_clock_window_us, "hep.clock_window", DURATION, "1d", CONF_SEC(1), CONF_DAYS(36500), NULL, RESTART, \
      "a capture time is believed within this distance of the time of receipt") \
    K(hep_sender_rate, "hep.sender_rate", NUMBER, "0", 0, 100000000, NULL, RELOAD, \
      "frames a second that one sender may send; 0: no limit") \
    K(hep_sender_share, "hep.sender_share", PERCENT, "100%", 1, 100, NULL, RELOAD, \
      "part of the stored octets that one sender may fill") \
    K(hep_senders_max, "hep.senders_max", NUMBER, "10000", 16, 1000000, NULL, RESTART, \
      "senders that are accounted one by one") \
    \
    K(ingest_workers, "ingest.workers", NUMBER, "0", 0, 64, NULL, RESTART, \
      "receiving threads; 0: one a core, at most 8") \
    K(ingest_rcvbuf, "ingest.rcvbuf", SIZE, "4MiB", CONF_KIB(64), CONF_GIB(1), NULL, RESTART, \
      "receive buffer of a UDP socket") \
    K(ingest_connections, "ingest.connections", NUMBER, "1024", 1, 100000, NULL, RESTART, \
      "connections of a TCP or TLS listener") \
    K(ingest_idle_timeout_us, "ingest.idle_timeout", DURATION, "0", 0, CONF_DAYS(30), NULL, RESTART, \
      "a connection that sends nothing for so long is closed; 0: never") \
    K(ingest_body_max, "ingest.body_max", SIZE, "8MiB", CONF_KIB(64), CONF_GIB(1), NULL, RESTART, \
      "largest body of an HTTP POST") \
    \
    K(wal_sync, "wal.sync", ENUM, "interval", 0, 0, "interval|always|off", RESTART, \
      "when what was received is made durable") \
    K(wal_interval_us, "wal.interval", DURATION, "100ms", CONF_MSEC(1), CONF_SEC(10), NULL, RESTART, \
      "time between commits; a power loss can cost what came in one of them") \
    \
    K(seal_interval_us, "seal.interval", DURATION, "60s", CONF_SEC(1), CONF_SEC(3600), NULL, RESTART, \
      "time after which rows leave memory for files") \
    K(seal_compression, "seal.compression", NUMBER, "1", 1, 9, NULL, RESTART, \
      "level of zstd: a higher one saves some space and costs much time") \
    \
    K(calls_max, "calls.max", NUMBER, "1000000", 1000, 16000000, NULL, RESTART, \
      "calls that run at the same time; beyond it the longest silent one is written out") \
    K(calls_linger_us, "calls.linger", DURATION, "60s", CONF_SEC(1), CONF_SEC(3600), NULL, RESTART, \
      "from the end of a call until it is written out") \
    K(calls_ring_us, "calls.ring", DURATION, "15m", CONF_SEC(60), CONF_DAYS(1), NULL, RESTART, \
      "silence after which a call that was not answered is over") \
    K(calls_idle_us, "calls.idle", DURATION, "12h", CONF_SEC(60), CONF_DAYS(7), NULL, RESTART, \
      "silence after which an answered call is over") \
    K(calls_leg_headers, "calls.leg_headers", NAMES, \
      "X-Call-ID,X-CID,X-CallID,X-Original-Call-ID,X-Orig-Call-ID,X-Leg-Call-ID,X-Parent-Call-ID,X-Correlation-ID," \
      "X-Genesys-CallUUID,X-Asterisk-Linkedid,Av-Global-Session-ID,Cisco-Guid", 0, 16, NULL, RESTART, \
      "SIP headers that name another leg of the call; kept as search.headers are") \
    K(calls_leg_pattern, "calls.leg_pattern", TEXT, "", 0, 0, NULL, RESTART, \
      "regular expression whose first group is what counts of their values, such as \"call=([^;]+)\"; none: all of it") \
    \
    K(registrations_max, "registrations.max", NUMBER, "100000", 1000, 4000000, NULL, RESTART, \
      "addresses of record that are known; beyond it those that never registered go first") \
    K(registrations_flap_changes, "registrations.flap_changes", NUMBER, "4", 2, 8, NULL, RESTART, \
      "an address of record flaps that changed so many times within the flap window") \
    K(registrations_flap_window_us, "registrations.flap_window", DURATION, "10m", CONF_SEC(60), CONF_DAYS(1), NULL, \
      RESTART, "see registrations.flap_changes") \
    K(registrations_forget_us, "registrations.forget", DURATION, "7d", CONF_SEC(3600), CONF_DAYS(365), NULL, RESTART, \
      "an address of record that nobody tried to register for so long is forgotten") \
    F("days", "N", retention_days, "retention.days", NUMBER, "30", 0, 36500, NULL, RELOAD, \
      "days that messages are kept; 0: no limit") \
    K(retention_bytes, "retention.bytes", SIZE, "0", 0, CONF_PIB(1), NULL, RELOAD, \
      "size of a table above which its oldest messages go; 0: no limit") \
    K(retention_disk, "retention.disk", PERCENT, "80%", 1, 100, NULL, RELOAD, \
      "part of the disk that may be in use before the oldest messages go") \
    K(retention_sip_days, "retention.sip.days", NUMBER, "inherit", 0, 36500, "inherit", RELOAD, \
      "the same for SIP messages alone") \
    K(retention_sip_bytes, "retention.sip.bytes", SIZE, "inherit", 0, CONF_PIB(1), "inherit", RELOAD, \
      "the same for SIP messages alone") \
    K(retention_media_days, "retention.media.days", NUMBER, "inherit", 0, 36500, "inherit", RELOAD, \
      "the same for RTCP and quality reports") \
    K(retention_media_bytes, "retention.media.bytes", SIZE, "inherit", 0, CONF_PIB(1), "inherit", RELOAD, \
      "the same for RTCP and quality reports") \
    K(retention_call_days, "retention.call.days", NUMBER, "inherit", 0, 36500, "inherit", RELOAD, \
      "the same for records of calls") \
    K(retention_call_bytes, "retention.call.bytes", SIZE, "inherit", 0, CONF_PIB(1), "inherit", RELOAD, \
      "the same for records of calls") \
    K(retention_registration_days, "retention.registration.days", NUMBER, "inherit", 0, 36500, "inherit", RELOAD, \
      "the same for attempts to register") \
    K(retention_registration_bytes, "retention.registration.bytes", SIZE, "inherit", 0, CONF_PIB(1), "inherit", RELOAD, \
      "the same for attempts to register") \
    K(retention_log_days, "retention.log.days", NUMBER, "inherit", 0, 36500, "inherit", RELOAD, \
      "the same for log lines") \
    K(retention_log_bytes, "retention.log.bytes", SIZE, "inherit", 0, CONF_PIB(1), "inherit", RELOAD, \
      "the same for log lines") \
    K(retention_other_days, "retention.other.days", NUMBER, "inherit", 0, 36500, "inherit", RELOAD, \
      "the same for everything else") \
    K(retention_other_bytes, "retention.other.bytes", SIZE, "inherit", 0, CONF_PIB(1), "inherit", RELOAD, \
      "the same for everything else") \
    \
    K(query_threads, "query.threads", NUMBER, "0", 0, 256, NULL, RESTART, \
      "threads of a search; 0: one a core") \
    K(query_memory, "query.memory", SIZE, "96MB", CONF_MB(32), CONF_TIB(1), NULL, RESTART, \
      "memory of all searches, part of the limit above") \
    K(query_timeout_us, "query.timeout", DURATION, "30s", CONF_MSEC(100), CONF_SEC(3600), NULL, RELOAD, \
      "a search that takes longer ends with what it has") \
    K(query_scans, "query.scans", NUMBER, "2", 1, 64, NULL, RESTART, \
      "searches at the same time; further ones wait") \
    K(query_sql, "query.sql", BOOL, "false", 0, 0, NULL, RESTART, \
      "read-only SQL by POST /api/v1/sql, in a process of its own with as much memory as searches") \
    K(query_temp_max, "query.temp_max", SIZE, "1GiB", 0, CONF_TIB(64), NULL, RESTART, \
      "disk space that searches may use for a while") \
    \
    K(search_headers, "search.headers", NAMES, "", 0, 16, NULL, RESTART, \
      "further SIP headers to keep as columns, such as X-CID") \
    \
    K(numbers_country, "numbers.country", TEXT, "", 0, 0, NULL, RESTART, \
      "country code of phone numbers that are written without one, such as 49") \
    K(numbers_international, "numbers.international", TEXT, "00,011", 0, 0, NULL, RESTART, \
      "what is dialled before a country code: prefixes with commas, or none") \
    K(numbers_trunk, "numbers.trunk", TEXT, "0", 0, 0, NULL, RESTART, \
      "what is dialled before an area code, or none") \
    \
    A("interface", 'i', "NAME...", agent_interfaces, "agent.interfaces", TEXTS, "", 0, 64, NULL, RELOAD, \
      "network devices to capture from; any: all of them; pcap:NAME: by libpcap") \
    A("to", 't', "URL...", agent_to, "agent.to", TEXTS, "", 0, 16, NULL, RELOAD, \
      "collectors: udp://host:9060 tcp://host:9060 tls://host:9061 http(s)://host/path; -: standard output") \
    A("collectors", 0, "MODE", agent_collectors, "agent.collectors", ENUM, "copy", 0, 0, "copy|failover|hash", RELOAD, \
      "of several: each has all; the first that answers has all; each call has one") \
    A("id", 0, "N", agent_id, "agent.id", NUMBER, "2001", 0, UINT32_MAX, NULL, RELOAD, \
      "capture agent id (chunk 0x0c)") \
    A("name", 0, "NAME", agent_name, "agent.name", TEXT, "hepcat", 0, 0, NULL, RELOAD, \
      "capture agent name (chunk 0x13)") \
    A("key", 0, "KEY", agent_key, "agent.key", SECRET, "", 0, 0, NULL, RELOAD, \
      "authentication key (chunk 0x0e)") \
    A("compress", 0, "FORMAT", agent_compress, "agent.compress", ENUM, "off", 0, 0, "off|zlib|gzip", RELOAD, \
      "payloads into chunk 0x10; Homer and Kamailio do not read it") \
    A("media", 0, "WHAT", agent_media, "agent.media", ENUM, "rtcp", 0, 0, "none|rtcp|rtp", RELOAD, \
      "beside SIP: RTCP as JSON; rtp: RTP streams are measured as well") \
    A("ports", 0, "RANGE...", agent_ports, "agent.ports", TEXTS, "5060-5091", 0, 64, NULL, RELOAD, \
      "ports of SIP that a live capture looks at, such as 5060-5091 or 443; all: every port") \
    A("bpf", 0, "FILTER", agent_bpf, "agent.bpf", TEXT, "", 0, 0, NULL, RELOAD, \
      "pcap-filter(7) for the kernel in place of the generated one (see --print-filter)") \
    K(agent_ring, "agent.ring", SIZE, "32MiB", CONF_KIB(64), CONF_GIB(4), NULL, RELOAD, \
      "memory that the kernel puts packets of one device into") \
    K(agent_snaplen, "agent.snaplen", NUMBER, "65535", 128, 262144, NULL, RELOAD, \
      "octets of a packet that are captured") \
    K(agent_promiscuous, "agent.promiscuous", BOOL, "true", 0, 0, NULL, RELOAD, \
      "packets for other machines as well, as a mirror port has them") \
    A("workers", 0, "N", agent_workers, "agent.workers", NUMBER, "1", 1, 32, NULL, RESTART, \
      "capturing threads; the kernel spreads packets by address and port (fan-out)") \
    A("filter", 'f', "FILTER...", agent_filter, "agent.filter", TEXTS, "", 0, 64, NULL, RELOAD, \
      "send only what matches all of these (docs/filter.md)") \
    A("drop", 0, "FILTER...", agent_drop, "agent.drop", TEXTS, "", 0, 64, NULL, RELOAD, \
      "do not send what matches one of these") \
    A("discard", 0, "METHOD...", agent_discard, "agent.discard", TEXTS, "", 0, 32, NULL, RELOAD, \
      "do not send these methods, responses included, such as OPTIONS") \
    A("dedup", 0, "TIME", agent_dedup_us, "agent.dedup", DURATION, "0", 0, CONF_SEC(10), NULL, RELOAD, \
      "leave out copies that several taps see within this time; retransmissions stay. 0: do not look") \
    A("queue", 0, "SIZE", agent_queue, "agent.queue", SIZE, "32MiB", CONF_MIB(1), CONF_GIB(16), NULL, RELOAD, \
      "memory for what waits for a collector") \
    A("spool", 0, "DIR", agent_spool, "agent.spool", PATH, "", 0, 0, NULL, RELOAD, \
      "keep on disk what cannot be sent, and send it when the collector is back") \
    K(agent_spool_max, "agent.spool_max", SIZE, "1GiB", CONF_MIB(16), CONF_TIB(16), NULL, RELOAD, \
      "most octets there, of each collector; beyond it the oldest go") \
    K(agent_spool_rate, "agent.spool_rate", NUMBER, "20000", 0, 100000000, NULL, RELOAD, \
      "messages a second that are sent from there; 0: as fast as it goes") \
    K(agent_udp_max, "agent.udp_max", NUMBER, "65507", 512, 65507, NULL, RELOAD, \
      "longer messages go to udp:// collectors by TCP, same host and port") \
    K(agent_retry_us, "agent.retry", DURATION, "30s", 0, CONF_DAYS(1), NULL, RELOAD, \
      "files: how long a collector that cannot be reached is waited for") \
    A("ca", 0, "FILE", agent_ca, "agent.ca", PATH, "", 0, 0, NULL, RELOAD, \
      "certificates to trust, PEM; not set: those of the system") \
    A("cert", 0, "FILE", agent_cert, "agent.cert", PATH, "", 0, 0, NULL, RELOAD, "client certificate, PEM") \
    A("cert-key", 0, "FILE", agent_cert_key, "agent.cert_key", PATH, "", 0, 0, NULL, RELOAD, \
      "its private key, PEM; not set: in the file of the certificate") \
    K(agent_insecure, "agent.insecure", BOOL, "false", 0, 0, NULL, RELOAD, \
      "do not verify the certificates of collectors") \
    A("http", 0, "ADDR:PORT", agent_http, "agent.http", ADDRESS, "", 0, 0, NULL, RESTART, \
      "where /metrics is served; not set: nowhere") \
    A("account", 0, "TIME", agent_account_us, "agent.account", DURATION, "60s", 0, CONF_DAYS(1), NULL, RELOAD, \
      "time between accounts that are sent to the collectors, as HEP of type 100; 0: none") \
    A("user", 0, "NAME", agent_user, "agent.user", TEXT, "", 0, 0, NULL, RESTART, \
      "user to become once the devices are open; not set: stay, with two capabilities") \
    \
    F("log-level", "LEVEL", log_level, "log.level", ENUM, "info", 0, 0, "error|warning|info|debug", RELOAD, \
      "what is logged on standard error") \
    F("log-format", "FORMAT", log_format, "log.format", ENUM, "text", 0, 0, "text|json", RELOAD, \
      "how: lines for people, or a JSON object a line")
/* clang-format on */

#endif
