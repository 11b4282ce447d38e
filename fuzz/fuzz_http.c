/*
 * Requests to the HTTP side over a store of a few rows. The first octet picks a resource, whose query string or body
 * the rest is; or the rest is the request as it stands. Whatever comes: no answer blames the server, and each is JSON
 * if it is a problem.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/api.h"
#include "fake_store.h"
#include "fuzz.h"

#define ANSWER_MAX ((size_t)256 << 10)
#define WAIT_MS    2000

static const char *const resources[] = {
    "GET /api/v1/search",  "GET /api/v1/flow",    "GET /api/v1/message", "GET /api/v1/counts",  "GET /api/v1/values",
    "GET /api/v1/fields",  "GET /api/v1/export",  "GET /api/v1/senders", "HEAD /api/v1/search", "GET /",
    "POST /api/v1/search", "GET /api/v1/nothing", "GET /health",         "GET /metrics",        "DELETE /api/v1/flow",
};
#define RESOURCES (sizeof(resources) / sizeof(resources[0]))

/* Their numbers follow. */
static const struct {
    const char *path, *type;
} bodies[] = {
    { "/api/v1/search", "application/x-www-form-urlencoded" },
    { "/api/v1/counts", "application/x-www-form-urlencoded" },
    { "/api/v1/export", "application/x-www-form-urlencoded" },
    { "/api/v1/sql", "text/plain" },
    { "/api/v1/sql?limit=3", "application/json" },
};
#define BODIES (sizeof(bodies) / sizeof(bodies[0]))

static struct fake_store store;
static struct api *api;
static char answer[ANSWER_MAX + 1];

static void begin(void)
{
    struct errmsg err = { "" };
    struct api_options o = { .search_ms = 1000, .sql = true, .sources = { .store = &store.base, .version = "1" } };
    fake_store_init(&store);
    for (uint64_t i = 1; i <= 20; i++)
        fake_store_sip(&store, INT64_C(1767225600000000) + (int64_t)i * 1000000, i, i % 2 == 0 ? "call-1" : "call-2",
                       i % 3 == 0 ? "BYE" : "INVITE", i % 4 == 0 ? 200 : -1)
            ->payload = fake_slice("INVITE sip:x SIP/2.0\r\nCall-ID: call-1\r\n\r\n");
    FUZZ_CHECK(api_start(&api, &o, &err) == 0);
}

static void say(int fd, const void *octets, size_t len)
{
    (void)send(fd, octets, len, MSG_NOSIGNAL); /* a request that is refused need not be read whole */
}

/* A blank ends the target of a request: in a query string it is written otherwise. */
static void say_query(int fd, const uint8_t *data, size_t size)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < size; i++) {
        bool plain = data[i] > 0x20 && data[i] != 0x7f;
        char escaped[3] = { '%', hex[data[i] >> 4], hex[data[i] & 15] };
        say(fd, plain ? (const void *)&data[i] : escaped, plain ? 1 : 3);
    }
}

static void say_resource(int fd, const char *resource, const uint8_t *query, size_t len)
{
    static const char rest[] = " HTTP/1.0\r\nHost: localhost\r\n\r\n";
    say(fd, resource, strlen(resource));
    say(fd, "?", 1);
    say_query(fd, query, len);
    say(fd, rest, sizeof(rest) - 1);
}

static void say_body(int fd, size_t which, const uint8_t *body, size_t len)
{
    char head[256];
    int n = snprintf(head, sizeof(head),
                     "POST %s HTTP/1.0\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                     bodies[which].path, bodies[which].type, len);
    say(fd, head, (size_t)n);
    say(fd, body, len);
}

static size_t read_answer(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    size_t len = 0;
    while (len < ANSWER_MAX && poll(&p, 1, WAIT_MS) > 0) {
        ssize_t n = recv(fd, answer + len, ANSWER_MAX - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    answer[len] = '\0';
    return len;
}

static void check(size_t len)
{
    if (len == 0)
        return; /* not even a request */
    FUZZ_CHECK(strncmp(answer, "HTTP/1.", 7) == 0 && len > 12);
    long status = strtol(answer + 9, NULL, 10);
    FUZZ_CHECK((status >= 200 && status < 500) || status == 501 || status == 503 || status == 505);
    if (strstr(answer, "application/problem+json") != NULL && strstr(answer, "HEAD") == NULL) {
        const char *body = strstr(answer, "\r\n\r\n");
        FUZZ_CHECK(body != NULL && (body[4] == '{' || body[4] == '\0'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (api == NULL)
        begin();
    if (size == 0)
        return 0;
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(api_port(api)) };
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FUZZ_CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
    if (data[0] < RESOURCES) {
        say_resource(fd, resources[data[0]], data + 1, size - 1);
    } else if (data[0] < RESOURCES + BODIES) {
        say_body(fd, data[0] - RESOURCES, data + 1, size - 1);
    } else {
        say(fd, data + 1, size - 1);
    }
    (void)shutdown(fd, SHUT_WR);
    check(read_answer(fd));
    (void)close(fd);
    return 0;
}
