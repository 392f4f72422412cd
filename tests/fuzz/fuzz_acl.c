/*
 * Any bytes as an ACL's value: what is accepted keeps the kernel's rules, and comes out as it went in.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "images/acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_entries(const struct acl *a)
{
	unsigned seen = 0;

	for (size_t i = 0; i < a->n; i++) {
		const struct acl_entry *en = &a->v[i];

		if (en->perm > 7 || (i > 0 && en->tag < a->v[i - 1].tag))
			abort();
		if ((en->tag == ACL_TAG_USER || en->tag == ACL_TAG_GROUP) &&
		    en->id == ACL_NO_ID)
			abort();
		seen |= en->tag;
	}
	if ((seen & (ACL_TAG_USER | ACL_TAG_GROUP)) && !(seen & ACL_TAG_MASK))
		abort();
	if (!(seen & ACL_TAG_OWNER) || !(seen & ACL_TAG_GROUP_OWNER) || !(seen & ACL_TAG_OTHER))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t again[ACL_BYTES_MAX];
	struct err e = ERR_NONE;
	struct acl a;

	if (acl_decode(data, n, &a, &e) < 0 || a.n == 0)
		return 0;
	check_entries(&a);
	if (acl_encode(&a, again) != n)
		abort();
	for (size_t i = 0; i < n; i++) { /* the id of an entry that has none is -1 then */
		if (again[i] != data[i] && (i < 4 || ((i - 4) & 7) < 4 || again[i] != 0xff))
			abort();
	}
	if (acl_mode(&a, 07000) > 07777 || (acl_is_mode(&a) && a.n != 3))
		abort();
	acl_sort(&a);
	if (acl_check(&a, &e) < 0)
		abort();
	if (acl_shift(&a, 1000, 65536, &e) == 0)
		check_entries(&a);
	return 0;
}
