/* Reads one HEP frame from standard input and shows what is in it: ./encode | ./decode */
#include <hep/hep.h>
#include <stdio.h>

int main(void)
{
    uint8_t data[HEP_FRAME_MAX];
    struct hep_msg msg;
    struct hep_chunk chunk;
    size_t len = fread(data, 1, sizeof(data), stdin);

    int rc = hep_decode(data, len, NULL, &msg);
    if (rc != HEP_OK) {
        fprintf(stderr, "decode: %s at octet %zu\n", hep_strerror(rc), msg.error_offset);
        return 1;
    }
    printf("HEP version %u, payload type %u, agent %u \"%.*s\"\n", msg.version, msg.payload_type,
           (unsigned)msg.capture_id, (int)msg.node_name.len, (const char *)msg.node_name.ptr);
    printf("captured at %u.%06u, port %u to port %u\n", (unsigned)msg.time_sec, (unsigned)msg.time_usec, msg.src_port,
           msg.dst_port);
    for (size_t pos = 0; hep_chunk_next(&msg, &pos, &chunk);)
        if (chunk.vendor != 0)
            printf("vendor %u, type %u: %zu octets\n", chunk.vendor, chunk.type, chunk.body.len);
    printf("%.*s", (int)msg.payload.len, (const char *)msg.payload.ptr);
    return 0;
}
