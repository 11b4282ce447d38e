/*
 * A file that is there when it is whole: written under a temporary name in the same folder, renamed at the end, and
 * gone if the program ends before. Links stay: it is the file that they lead to. Standard output is one, too, as it is.
 */
#ifndef CMD_OUT_FILE_H
#define CMD_OUT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"

struct out_file {
    int fd;
    const char *path; /* NULL: standard output */
    char *target;     /* where the links that the path is lead to; NULL: standard output */
    char *temporary;  /* NULL: standard output */
    uint64_t octets;  /* written */
    struct errmsg err;
    bool broken_pipe; /* the reader had enough */
};

/* path: "-" or NULL: standard output; borrowed. One at a time is removed by SIGINT, SIGTERM and SIGHUP. -1 with a text.
 */
int out_file_open(struct out_file *f, const char *path, struct errmsg *err);

/* 0, or -1: f->err says why. */
int out_file_write(struct out_file *f, const void *octets, size_t len);

/* Puts it in its place, or removes it. 0, or -1 with a text. */
int out_file_keep(struct out_file *f, struct errmsg *err);
void out_file_drop(struct out_file *f);

#endif
