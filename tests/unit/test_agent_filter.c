/* The generated kernel filter on packets of all kinds; sets of files. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/files.h"
#include "agent/kernel_filter.h"
#include "test_capture_build.h"
#include "testlib.h"

/* Both headers have port 5060 and 5062 unless a row says otherwise. */
struct row {
    const char *name;
    const char *hex; /* behind the MAC addresses */
    bool pass, pass_rtcp;
};

#define MACS                  "020000000002 020000000001 "
#define IP4(proto, frag, len) "0800 4500" len "0001" frag "40" proto "0000 0a000001 0a000002"
#define PORTS(a, b)           a b "0010 0000"

static const struct row rows[] = {
    { "SIP to 5060", IP4("11", "0000", "0024") PORTS("c350", "13c4") "4f4b4f4b4f4b4f4b", true, true },
    { "SIP from 5070", IP4("11", "0000", "0024") PORTS("13ce", "c350") "4f4b4f4b4f4b4f4b", true, true },
    { "just above the range", IP4("11", "0000", "0024") PORTS("13e4", "c350") "4f4b4f4b4f4b4f4b", false, false },
    { "just below the range", IP4("11", "0000", "0024") PORTS("13c3", "c350") "4f4b4f4b4f4b4f4b", false, false },
    { "TCP 5060", IP4("06", "0000", "0024") PORTS("c350", "13c4") "4f4b4f4b4f4b4f4b", true, true },
    { "TCP other", IP4("06", "0000", "0024") PORTS("c350", "c351") "80c84f4b4f4b4f4b", false, false },
    { "RTCP SR", IP4("11", "0000", "0024") PORTS("c350", "c351") "80c800064f4b4f4b", false, true },
    { "RTCP XR", IP4("11", "0000", "0024") PORTS("c350", "c351") "80cf00064f4b4f4b", false, true },
    { "RTP", IP4("11", "0000", "0024") PORTS("c350", "c351") "800000064f4b4f4b", false, false },
    { "RTP with marker", IP4("11", "0000", "0024") PORTS("c350", "c351") "808000064f4b4f4b", false, false },
    { "STUN", IP4("11", "0000", "0024") PORTS("c350", "c351") "000100064f4b4f4b", false, false },
    { "UDP without payload", IP4("11", "0000", "001c") PORTS("c350", "c351"), false, false },
    { "options in the IP header",
      "0800 4600 0028 0001 0000 4011 0000 0a000001 0a000002 01010101" PORTS("c350", "13c4") "4f4b4f4b4f4b4f4b", true,
      true },
    { "first fragment", IP4("11", "2000", "0024") PORTS("c350", "c351") "4f4b4f4b4f4b4f4b", true, true },
    { "later fragment", IP4("11", "00b9", "0024") "4f4b4f4b4f4b4f4b4f4b4f4b4f4b4f4b", true, true },
    { "do not fragment", IP4("11", "4000", "0024") PORTS("c350", "c351") "4f4b4f4b4f4b4f4b", false, false },
    { "SCTP", IP4("84", "0000", "0024") PORTS("c350", "c351") "4f4b4f4b4f4b4f4b", true, true },
    { "GRE", IP4("2f", "0000", "0024") "0000 0800 4f4b4f4b4f4b4f4b4f4b4f4b", true, true },
    { "IP in IP", IP4("04", "0000", "0024") "4f4b4f4b4f4b4f4b4f4b4f4b4f4b4f4b", true, true },
    { "6in4", IP4("29", "0000", "0024") "4f4b4f4b4f4b4f4b4f4b4f4b4f4b4f4b", true, true },
    { "EtherIP", IP4("61", "0000", "0024") "4f4b4f4b4f4b4f4b4f4b4f4b4f4b4f4b", true, true },
    { "L2TPv3", IP4("73", "0000", "0024") "4f4b4f4b4f4b4f4b4f4b4f4b4f4b4f4b", true, true },
    { "VXLAN", IP4("11", "0000", "0024") PORTS("c350", "12b5") "0800000000006400", true, true },
    { "GENEVE", IP4("11", "0000", "0024") PORTS("c350", "17c1") "0000655800006400", true, true },
    { "GTP-U", IP4("11", "0000", "0024") PORTS("0868", "0868") "30ff000000006400", true, true },
    { "TZSP", IP4("11", "0000", "0024") PORTS("c350", "9090") "0100000000006400", true, true },
    { "ICMP", IP4("01", "0000", "0024") "08000000000000004f4b4f4b4f4b4f4b", false, false },
    { "802.1Q", "8100 0064 " IP4("11", "0000", "0024") PORTS("c350", "c351") "4f4b4f4b4f4b4f4b", true, true },
    { "QinQ", "88a8 0064 8100 0065 " IP4("11", "0000", "0024") PORTS("c350", "c351") "4f4b", true, true },
    { "MPLS", "8847 00010140 4500", true, true },
    { "PPPoE", "8864 1100 0001 0020 0021 4500", true, true },
    { "ARP", "0806 0001 0800 0604 0001 020000000001 0a000001 000000000000 0a000002", false, false },
    { "LLDP", "88cc 0207040200000000010403", false, false },
    { "IPv6 SIP",
      "86dd 60000000 0010 11 40 20010db8000000000000000000000001 20010db8000000000000000000000002" PORTS(
          "13c4", "c350") "4f4b4f4b4f4b4f4b",
      true, true },
    { "IPv6 RTCP",
      "86dd 60000000 0010 11 40 20010db8000000000000000000000001 20010db8000000000000000000000002" PORTS(
          "c351", "c350") "81c94f4b4f4b4f4b",
      false, true },
    { "IPv6 other",
      "86dd 60000000 0010 11 40 20010db8000000000000000000000001 20010db8000000000000000000000002" PORTS(
          "c351", "c350") "4f4b4f4b4f4b4f4b",
      false, false },
    { "IPv6 fragment",
      "86dd 60000000 0010 2c 40 20010db8000000000000000000000001 20010db8000000000000000000000002"
      "11000001 00000001 4f4b4f4b",
      true, true },
    { "IPv6 ICMP",
      "86dd 60000000 0010 3a 40 20010db8000000000000000000000001 20010db8000000000000000000000002"
      "8000000000000000",
      false, false },
    { "cut in the IP header", "0800 4500", false, false },
    { "nothing", "", false, false },
};

static void check(const struct kernel_filter_options *o, const struct row *row, bool pass)
{
    static struct kernel_filter f;
    static struct build b;
    kernel_filter_make(o, &f);
    assert_true(f.count < KERNEL_FILTER_MAX);
    b.len = 0;
    add_hex(&b, MACS);
    add_hex(&b, row->hex);
    if (kernel_filter_run(&f, b.octets, b.len, b.len) != pass)
        fail_msg("%s: passed: %d", row->name, !pass);
}

static void test_packets(void **state)
{
    (void)state;
    struct errmsg err;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct kernel_filter_options o = { .snaplen = 65535 };
        assert_int_equal(kernel_filter_ports(&o, "5060-5091,443", &err), 0);
        check(&o, &rows[i], rows[i].pass);
        o.rtcp = true;
        check(&o, &rows[i], rows[i].pass_rtcp);
    }
}

/* With RTP everything of its version passes, and nothing that is less. */
static void test_rtp(void **state)
{
    (void)state;
    struct kernel_filter_options o = { .snaplen = 65535, .rtcp = true, .rtp = true };
    struct errmsg err;
    assert_int_equal(kernel_filter_ports(&o, "5060", &err), 0);
    check(&o, &(struct row){ "RTP", IP4("11", "0000", "0024") PORTS("c350", "c351") "800000064f4b4f4b", 0, 0 }, true);
    check(&o, &(struct row){ "RTCP", IP4("11", "0000", "0024") PORTS("c350", "c351") "80c800064f4b4f4b", 0, 0 }, true);
    check(&o, &(struct row){ "STUN", IP4("11", "0000", "0024") PORTS("c350", "c351") "000100064f4b4f4b", 0, 0 }, false);
    check(&o, &(struct row){ "TCP", IP4("06", "0000", "0024") PORTS("c350", "c351") "800000064f4b4f4b", 0, 0 }, false);
}

/* The most ranges there may be: jumps reach over them. */
static void test_many_ports(void **state)
{
    (void)state;
    struct kernel_filter_options o = { .snaplen = 65535, .rtcp = true };
    struct errmsg err;
    for (unsigned i = 0; i < KERNEL_FILTER_RANGES; i++)
        o.ports[o.port_count++] = (struct port_range){ (uint16_t)(10000 + i * 10), (uint16_t)(10000 + i * 10 + 1) };
    assert_int_equal(kernel_filter_ports(&o, "5060", &err), -1);
    check(&o, &(struct row){ "last range", IP4("11", "0000", "0024") PORTS("2987", "c350") "4f4b4f4b4f4b4f4b", 0, 0 },
          true);
    check(&o,
          &(struct row){ "last range, other side", IP4("11", "0000", "0024") PORTS("c350", "2986") "4f4b4f4b4f4b4f4b",
                         0, 0 },
          true);
    check(&o,
          &(struct row){ "between ranges", IP4("11", "0000", "0024") PORTS("c350", "2988") "4f4b4f4b4f4b4f4b", 0, 0 },
          false);
    check(&o, &(struct row){ "RTCP", IP4("11", "0000", "0024") PORTS("c350", "c351") "80c84f4b4f4b4f4b", 0, 0 }, true);
    check(&o, &(struct row){ "TCP", IP4("06", "0000", "0024") PORTS("2710", "c351") "80c84f4b4f4b4f4b", 0, 0 }, true);
}

static void test_port_texts(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "x", "0", "70000", "5061-5060", "5060-", "-5060", "5060,", "5060 5061", "any"
    };
    struct kernel_filter_options o = { 0 };
    struct errmsg err;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(kernel_filter_ports(&o, bad[i], &err), -1);
    o.port_count = 0;
    assert_int_equal(kernel_filter_ports(&o, "5060-5091,443,all", &err), 0);
    assert_int_equal(o.port_count, 3);
    assert_int_equal(o.ports[0].last, 5091);
    assert_int_equal(o.ports[1].first, 443);
    assert_int_equal(o.ports[2].last, 65535);
}

static void test_own_filter(void **state)
{
    (void)state;
    static struct kernel_filter f;
    struct errmsg err = { "" };
    struct buf out;
    assert_int_equal(kernel_filter_compile("udp port", false, 65535, &f, &err), -1);
    assert_true(err.text[0] != '\0');
    assert_int_equal(kernel_filter_compile("udp port 5060", false, 65535, &f, &err), 0);
    buf_init(&out, 65536);
    kernel_filter_print(&f, &out);
    assert_false(out.failed);
    buf_putc(&out, '\0');
    assert_non_null(strstr((const char *)out.ptr, "#0x13c4"));
    buf_free(&out);
}

/* ------------------------------------------------------------------------------------------------ files */

static void touch(const char *dir, const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
}

static void test_files(void **state)
{
    (void)state;
    static const char *const names[] = { "b.pcap", "a.PCAPNG", "c.cap.gz", "notes.txt", "pcap", ".pcap" };
    char dir[] = "/tmp/hepcat-files-XXXXXX", path[256];
    struct files f = { 0 };
    struct errmsg err = { "" };
    assert_non_null(mkdtemp(dir));
    assert_int_equal(files_add(&f, dir, &err), -1);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        touch(dir, names[i]);
    assert_int_equal(files_add(&f, dir, &err), 0);
    assert_int_equal(f.count, 3);
    assert_non_null(strstr(f.names[0], "/a.PCAPNG"));
    assert_non_null(strstr(f.names[2], "/c.cap.gz"));
    (void)snprintf(path, sizeof(path), "%s/*.txt", dir);
    assert_int_equal(files_add(&f, path, &err), 0);
    assert_int_equal(files_add(&f, "-", &err), 0);
    assert_int_equal(f.count, 5);
    (void)snprintf(path, sizeof(path), "%s/*.zip", dir);
    assert_int_equal(files_add(&f, path, &err), -1);
    assert_non_null(strstr(err.text, "no file matches"));
    (void)snprintf(path, sizeof(path), "%s/none.pcap", dir);
    assert_int_equal(files_add(&f, path, &err), -1);
    files_free(&f);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets),    cmocka_unit_test(test_rtp),        cmocka_unit_test(test_many_ports),
        cmocka_unit_test(test_port_texts), cmocka_unit_test(test_own_filter), cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
