/*
 * Who may dial in: a file of lines "HOST SHA256-OF-ITS-TOKEN". Tokens themselves are nowhere at the relay.
 */
#ifndef CARREL_SESSIOND_RELAY_HOSTS_H
#define CARREL_SESSIOND_RELAY_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct hosts;

enum { HOSTS_MAX = 65536, TOKEN_LEN = 4 + 43 };

/* Blank lines and those that begin with # are nothing; a host stands there once. Errors name the line. */
int hosts_parse(const char *text, struct hosts **out, struct err *e);
int hosts_load(const char *path, struct hosts **out, struct err *e);
void hosts_free(struct hosts *h);

size_t hosts_count(const struct hosts *h);
/* Takes as long for a host that is not there. */
bool hosts_allow(const struct hosts *h, const char *host, const char *token);
/* Whether the host has the same token in both. */
bool hosts_same(const struct hosts *a, const struct hosts *b, const char *host);

/* A new token, "crt_..." of 256 random bits, and its line for the file. */
void hosts_new_token(const char *host, char token[TOKEN_LEN + 1], char line[192]);

#endif
