"""hepcat agent on network devices, in namespaces of the tests' own."""

import json
import os
import re
import signal
import socket
import struct
import time
import urllib.request

import lib
import netns
from test_agent import packet, sdp


def vlan(frame: bytes, *tags: tuple[int, int]) -> bytes:
    """Tags of (TPID, id) behind the MAC addresses."""
    return frame[:12] + b"".join(struct.pack(">HH", tpid, number) for tpid, number in tags) + frame[12:]


def sip_ip(number: int, port: int = 5060) -> bytes:
    return lib.ip4(lib.udp(lib.sip(number, "INVITE").encode(), port, port), 17, ident=number)


RR = bytes.fromhex("81c90007000000010000000200000000000000000000000000000000" + "00000000")
RTP = bytes.fromhex("8000000100000000deadbeef") + b"\xd5" * 160


class Live(lib.Case):
    def setUp(self) -> None:
        super().setUp()
        self.ns = self.stack.enter_context(netns.Namespace())

    def agent(self, *args: str) -> lib.Process:
        p = self.stack.enter_context(self.ns.process(lib.hepcat(), "agent", "--account", "0", *args))
        p.wait_error_line("capturing")
        return p

    def collector(self) -> tuple[lib.Process, str]:
        p = self.stack.enter_context(self.ns.process(lib.hepcat(), "decode", "--tcp", "127.0.0.1:0"))
        return p, "tcp://" + p.wait_error_line("listening on tcp ").rsplit(" ", 1)[1]

    def payloads(self, messages: list[dict]) -> list[str]:
        return [re.search(r"call-(\d+)@", str(m["payload"])).group(1) for m in messages]

    def test_ethernet_and_tags(self) -> None:
        """Ethernet, 802.1Q, QinQ, MPLS, fragments and a tunnel pass the generated filter; RTP and others do not."""
        collector, url = self.collector()
        agent = self.agent("-i", "tap0", "--to", url)
        big = lib.udp(lib.sip(5, "INVITE", "x" * 2000).encode(), 5060, 5060)
        inner = lib.ethernet(sip_ip(7))
        frames = [
            lib.ethernet(sip_ip(1)),
            vlan(lib.ethernet(sip_ip(2)), (0x8100, 100)),
            vlan(lib.ethernet(sip_ip(3)), (0x88A8, 200), (0x8100, 300)),
            lib.ethernet(sip_ip(4))[:12] + b"\x88\x47" + bytes.fromhex("00010140") + sip_ip(4),
            lib.ethernet(lib.ip4(big[:1480], 17, ident=50, more=True)),
            lib.ethernet(lib.ip4(big[1480:], 17, ident=50, offset=1480)),
            lib.ethernet(lib.ip6(lib.udp(lib.sip(6, "INVITE").encode(), 5060, 5060), 17)),
            lib.ethernet(lib.ip4(lib.udp(bytes.fromhex("0800000000006400") + inner, 49000, 4789), 17)),
        ] + [lib.ethernet(lib.ip4(lib.udp(RTP, 4000, 4002), 17))] * 50 + [
            lib.ethernet(lib.ip4(lib.udp(b"other", 7000, 7001), 17)),
            lib.ethernet(lib.ip4(lib.udp(RR, 4001, 4003), 17)),
            lib.ethernet(sip_ip(9, 7060)),
            lib.ethernet(sip_ip(8)),
        ]
        self.ns.inject(frames)
        messages = collector.take(9)
        self.assertEqual(self.payloads([m for m in messages if m["rcinfo"]["payloadType"] == 1]),
                         ["1", "2", "3", "4", "5", "6", "7", "8"])
        self.assertEqual([m["rcinfo"].get("vlan") for m in messages[:3]], [None, 100, 300])
        self.assertEqual(messages[7]["rcinfo"]["payloadType"], 5)
        self.assertLess(abs(messages[0]["rcinfo"]["timeSeconds"] - time.time()), 60)
        self.assertEqual(agent.stop(), 0)
        captured = int(re.search(r"(\d+)  packets captured", agent.err).group(1))
        self.assertLess(captured, 40)  # neither RTP nor strangers; the devices' own IPv6 talk may be among them

    def test_any_and_loopback(self) -> None:
        """All devices at once; what the loopback shows twice is sent once."""
        collector, url = self.collector()
        agent = self.agent("-i", "any", "--to", url)
        self.ns.run("python3", "-c", "import socket,sys; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);"
                    "s.bind(('127.0.0.1',5060)); s.sendto(sys.stdin.buffer.read(),('127.0.0.1',5061))",
                    stdin=lib.sip(1, "INVITE").encode())
        self.assertEqual(self.payloads(collector.take(1)), ["1"])
        self.ns.inject([vlan(lib.ethernet(sip_ip(2)), (0x8100, 7))])
        # tap0 and wire0 see it both: two taps of one packet
        messages = collector.take(2)
        self.assertEqual((self.payloads(messages), {m["rcinfo"].get("vlan") for m in messages}), (["2", "2"], {7}))
        self.assertEqual(agent.stop(), 0)
        self.assertIn("3 sent", agent.err)

    def test_dedup_of_two_devices(self) -> None:
        collector, url = self.collector()
        agent = self.agent("-i", "tap0", "-i", "wire0", "--dedup", "400ms", "--to", url)
        for _ in range(3):
            self.ns.inject([lib.ethernet(sip_ip(2))])
            time.sleep(0.5)
        self.ns.inject([lib.ethernet(sip_ip(3))])
        self.assertEqual(self.payloads(collector.take(4)), ["2", "2", "2", "3"])
        self.assertEqual(agent.stop(), 0)
        self.assertIn("4  of them, left out as copies", agent.err)

    def test_own_filter(self) -> None:
        collector, url = self.collector()
        agent = self.agent("-i", "tap0", "--bpf", "udp port 7060", "--to", url)
        self.ns.inject([lib.ethernet(sip_ip(1)), lib.ethernet(sip_ip(2, 7060))])
        self.assertEqual(self.payloads(collector.take(1)), ["2"])
        self.assertEqual(agent.stop(), 0)

    def test_ports(self) -> None:
        collector, url = self.collector()
        self.agent("-i", "tap0", "--ports", "7000-7100,5062", "--to", url)
        self.ns.inject([lib.ethernet(sip_ip(1)), lib.ethernet(sip_ip(2, 7060)), lib.ethernet(sip_ip(3, 5062))])
        self.assertEqual(self.payloads(collector.take(2)), ["2", "3"])

    def test_heplify(self) -> None:
        """`heplify -i any -hs host:9060 -m SIPRTCP -dim OPTIONS,NOTIFY -e` as it is."""
        collector = self.stack.enter_context(self.ns.process(lib.hepcat(), "decode", "--udp", "127.0.0.1:9060"))
        collector.wait_error_line("listening")
        agent = self.stack.enter_context(self.ns.process(lib.hepcat(), "heplify", "-i", "any", "-hs", "127.0.0.1:9060", "-m",
                                                         "SIPRTCP", "-dim", "OPTIONS,NOTIFY", "-e"))
        agent.wait_error_line("capturing")
        self.ns.inject([packet(1, "OPTIONS"), packet(2, "INVITE"), packet(3, "NOTIFY")])
        self.assertEqual(self.payloads(collector.take(1)), ["2"])
        self.assertEqual(agent.stop(), 0)

    def test_workers(self) -> None:
        collector, url = self.collector()
        agent = self.agent("-i", "tap0", "--workers", "3", "--to", url)
        frames = [packet(i, "INVITE", src=f"10.1.{i % 200}.1") for i in range(600)]
        self.ns.inject(frames)
        self.assertEqual(sorted(int(n) for n in self.payloads(collector.take(600))), list(range(600)))
        self.assertEqual(agent.stop(), 0)

    def test_workers_know_calls_of_others(self) -> None:
        """RTCP of many calls has its Call-ID whichever worker has it."""
        collector, url = self.collector()
        agent = self.agent("-i", "tap0", "--workers", "4", "--to", url)
        sip, control = [], []
        for n in range(40):
            text = lib.sip(n, "INVITE", sdp(f"10.2.{n}.1", 4000 + 2 * n)).replace(
                "Content-Length", "Content-Type: application/sdp\r\nContent-Length")
            sip.append(lib.ethernet(lib.ip4(lib.udp(text.encode(), 5060, 5060), 17, src=f"10.2.{n}.9", ident=n)))
            control.append(lib.ethernet(lib.ip4(lib.udp(RR, 4001 + 2 * n, 7001), 17, src=f"10.2.{n}.1", dst=f"10.3.{n}.7")))
        self.ns.inject(sip)
        self.assertEqual(len(collector.take(40)), 40)
        time.sleep(0.3)  # mail is read with the next packets, or each 100 ms
        self.ns.inject(control)
        messages = collector.take(40)
        self.assertEqual(sorted(m["rcinfo"].get("correlation_id", "") for m in messages),
                         sorted(f"call-{n}@example.org" for n in range(40)))
        self.assertEqual(agent.stop(), 0)

    def test_two_capabilities(self) -> None:
        collector, url = self.collector()
        agent = self.agent("-i", "tap0", "--user", "nobody", "--to", url)
        child = agent.proc.pid
        status = netns.proc_status(child)
        self.assertEqual(int(status["CapEff"], 16), 1 << 13 | 1 << 12)  # CAP_NET_RAW, CAP_NET_ADMIN
        self.assertEqual(int(status["CapPrm"], 16), 1 << 13 | 1 << 12)
        self.assertEqual(int(status["CapBnd"], 16) & ~(1 << 13 | 1 << 12), 0)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertNotEqual(status["Uid"].split()[1], "0")
        self.ns.inject([lib.ethernet(sip_ip(1))])
        self.assertEqual(self.payloads(collector.take(1)), ["1"])
        with lib.Process(*self.ns.argv("setpriv", "--bounding-set=-all", "--inh-caps=-all", lib.hepcat(), "agent", "-i",
                                       "tap0", "--to", url)) as p:
            self.assertEqual(p.wait(), 1)
            self.assertIn("CAP_NET_RAW", p.err)

    def test_libpcap(self) -> None:
        """The same by libpcap: a device, `any`, a filter of one's own; what cannot be is told."""
        for device, count in (("pcap:tap0", 1), ("pcap:any", 2)):  # `any` has wire0 as well, going out
            collector, url = self.collector()
            agent = self.agent("-i", device, "--to", url)
            self.ns.inject([packet(i, "INVITE") for i in range(50)])
            messages = collector.take(50 * count)
            self.assertEqual(sorted(self.payloads(messages)), sorted(str(i) for i in range(50) for _ in range(count)))
            self.assertEqual(agent.stop(), 0)
            self.assertRegex(agent.err, rf"{50 * count}  SIP messages")
        collector, url = self.collector()
        agent = self.agent("-i", "pcap:tap0", "--bpf", "udp src port 5070", "--to", url)
        self.ns.inject([packet(1, "INVITE")])
        self.assertEqual(agent.stop(), 0)
        self.assertIn(": 0 sent", agent.err)
        for args, text in ((("-i", "pcap:nothing0"), "nothing0"), (("-i", "pcap:tap0", "--workers", "2"), "agent.workers must be 1"),
                           (("-i", "pcap:tap0", "--bpf", "port port"), "syntax error")):
            with lib.Process(*self.ns.argv(lib.hepcat(), "agent", *args, "--to", url)) as p:
                self.assertNotEqual(p.wait(), 0)
                self.assertIn(text, p.err)

    def test_tiny_ring_tells_its_drops(self) -> None:
        """A ring of 64 KiB, a process that is stopped, and more packets than fit: the kernel's drops are told everywhere."""
        collector, url = self.collector()
        conf = self.file("a.yaml", "agent: {ring: 64KiB, account: 1s}\n")
        agent = self.stack.enter_context(self.ns.process(lib.hepcat(), "agent", "--config", conf, "-i", "tap0", "--to", url,
                                                         "--http", "127.0.0.1:9096"))
        agent.wait_error_line("capturing")
        os.kill(agent.proc.pid, signal.SIGSTOP)
        self.ns.inject([packet(i, "INVITE") for i in range(2000)])
        os.kill(agent.proc.pid, signal.SIGCONT)
        agent.wait_error_line("the kernel dropped packets")
        while True:
            message = collector.take(1)[0]
            if message["rcinfo"]["payloadType"] == 100:
                account = message["payload"]
                account = account if isinstance(account, dict) else json.loads(account)
                if account["blind"]:
                    break
        self.assertEqual(account["event"], "capture_account")
        self.assertIn("capture was blind: the kernel dropped", account["text"])
        text = self.ns_get("http://127.0.0.1:9096/metrics")
        drops = int(re.search(r"^hepcat_agent_kernel_drops_total (\d+)$", text, re.M).group(1))
        self.assertEqual(drops, account["kernel_drops"])
        self.assertIn('hepcat_agent_packet_outcomes_total{outcome="udp"}', text)
        self.assertRegex(text, r'hepcat_agent_collector_up\{collector="tcp://[^"]+"\} 1')
        self.assertEqual(agent.stop(), 0)
        told = int(re.search(r"(\d+)  packets that the kernel dropped", agent.err).group(1))
        captured = int(re.search(r"(\d+)  SIP messages", agent.err).group(1))
        self.assertEqual((told, captured + told), (drops, 2000))

    def ns_get(self, url: str) -> str:
        p = self.stack.enter_context(self.ns.process("python3", "-c", "import sys,urllib.request as u;"
                                                     "sys.stdout.buffer.write(u.urlopen(sys.argv[1]).read())", url))
        p.wait()
        return b"".join(p.rest()).decode()

    def test_reload(self) -> None:
        """SIGHUP: rules, ports and collectors change; a wrong file changes nothing; no packet is lost in between."""
        one, url = self.collector()
        two, other = self.collector()
        path = self.tmp / "agent.yaml"
        path.write_text(f"agent:\n  interfaces: [tap0]\n  to: ['{url}']\n")
        agent = self.agent("--config", str(path))
        self.ns.inject([lib.ethernet(sip_ip(1))])
        self.assertEqual(self.payloads(one.take(1)), ["1"])
        path.write_text(f"agent:\n  interfaces: [tap0]\n  to: ['{url}']\n  filter: ['form:x']\n")
        agent.proc.send_signal(signal.SIGHUP)
        agent.wait_error_line("configuration not reloaded")
        self.ns.inject([lib.ethernet(sip_ip(2))])
        self.assertEqual(self.payloads(one.take(1)), ["2"])
        path.write_text(f"agent:\n  interfaces: [wire0]\n  to: ['{other}']\n  ports: [7060]\n  id: 99\n"
                        "  drop: ['call_id:call-4@*']\n")
        agent.proc.send_signal(signal.SIGHUP)
        agent.wait_error_line("configuration reloaded")
        self.ns.inject([lib.ethernet(sip_ip(n, 7060)) for n in (3, 4, 5)], "tap0")
        messages = two.take(2)
        self.assertEqual(self.payloads(messages), ["3", "5"])
        self.assertEqual(messages[0]["rcinfo"]["captureId"], 99)
        self.assertEqual(agent.stop(), 0)
        self.assertIn("1  left out by rule: drop call_id:call-4@*", agent.err)

    def test_device_goes_and_comes(self) -> None:
        collector, url = self.collector()
        agent = self.agent("-i", "tap0", "--to", url)
        self.ns.run("ip", "link", "del", "tap0")
        agent.wait_error_line("device is gone")
        for line in ("link add tap0 type veth peer name wire0", "link set tap0 up", "link set wire0 up"):
            self.ns.run("ip", *line.split())
        agent.wait_error_line("device is back")
        self.ns.inject([lib.ethernet(sip_ip(1))])
        self.assertEqual(self.payloads(collector.take(1)), ["1"])
        self.assertEqual(agent.stop(), 0)

    def test_spool_over_an_outage(self) -> None:
        """The collector is away while packets come: nothing is missing, in order, also with a memory that is too small."""
        port = 19060
        conf = self.file("a.yaml", "agent: {queue: 1MiB}\n")
        listener = ("decode", "--tcp", f"127.0.0.1:{port}")
        with self.ns.process(lib.hepcat(), *listener) as first:
            first.wait_error_line("listening")
            agent = self.agent("--config", conf, "-i", "tap0", "--to", f"tcp://127.0.0.1:{port}", "--spool",
                               str(self.tmp / "spool"))
            self.ns.inject([packet(i, "INVITE", "x" * 1000) for i in range(100)])
            self.assertEqual(len(first.take(100)), 100)
            first.stop()
        self.ns.inject([packet(i, "INVITE", "x" * 1000) for i in range(100, 3000)], pause=0.0005)
        agent.wait_error_line("cannot be reached")
        with self.ns.process(lib.hepcat(), *listener) as second:
            second.wait_error_line("listening")
            got = self.payloads(second.take(2900))
            self.assertEqual(sorted(int(n) for n in got), list(range(100, 3000)))
            self.assertEqual(agent.stop(), 0)
        self.assertIn("frames went to the spool, 0 octets wait there", agent.err)


if __name__ == "__main__":
    lib.main()
