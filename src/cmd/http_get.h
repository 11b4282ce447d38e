/* GET of an API by libcurl, or POST if it has much to say. */
#ifndef CMD_HTTP_GET_H
#define CMD_HTTP_GET_H

#include <signal.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/errmsg.h"

struct http_get {
    const char *server; /* "http://127.0.0.1:9080": what goes before the path */
    const char *path;   /* "/api/v1/search" */
    const char *token;  /* NULL: none */
    const char *ca;     /* PEM file of the CAs to trust; NULL: those of the system */
    bool insecure;      /* do not verify the server's certificate */
    const char *post;   /* a text to be sent by POST; NULL: GET */
    bool form;          /* the path takes parameters as a form, too: long ones go so */

    const char *header; /* one more, "Name: value"; NULL: none */

    /* The query string; http_get_param() adds to it. */
    struct buf query;

    /* Each line of a 200 answer, without its end. Other than 0 ends the transfer. */
    int (*line)(void *arg, const char *line, size_t len);
    int (*data)(void *arg, const void *octets, size_t len); /* not NULL: instead, the octets as they come */
    bool blanks;                                            /* lines of no octet are given to `line`, too */
    void *arg;

    const volatile sig_atomic_t *stop; /* not NULL: the transfer ends within a second when it is set, as by `line` */

    /* What came: the answer's status; its body if it was not 200; the field Hepcat-Result, header or trailer. */
    long status;
    struct buf body;   /* terminated */
    struct buf result; /* terminated */
};

void http_get_init(struct http_get *g);
void http_get_free(struct http_get *g);

/* Appends the text for a path or a query: everything but what is surely harmless (RFC 3986, unreserved) as %XX. */
void http_get_put_escaped(struct buf *b, const char *text);

/* Adds a parameter to the query string, escaped. A NULL value is passed over. */
void http_get_param(struct http_get *g, const char *name, const char *value);
void http_get_number(struct http_get *g, const char *name, unsigned long long value);

/*
 * 0 if there was an answer and it was whole (g->status may be an error all the same); 1 if `line` ended it; -1 with a
 * text if there was none, or it was cut short.
 */
int http_get_run(struct http_get *g, struct errmsg *err);

#endif
