/* Any bytes as a recipe: what is accepted holds no word that a shell or an option parser would misread. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "images/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct recipe r = { 0 };
	struct err e = ERR_NONE;

	if (recipe_parse((const char *) data, n, &r, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	for (size_t i = 0; r.packages[i]; i++) {
		if (r.packages[i][0] == '-' || strpbrk(r.packages[i], " ,;'\"$`\n"))
			abort();
	}
	for (size_t i = 0; r.remove && r.remove[i]; i++) {
		if (r.remove[i][0] != '/' || strpbrk(r.remove[i], " ;'\"$`\n&|<>") ||
		    strstr(r.remove[i], "/../"))
			abort();
	}
	if (r.user.name && strpbrk(r.user.name, " ;'\"$`\n/"))
		abort();
	recipe_fini(&r);
	return 0;
}
