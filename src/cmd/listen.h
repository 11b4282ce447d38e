/* `hepcat decode --udp ...`: listeners into the decoder, until SIGINT or SIGTERM. */
#ifndef CMD_LISTEN_H
#define CMD_LISTEN_H

#include "cmd/decoder.h"
#include "cmd/opt.h"

struct listen_options {
    struct opt_list udp, tcp, tls, http, https; /* ADDR:PORT */
    const char *cert;                           /* PEM */
    const char *cert_key;                       /* PEM; NULL: in the file of the certificate */
    const char *client_ca;                      /* PEM; NULL: clients need no certificate */
    uint64_t rcvbuf;                            /* octets; 0: 4 MiB */
    uint64_t body_max;                          /* octets; 0: 8 MiB */
};

/* True if any listener was asked for. */
bool listen_wanted(const struct listen_options *options);

/* 0, or -1 with a text if the options make no sense. */
int listen_check(const struct listen_options *options, struct errmsg *err);

/* Opens the listeners, says where they listen, and runs. 0, or -1 with a text if one could not be opened. */
int listen_run(struct decoder *d, const struct listen_options *options, struct errmsg *err);

#endif
