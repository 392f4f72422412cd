/*
 * Command lines from tables: parsing, --help and the man pages come from the same rows.
 *
 * Accepts --name VALUE, --name=VALUE, the whole name behind one dash, -n VALUE, -nVALUE, grouped short
 * switches, "--" as end, options before and after operands (unless the command stops at its first
 * operand, as `exec ID cmd -x` must).
 * Rendering goes to a buffer: printing is the caller's.
 */
#ifndef CARREL_BASE_OPT_H
#define CARREL_BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct buf;

enum opt_kind {
	OPT_SWITCH,   /* out: bool; also --name=true/false */
	OPT_STRING,   /* out: const char * */
	OPT_LIST,     /* out: struct opt_list; may be given several times */
	OPT_UINT,     /* out: uint64_t */
	OPT_INT,      /* out: int64_t */
	OPT_BYTES,    /* out: uint64_t, by str_to_bytes */
	OPT_DURATION, /* out: uint64_t milliseconds, by str_to_ms */
};

struct opt_list {
	const char **v; /* NULL-terminated; freed by opt_list_fini */
	size_t n;
};
void opt_list_fini(struct opt_list *l);

struct opt {
	const char *name; /* without dashes; NULL ends a table */
	char letter;	  /* 0: none */
	enum opt_kind kind;
	size_t offset;	  /* in the options struct */
	const char *arg;  /* "FILE", for help; NULL for switches */
	const char *help; /* one line */
};

enum opt_cmd_flags {
	OPT_STOP_AT_OPERAND =
		1 << 0,	     /* after the last fixed operand everything is an operand; a "--"
				right behind it is dropped */
	OPT_HIDDEN = 1 << 1, /* not in --help */
};

struct opt_cmd {
	const char *name;		/* NULL ends a table */
	const char *operands;		/* "ID [COMMAND [ARG...]]", for help */
	int min_operands, max_operands; /* max -1: any */
	int fixed_operands; /* for OPT_STOP_AT_OPERAND: how many come before the free ones */
	const struct opt *opts; /* may be NULL */
	unsigned flags;
	const char *help; /* one line */
	const char *text; /* for the man page, see opt_render_man; may be NULL */
	int (*run)(void *global, const char **operands, int n, void *opts);
	size_t opts_size; /* zeroed block given to run as `opts` */
};

struct opt_program {
	const char *name;
	const char *summary;	    /* one line */
	const char *text;	    /* for the man page, see opt_render_man */
	const struct opt *opts;	    /* before the command */
	const struct opt_cmd *cmds; /* NULL: a program without commands, see opt_parse */
	const char *command;	    /* which is meant where none is named; NULL: an error */
	const char *operands;	    /* for a program without commands */
	int section;		    /* of its man page: 1 or 8 */
};

/* Where the command line leads. */
enum opt_result {
	OPT_RUN,     /* cmd, operands, opts are set */
	OPT_HELP,    /* --help or -h was given; cmd may be set: render its help, exit 0 */
	OPT_VERSION, /* --version or -v */
	OPT_MAN,     /* not by opt_parse: a program's --man */
};

struct opt_parsed {
	const struct opt_cmd *cmd;
	const char **operands;
	int n_operands;
	void *opts; /* cmd->opts_size bytes, freed by opt_parsed_fini */
};

/* Returns an opt_result or -1. global receives the values of prog->opts (its lists are the caller's to
 * free, also after an error). An unknown command or option is an error that names it. "help [COMMAND]"
 * is OPT_HELP unless the program has such a command. Pointers refer into argv. */
int opt_parse(const struct opt_program *prog, int argc, char **argv, void *global,
	      struct opt_parsed *out, struct err *e);
void opt_parsed_fini(struct opt_parsed *p);

/* What a command line asks for that does not lead to OPT_RUN; cmd may be NULL. */
int opt_render(const struct opt_program *prog, enum opt_result what, const struct opt_cmd *cmd,
	       struct buf *out, struct err *e);
int opt_render_help(const struct opt_program *prog, const struct opt_cmd *cmd, struct buf *out,
		    struct err *e);
/*
 * man(7) source of the whole program. Texts are paragraphs with an empty line between;
 * a line that begins with "- " is an item, one that begins with a blank is an example printed as it
 * stands; in a program's text "# EXIT STATUS" begins a section, and all such follow the commands.
 */
int opt_render_man(const struct opt_program *prog, struct buf *out, struct err *e);
/* The page of one command, PROGRAM-COMMAND(section). */
int opt_render_man_cmd(const struct opt_program *prog, const struct opt_cmd *cmd,
		       struct buf *out, struct err *e);
/* NULL: no such command. */
const struct opt_cmd *opt_find_cmd(const struct opt_program *prog, const char *name);

#endif
