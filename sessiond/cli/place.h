/* Where the other programs and the data files are: beside this program, else where it was installed. */
#ifndef CARREL_SESSIOND_CLI_PLACE_H
#define CARREL_SESSIOND_CLI_PLACE_H

struct err;

/* An absolute path, malloc'ed. NULL with *e when there is none. */
char *place_program(const char *name, struct err *e);
/* `given` (made absolute) when it is not NULL. */
char *place_data(const char *given, const char *name, struct err *e);
/* The same path from "/" on. */
char *place_absolute(const char *path, struct err *e);

#endif
