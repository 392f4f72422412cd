#include "images/confine_landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

/* Rights that are newer than the headers this is built with. */
enum { FS_TRUNCATE = 1 << 14, FS_IOCTL_DEV = 1 << 15 };

/* Version 1 refuses every link between two directories. */
enum { MIN_ABI = 2 };

int confine_landlock_version(void)
{
	long abi =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < MIN_ABI ? 0 : (int) abi;
}

static uint64_t known_rights(int abi)
{
	uint64_t all = (LANDLOCK_ACCESS_FS_REFER << 1) - 1;

	if (abi >= 3)
		all |= FS_TRUNCATE;
	if (abi >= 5)
		all |= FS_IOCTL_DEV;
	return all;
}

int confine_landlock(enum confine_kind kind, struct err *e)
{
	const uint64_t making = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
				LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR |
				LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
				LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
				LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM |
				LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE;
	const uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	int abi = confine_landlock_version();
	struct landlock_ruleset_attr attr = { .handled_access_fs = known_rights(abi) };
	struct landlock_path_beneath_attr below = {
		.allowed_access = kind == CONFINE_TREE ? making & known_rights(abi) : reading
	};

	if (abi == 0)
		return 0;
	auto_close int rules =
		(int) syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (rules < 0)
		return err_sys(e, "landlock_create_ruleset");
	if (kind == CONFINE_TREE || kind == CONFINE_READ) {
		auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

		below.parent_fd = root;
		if (root < 0 || syscall(SYS_landlock_add_rule, rules,
					LANDLOCK_RULE_PATH_BENEATH, &below, 0) < 0)
			return err_sys(e, "landlock_add_rule");
	}
	if (syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		return err_sys(e, "landlock_restrict_self");
	return 0;
}
