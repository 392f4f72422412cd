#include "images/platform.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "images/imageconfig.h"

/* What an architecture's name means without a variant. */
static const char *usual_variant(const char *arch)
{
	static const struct {
		const char *arch, *variant;
	} rows[] = { { "amd64", "v1" }, { "arm64", "v8" }, { "arm", "v7" } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strcmp(rows[i].arch, arch) == 0)
			return rows[i].variant;
	}
	return "";
}

struct platform platform_host(void)
{
	struct platform p = { 0 };

	snprintf(p.arch, sizeof(p.arch), "%s", imageconfig_host_arch());
	return p;
}

int platform_parse(const char *text, struct platform *out, struct err *e)
{
	struct platform p = { 0 };
	const char *arch = text, *variant;
	size_t n;

	if (str_has_prefix(text, "linux/"))
		arch += strlen("linux/");
	variant = strchr(arch, '/');
	n = variant ? (size_t) (variant - arch) : strlen(arch);
	if (n == 0 || n >= sizeof(p.arch) || (variant && arch == text) ||
	    (variant && strlen(variant + 1) >= sizeof(p.variant)) ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789/.") != strlen(text) ||
	    (variant && (!variant[1] || strchr(variant + 1, '/'))))
		return err_set(e, EINVAL, "'%.60s' is no linux/ARCHITECTURE[/VARIANT]", text);
	memcpy(p.arch, arch, n);
	if (variant)
		snprintf(p.variant, sizeof(p.variant), "%s", variant + 1);
	*out = p;
	return 0;
}

struct platform_text platform_text(const struct platform *p)
{
	struct platform_text t;

	snprintf(t.s, sizeof(t.s), "linux/%s%s%s", p->arch, p->variant[0] ? "/" : "",
		 p->variant);
	return t;
}

/* ARM's variants are numbered, and newer machines run what is for older ones. */
static unsigned older_arm(const char *want, const char *variant)
{
	if (want[0] != 'v' || variant[0] != 'v' || want[1] < variant[1] || strlen(variant) != 2)
		return 0;
	return (unsigned) (variant[1] - '0');
}

unsigned platform_fits(const struct platform *want, const char *os, const char *arch,
		       const char *variant)
{
	const char *usual = usual_variant(want->arch);
	const char *mine = want->variant[0] ? want->variant : usual;
	enum { EXACT = 100, SAME = 90, UNSAID = 80 };

	if (os && strcmp(os, "linux") != 0)
		return 0;
	if (!arch)
		return 1;
	if (strcmp(arch, want->arch) != 0)
		return 0;
	if (strcmp(variant ? variant : "", want->variant) == 0)
		return EXACT;
	if (!variant)
		return UNSAID;
	if (strcmp(variant, mine) == 0)
		return SAME;
	return strcmp(arch, "arm") == 0 ? older_arm(mine, variant) : 0;
}
