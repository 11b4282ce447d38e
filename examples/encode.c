/* Wraps a SIP message in HEP and writes the frame to standard output: ./encode | ./decode */
#include <hep/hep.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    const char sip[] = "OPTIONS sip:bob@example.org SIP/2.0\r\n"
                       "Call-ID: 1@example.org\r\n\r\n";
    const uint8_t src[4] = { 192, 0, 2, 1 }, dst[4] = { 192, 0, 2, 2 };
    struct hep_msg msg;
    uint8_t frame[HEP_UDP_MAX];
    size_t len;

    hep_msg_init(&msg, HEP_TYPE_SIP);
    hep_set_src(&msg, src, sizeof(src), 5060);
    hep_set_dst(&msg, dst, sizeof(dst), 5060);
    msg.time_sec = 1700000000;
    msg.time_usec = 123456;
    msg.capture_id = 2001;
    hep_set_octets(&msg, HEP_CHUNK_NODE_NAME, "example", strlen("example"));
    hep_set_octets(&msg, HEP_CHUNK_PAYLOAD, sip, strlen(sip));

    int rc = hep_encode(&msg, frame, sizeof(frame), &len);
    if (rc != HEP_OK) {
        fprintf(stderr, "encode: %s\n", hep_strerror(rc));
        return 1;
    }
    return fwrite(frame, 1, len, stdout) == len ? 0 : 1;
}
