#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/opt.h"
#include "base/page.h"
#include "base/str.h"
#include "version.h"

enum { LEFT_MAX = 30 };

static const struct opt help_row = { .name = "help", .letter = 'h', .help = "show this help" };
static const struct opt version_row = { .name = "version",
					.letter = 'v',
					.help = "show the version" };

/* A built-in row's letter gives way to a table that uses it for something else. */
static struct opt built_in(const struct opt *row, const struct opt *opts)
{
	struct opt o = *row;

	for (; opts && opts->name; opts++) {
		if (opts->letter == o.letter)
			o.letter = 0;
		if (strcmp(opts->name, row->name) == 0)
			o.name = NULL;
	}
	return o;
}

/* Every option of a table, the built-in ones last. */
struct rows {
	const struct opt *next;
	struct opt extra[2];
	size_t n_extra, i;
};

static struct rows rows_of(const struct opt *opts, bool with_version)
{
	struct rows r = { .next = opts };
	struct opt help = built_in(&help_row, opts), version = built_in(&version_row, opts);

	if (help.name)
		r.extra[r.n_extra++] = help;
	if (with_version && version.name)
		r.extra[r.n_extra++] = version;
	return r;
}

static bool rows_next(struct rows *r, struct opt *out)
{
	if (r->next && r->next->name) {
		*out = *r->next++;
		return true;
	}
	if (r->i == r->n_extra)
		return false;
	*out = r->extra[r->i++];
	return true;
}

/* ---- --help ---- */

static void left_side(const struct opt *o, char *s, size_t cap)
{
	char letter[8] = "    ";

	if (o->letter)
		(void) snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	(void) snprintf(s, cap, "%s--%s%s%s", letter, o->name, o->arg ? " " : "",
			o->arg ? o->arg : "");
}

static void help_row_out(struct page *p, const char *left, size_t width, const char *help)
{
	if (strlen(left) > width)
		page_say(p, "  %s\n  %*s", left, (int) width, "");
	else
		page_say(p, "  %-*s", (int) width, left);
	page_say(p, "  %s\n", help ? help : "");
}

static void help_options(struct page *p, const struct opt *opts, bool with_version)
{
	struct rows r = rows_of(opts, with_version);
	size_t width = 0;
	char left[160];
	struct opt o;

	while (rows_next(&r, &o)) {
		left_side(&o, left, sizeof(left));
		if (strlen(left) <= LEFT_MAX)
			width = MAX(width, strlen(left));
	}
	page_say(p, "\nOPTIONS:\n");
	r = rows_of(opts, with_version);
	while (rows_next(&r, &o)) {
		left_side(&o, left, sizeof(left));
		help_row_out(p, left, width, o.help);
	}
}

static void help_commands(struct page *p, const struct opt_cmd *cmds)
{
	size_t width = 0;

	for (const struct opt_cmd *c = cmds; c->name; c++) {
		if (!(c->flags & OPT_HIDDEN))
			width = MAX(width, strlen(c->name));
	}
	page_say(p, "\nCOMMANDS:\n");
	for (const struct opt_cmd *c = cmds; c->name; c++) {
		if (!(c->flags & OPT_HIDDEN))
			help_row_out(p, c->name, width, c->help);
	}
}

int opt_render_help(const struct opt_program *prog, const struct opt_cmd *cmd, struct buf *out,
		    struct err *e)
{
	struct page p = { .out = out, .e = e };
	const char *operands = cmd	    ? cmd->operands
			       : prog->cmds ? "COMMAND [ARG...]"
					    : prog->operands;
	const char *summary = cmd ? cmd->help : prog->summary;
	const char *space = cmd ? " " : "", *name = cmd ? cmd->name : "";

	page_say(&p, "NAME:\n   %s%s%s%s%s\n", prog->name, space, name, summary ? " - " : "",
		 summary ? summary : "");
	page_say(&p, "\nUSAGE:\n   %s%s%s [OPTION...]%s%s\n", prog->name, space, name,
		 operands && *operands ? " " : "", operands ? operands : "");
	if (!cmd && prog->cmds)
		help_commands(&p, prog->cmds);
	help_options(&p, cmd ? cmd->opts : prog->opts, !cmd);
	if (!cmd && prog->cmds)
		page_say(&p, "\nOptions of a command: %s COMMAND --help\n", prog->name);
	return p.r;
}

/* ---- man(7) ---- */

/* What roff would take for markup. Hyphens become minus signs, so that options can be copied. */
static void man_text(struct page *p, const char *s, size_t n)
{
	for (size_t i = 0; i < n && p->r == 0; i++) {
		switch (s[i]) {
		case '\\':
			page_say(p, "\\e");
			break;
		case '-':
			page_say(p, "\\-");
			break;
		case '"':
			page_say(p, "\\(dq");
			break;
		case '\'':
			page_say(p, "\\(aq");
			break;
		case '`':
			page_say(p, "\\(ga");
			break;
		case '^':
			page_say(p, "\\(ha");
			break;
		case '~':
			page_say(p, "\\(ti");
			break;
		case '.':
			page_say(p, "%s", i == 0 ? "\\&." : ".");
			break;
		default:
			p->r = buf_append(p->out, s + i, 1, p->e);
		}
	}
}

static void man_str(struct page *p, const char *s)
{
	man_text(p, s, strlen(s));
}

static void man_upper(struct page *p, const char *s)
{
	for (; *s; s++)
		man_text(p, (char[]){ *s >= 'a' && *s <= 'z' ? (char) (*s - 32) : *s }, 1);
}

/* Which lines of a text belong together. */
enum para { PARA_NONE, PARA_PLAIN, PARA_EXAMPLE };

static enum para man_line(struct page *p, enum para now, const char *s, size_t n)
{
	bool example = n && (s[0] == ' ' || s[0] == '\t');

	if (now == PARA_EXAMPLE && !example)
		page_say(p, ".fi\n.RE\n");
	if (n == 0)
		return PARA_NONE;
	if (n > 2 && memcmp(s, "# ", 2) == 0) {
		page_say(p, ".SH ");
		man_text(p, s + 2, n - 2);
		page_say(p, "\n");
		return PARA_PLAIN;
	}
	if (example) {
		if (now != PARA_EXAMPLE)
			page_say(p, "%s.RS 4\n.nf\n", now == PARA_NONE ? ".PP\n" : "");
		while (n && (*s == ' ' || *s == '\t')) {
			s++;
			n--;
		}
	} else if (n > 2 && memcmp(s, "- ", 2) == 0) {
		page_say(p, ".IP \\(bu 2\n");
		s += 2;
		n -= 2;
	} else if (now != PARA_PLAIN) {
		page_say(p, ".PP\n");
	}
	man_text(p, s, n);
	page_say(p, "\n");
	return example ? PARA_EXAMPLE : PARA_PLAIN;
}

/* `now`: PARA_PLAIN right below a heading, where a .PP would be an empty one. */
static void man_paragraphs(struct page *p, const char *s, size_t len, enum para now)
{
	const char *end = s + len;

	while (s < end) {
		const char *nl = memchr(s, '\n', (size_t) (end - s));
		size_t n = nl ? (size_t) (nl - s) : (size_t) (end - s);

		now = man_line(p, now, s, n);
		s += n + (nl != NULL);
	}
	if (now == PARA_EXAMPLE)
		page_say(p, ".fi\n.RE\n");
}

static void man_options(struct page *p, const struct opt *opts, bool with_version)
{
	struct rows r = rows_of(opts, with_version);
	struct opt o;

	while (rows_next(&r, &o)) {
		page_say(p, ".TP\n");
		if (o.letter)
			page_say(p, "\\fB\\-%c\\fR, ", o.letter);
		page_say(p, "\\fB\\-\\-");
		man_str(p, o.name);
		page_say(p, "\\fR");
		if (o.arg) {
			page_say(p, " \\fI");
			man_str(p, o.arg);
			page_say(p, "\\fR");
		}
		page_say(p, "\n");
		man_str(p, o.help && o.help[0] ? o.help : "(no description)");
		page_say(p, "\n");
	}
}

static void man_usage(struct page *p, const struct opt_program *prog, const char *cmd,
		      const char *operands)
{
	page_say(p, "\\fB");
	man_str(p, prog->name);
	if (cmd) {
		page_say(p, " ");
		man_str(p, cmd);
	}
	page_say(p, "\\fR [\\fIOPTION\\fR...]");
	if (operands) {
		page_say(p, " ");
		man_str(p, operands);
	}
	page_say(p, "\n");
}

static void man_command(struct page *p, const struct opt_program *prog, const struct opt_cmd *c)
{
	page_say(p, ".SS ");
	man_str(p, c->name);
	page_say(p, "\n");
	man_usage(p, prog, c->name, c->operands);
	if (c->help) {
		page_say(p, ".PP\n");
		man_str(p, c->help);
		page_say(p, "\n");
	}
	if (c->text)
		man_paragraphs(p, c->text, strlen(c->text), PARA_NONE);
	if (c->opts && c->opts->name)
		man_options(p, c->opts, false);
}

/* .TH and NAME. */
static void man_head(struct page *p, const struct opt_program *prog, const struct opt_cmd *c)
{
	auto_free char *name =
		c ? xasprintf("%s-%s", prog->name, c->name) : xstrdup(prog->name);
	const char *summary = c ? c->help : prog->summary;

	page_say(p, ".TH \"");
	man_upper(p, name);
	page_say(p, "\" \"%d\" \"\" \"Carrel\" \"Carrel\"\n.SH NAME\n", prog->section);
	man_str(p, name);
	page_say(p, " \\- ");
	man_str(p, summary ? summary : name);
	page_say(p, "\n.SH SYNOPSIS\n");
}

/* Where the sections of its own begin in a program's text. */
static size_t prose_len(const char *text)
{
	const char *s = text;

	while (*s) {
		if (str_has_prefix(s, "# "))
			break;
		s += strcspn(s, "\n");
		s += *s == '\n';
	}
	return (size_t) (s - text);
}

int opt_render_man(const struct opt_program *prog, struct buf *out, struct err *e)
{
	struct page p = { .out = out, .e = e };
	const char *text = prog->text ? prog->text : "";
	size_t prose = prose_len(text);

	man_head(&p, prog, NULL);
	man_usage(&p, prog, NULL, prog->cmds ? "COMMAND [ARG...]" : prog->operands);
	if (prose) {
		page_say(&p, ".SH DESCRIPTION\n");
		man_paragraphs(&p, text, prose, PARA_PLAIN);
	}
	page_say(&p, ".SH OPTIONS\n");
	man_options(&p, prog->opts, true);
	if (prog->cmds)
		page_say(&p, ".SH COMMANDS\n");
	for (const struct opt_cmd *c = prog->cmds; c && c->name; c++) {
		if (!(c->flags & OPT_HIDDEN))
			man_command(&p, prog, c);
	}
	man_paragraphs(&p, text + prose, strlen(text + prose), PARA_PLAIN);
	return p.r;
}

int opt_render_man_cmd(const struct opt_program *prog, const struct opt_cmd *cmd,
		       struct buf *out, struct err *e)
{
	struct page p = { .out = out, .e = e };

	man_head(&p, prog, cmd);
	man_usage(&p, prog, cmd->name, cmd->operands);
	if (cmd->text) {
		page_say(&p, ".SH DESCRIPTION\n");
		man_paragraphs(&p, cmd->text, strlen(cmd->text), PARA_PLAIN);
	}
	page_say(&p, ".SH OPTIONS\n");
	man_options(&p, cmd->opts, false);
	page_say(&p, ".SH SEE ALSO\n\\fB");
	man_str(&p, prog->name);
	page_say(&p, "\\fR(%d)\n", prog->section);
	return p.r;
}

int opt_render(const struct opt_program *prog, enum opt_result what, const struct opt_cmd *cmd,
	       struct buf *out, struct err *e)
{
	if (what == OPT_VERSION)
		return buf_printf(out, e, "%s version %s\n", prog->name, CARREL_VERSION);
	if (what == OPT_MAN)
		return cmd ? opt_render_man_cmd(prog, cmd, out, e)
			   : opt_render_man(prog, out, e);
	return opt_render_help(prog, cmd, out, e);
}
