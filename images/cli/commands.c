/* The tables behind parsing, --help and the man page. */
#include <stddef.h>

#include "images/cli/cli.h"

/* clang-format off */
#define G(n, l, k, m, arg, help) { n, l, k, offsetof(struct cli, m), arg, help }
static const struct opt global_opts[] = {
	G("store", 0, OPT_STRING, store, "DIR", "the image store (default: /var/lib/carrel/store)"),
	G("log-format", 0, OPT_STRING, log_format, "text|json", "how log lines look"),
	G("debug", 0, OPT_SWITCH, debug, NULL, "log what is done, step by step"),
	{ 0 },
};

#define FORMAT(type) \
	{ "format", 0, OPT_STRING, offsetof(type, format), "auto|dir|erofs", "how new layers lie in the store (default: auto, which is dir)" }

/* How much an image may cost, for import and pull. */
#define LIMITS(type) \
	{ "skip-devices", 0, OPT_SWITCH, offsetof(type, limits.skip_devices), NULL, "leave device nodes out instead of refusing them" }, \
	{ "max-bytes", 0, OPT_BYTES, offsetof(type, limits.max_bytes), "SIZE", "how much a layer may unpack to (default: 16Gi)" }, \
	{ "max-blob-bytes", 0, OPT_BYTES, offsetof(type, limits.max_blob_bytes), "SIZE", "how large a blob may be as it comes (default: 16Gi)" }, \
	{ "max-ratio", 0, OPT_UINT, offsetof(type, limits.max_ratio), "N", "unpacked to packed size, from 64 MiB on (default: 200)" }, \
	{ "max-entries", 0, OPT_UINT, offsetof(type, limits.max_entries), "N", "entries of a layer (default: 1000000)" }, \
	{ "max-depth", 0, OPT_UINT, offsetof(type, limits.max_depth), "N", "directories in a name (default: 128)" }, \
	{ "max-time", 0, OPT_DURATION, offsetof(type, limits.max_ms), "TIME", "for unpacking one layer (default: 30m)" }

#define I(n, l, k, m, arg, help) { n, l, k, offsetof(struct opts_import, m), arg, help }
static const struct opt import_opts[] = {
	I("name", 'n', OPT_STRING, name, "NAME", "the image's name (default: what the source calls it)"),
	I("as", 0, OPT_STRING, as, "KIND", "oci, docker-archive or rootfs (default: by content)"),
	I("ref", 0, OPT_STRING, ref, "NAME", "which image of a source that holds several"),
	I("all", 0, OPT_SWITCH, all, NULL, "every image that has a name, under all its names"),
	I("platform", 0, OPT_STRING, platform, "OS/ARCH[/VARIANT]", "which image of an index (default: this machine's)"),
	FORMAT(struct opts_import),
	LIMITS(struct opts_import),
	{ 0 },
};

/* The way to a registry, for pull and push. */
#define WAY(type) \
	{ "registries", 0, OPT_STRING, offsetof(type, way.registries), "FILE", "how registries are reached (default: /etc/carrel/registries.yaml)" }, \
	{ "creds", 0, OPT_STRING, offsetof(type, way.creds), "USER:PASSWORD", "who asks; better a file, for others see command lines" }, \
	{ "authfile", 0, OPT_STRING, offsetof(type, way.authfile), "FILE", "credentials as docker and podman write them (default: theirs)" }, \
	{ "progress", 0, OPT_STRING, offsetof(type, way.progress), "auto|tty|json|none", "on stderr (default: a line on a terminal, else JSON)" }, \
	{ "parallel", 0, OPT_UINT, offsetof(type, way.parallel), "N", "blobs at once, at most 12 (default: 4)" }, \
	{ "retries", 0, OPT_UINT, offsetof(type, way.retries), "N", "attempts in a row that bring nothing (default: 5)" }, \
	{ "retry-delay", 0, OPT_DURATION, offsetof(type, way.delay_ms), "TIME", "before the first of them; doubles (default: 500ms)" }, \
	{ "stall-time", 0, OPT_DURATION, offsetof(type, way.stall_ms), "TIME", "without a byte: try again (default: 30s)" }, \
	{ "transfer-time", 0, OPT_DURATION, offsetof(type, way.deadline_ms), "TIME", "for one blob with all attempts (default: 30m)" }

static const struct opt pull_opts[] = {
	{ "name", 'n', OPT_STRING, offsetof(struct opts_pull, name), "NAME", "the image's name (default: the reference in full)" },
	{ "platform", 0, OPT_STRING, offsetof(struct opts_pull, platform), "OS/ARCH[/VARIANT]", "which image of an index (default: this machine's)" },
	FORMAT(struct opts_pull),
	LIMITS(struct opts_pull),
	WAY(struct opts_pull),
	{ 0 },
};

static const struct opt push_opts[] = {
	{ "chunk", 0, OPT_BYTES, offsetof(struct opts_push, chunk), "SIZE", "send blobs in parts of this size (default: in one)" },
	WAY(struct opts_push),
	{ 0 },
};

static const struct opt export_opts[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct opts_export, format), "oci|docker", "an OCI layout (default) or a docker-archive" },
	{ 0 },
};

static const struct opt build_opts[] = {
	{ "name", 'n', OPT_STRING, offsetof(struct opts_build, name), "NAME", "the image's name (default: the recipe's)" },
	FORMAT(struct opts_build),
	{ 0 },
};

static const struct opt format_opts[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct opts_format, format), "table|json", "table (default) or json" },
	{ 0 },
};

static const struct opt verify_opts[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct opts_verify, format), "table|json", "lines of text (default) or of JSON" },
	{ "repair", 0, OPT_SWITCH, offsetof(struct opts_verify, repair), NULL, "unpack broken layers again, remove broken blobs" },
	{ 0 },
};

static const struct opt ls_opts[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct opts_ls, format), "table|json", "table (default) or json" },
	{ "quiet", 'q', OPT_SWITCH, offsetof(struct opts_ls, quiet), NULL, "digests only, each once" },
	{ 0 },
};

static const struct opt gc_opts[] = {
	{ "dry-run", 'n', OPT_SWITCH, offsetof(struct opts_gc, dry_run), NULL, "remove nothing, print what would go" },
	{ 0 },
};

#define C(n, k, m, arg, help) { n, 0, k, offsetof(struct opts_commit, m), arg, help }
static const struct opt commit_opts[] = {
	C("upper", OPT_STRING, upper, "DIR", "the upper directory of an overlay above the base"),
	C("base", OPT_STRING, base, "IMAGE", "the image below"),
	C("compression", OPT_STRING, compression, "gzip|zstd|none", "of the new layer (default: gzip)"),
	FORMAT(struct opts_commit),
	C("message", OPT_STRING, message, "TEXT", "a comment for the image's history"),
	C("uid-base", OPT_UINT, uid_base, "N", "host id of the container's id 0, when the upper directory has host ids"),
	C("uid-count", OPT_UINT, uid_count, "N", "how many ids the container has"),
	C("userxattr", OPT_SWITCH, userxattr, NULL, "the overlay was mounted with userxattr"),
	{ 0 },
};

#define S(n, k, m, arg, help) { n, 0, k, offsetof(struct opts_share, m), arg, help }
static const struct opt share_opts[] = {
	S("group", OPT_STRING, group, "GROUP", "with the members of a group"),
	S("all", OPT_SWITCH, all, NULL, "with everybody"),
	S("off", OPT_SWITCH, off, NULL, "with nobody"),
	{ 0 },
};

#define V(n, k, m, arg, help) { n, 0, k, offsetof(struct opts_volume, m), arg, help }
static const struct opt volume_opts[] = {
	V("volumes", OPT_STRING, volumes, "DIR", "where volumes lie (default: /var/lib/carrel/volumes)"),
	V("size", OPT_BYTES, size, "SIZE", "create, resize: the limit, in steps of 4Ki from 4Mi on"),
	V("kind", OPT_STRING, kind, "auto|quota|loop", "create: how the limit is kept (default: quota where the file system has it, else loop)"),
	V("inodes", OPT_UINT, inodes, "N", "create: how many files (default: one for each 8Ki, at least 4096)"),
	V("sparse", OPT_SWITCH, sparse, NULL, "create: a loop volume's space is not set aside"),
	V("if-missing", OPT_SWITCH, keep, NULL, "create: one that is there already is left as it is"),
	V("format", OPT_STRING, format, "table|json", "ls: table (default) or json"),
	{ 0 },
};

#define B(n, l, k, m, arg, help) { n, l, k, offsetof(struct opts_bundle, m), arg, help }
static const struct opt bundle_opts[] = {
	B("tiers", 0, OPT_STRING, tiers, "FILE", "YAML file with the tiers"),
	B("tier", 0, OPT_STRING, tier, "NAME", "which of them (default: built-in modest limits)"),
	B("uid-base", 0, OPT_UINT, uid_base, "N", "host id of the container's id 0 (default: 524288)"),
	B("uid-count", 0, OPT_UINT, uid_count, "N", "how many ids the container has (default: 65536)"),
	B("cgroup", 0, OPT_STRING, cgroup, "PATH", "cgroupsPath of the container"),
	B("hostname", 0, OPT_STRING, hostname, "NAME", "host name inside (default: carrel)"),
	B("init", 0, OPT_STRING, init, "FILE", "init program of the host to run the command under"),
	B("seccomp", 0, OPT_STRING, seccomp, "FILE", "seccomp profile, an OCI linux.seccomp object"),
	B("id", 0, OPT_STRING, id, "ID", "the sandbox's ID, for annotations"),
	B("user", 'u', OPT_STRING, user, "USER[:GROUP]", "instead of the image's user"),
	B("cwd", 'w', OPT_STRING, cwd, "DIR", "instead of the image's working directory"),
	B("env", 'e', OPT_LIST, env, "NAME=VALUE", "one more environment variable"),
	B("network-address", 0, OPT_STRING, network_address, "ADDRESS/PREFIX", "the sandbox's, where the tier has a network"),
	B("network-gateway", 0, OPT_STRING, network_gateway, "ADDRESS", "the bridge's address in the same network"),
	B("no-terminal", 0, OPT_SWITCH, no_terminal, NULL, "process.terminal false"),
	{ 0 },
};

static const struct opt_cmd commands[] = {
	{ "import", "SOURCE", 1, 1, 0, import_opts, 0, "bring an image into the store",
	  "SOURCE is an OCI image layout (a directory or a tar archive), a docker-archive or the tar archive of a root "
	  "filesystem; archives may be compressed by gzip or zstd, and come from standard input, which is -. Which it is, its content says. Every digest and size "
	  "is checked while the data is copied, layers are unpacked in a confined child, and nothing is visible in the "
	  "store before all of it is there. Prints the digest of the image's manifest.",
	  cli_import, sizeof(struct opts_import) },
	{ "pull", "REFERENCE", 1, 1, 0, pull_opts, 0, "fetch an image from a registry",
	  "REFERENCE is HOST/REPOSITORY[:TAG][@DIGEST]. A name without a host is refused unless registries.yaml has a "
	  "default for it; docker.io/NAME is docker.io/library/NAME. Blobs that are in the store are not fetched again; "
	  "layers are unpacked while they come. What was cut off goes on where it stopped. Prints the digest of the "
	  "image's manifest.",
	  cli_pull, sizeof(struct opts_pull) },
	{ "push", "IMAGE [REFERENCE]", 1, 2, 0, push_opts, 0, "send an image to a registry",
	  "Without REFERENCE the image's name says where to. The manifest, and with it the digest, stays as it is. Blobs "
	  "that the registry has are not sent. Prints the digest of the image's manifest.",
	  cli_push, sizeof(struct opts_push) },
	{ "export", "IMAGE... FILE|DIR|-", 2, -1, 0, export_opts, 0, "write images to an archive or a layout",
	  "To a directory if the last operand is one, which has to be empty, or ends in a slash; to standard output if it is -; "
	  "else to a tar archive. "
	  "Layers stay compressed as they are. The same images make the same bytes.",
	  cli_export, sizeof(struct opts_export) },
	{ "build", "RECIPE_DIR", 1, 1, 0, build_opts, 0, "make an image from a recipe",
	  "Reads RECIPE_DIR/recipe.yaml, runs mmdebstrap(1) with the package sources that apt is configured with, and "
	  "imports the result; of a recipe with a base only what the base's image has not. With SOURCE_DATE_EPOCH in the "
	  "environment the same packages give the same image. Progress goes to stderr. Prints the digest of the image's manifest.",
	  cli_build, sizeof(struct opts_build) },
	{ "commit", "NAME", 1, 1, 0, commit_opts, 0, "make an image of another and what was changed above it",
	  "Turns the upper directory into a layer on top of the base's: overlayfs' whiteouts and opaque directories become those "
	  "of images. Nobody may write to it meanwhile. Sockets and device nodes are left out with a warning; a renamed "
	  "directory or a file without its content (redirect_dir, metacopy) is refused. With SOURCE_DATE_EPOCH in the "
	  "environment the same directory gives the same image. Prints the digest of the image's manifest.",
	  cli_commit, sizeof(struct opts_commit) },
	{ "ls", NULL, 0, 0, 0, ls_opts, 0, "list the images of the store", NULL,
	  cli_ls, sizeof(struct opts_ls) },
	{ "inspect", "IMAGE", 1, 1, 0, NULL, 0, "print what is known of an image as JSON",
	  "IMAGE is a name, a digest, or at least six digits of one. Prints what matters of the configuration, each layer with "
	  "its sizes and where in the store it lies, and manifest and configuration as they are.",
	  cli_inspect, 0 },
	{ "history", "IMAGE", 1, 1, 0, format_opts, 0, "list the steps that an image was made in",
	  "The newest first, with the size of the layer that a step made, as the image's configuration tells it.",
	  cli_history, sizeof(struct opts_format) },
	{ "du", NULL, 0, 0, 0, format_opts, 0, "show how much of the disk each image takes",
	  "Counts blobs and unpacked layers: what an image shares with another, and what it alone has.",
	  cli_du, sizeof(struct opts_format) },
	{ "tag", "IMAGE NAME", 2, 2, 0, NULL, 0, "give an image one more name",
	  "A name that another image has moves.",
	  cli_tag, 0 },
	{ "rm", "IMAGE...", 1, -1, 0, NULL, 0, "remove names, or all names of a digest",
	  "The content stays until the next gc.",
	  cli_rm, 0 },
	{ "verify", NULL, 0, 0, 0, verify_opts, 0, "read the whole store again and say what is broken",
	  "Hashes every blob, looks for every part of every image, and unpacks every layer anew: the stream has to have the "
	  "layer's diff-id, the tree has to be the one in the store. Prints a line per broken object and a summary; exits "
	  "with 2 when something is broken and stays so.",
	  cli_verify, sizeof(struct opts_verify) },
	{ "gc", NULL, 0, 0, 0, gc_opts, 0, "remove blobs and layers that no image needs",
	  "Runs beside imports, whose work it leaves alone. A layer whose root directory somebody holds a flock(2) on, as a "
	  "running sandbox does, stays. Prints a line of JSON: how many blobs and layers went, how many bytes the blobs "
	  "had, how many layers are busy.",
	  cli_gc, sizeof(struct opts_gc) },
	{ "share", NULL, 0, 0, 0, share_opts, 0, "let other users read the store",
	  "Who may read it lists, inspects and verifies images, and writes bundles for them; only the owner changes it. "
	  "Images bring setuid programs, so the store has to lie on a file system that is mounted nosuid. What an image's "
	  "own modes hide from others stays hidden.",
	  cli_share, sizeof(struct opts_share) },
	{ "bundle", "IMAGE DIR [-- ARGS...]", 2, -1, 0, bundle_opts, 0, "write an OCI bundle for an image",
	  "Writes config.json and rootfs.json into DIR, which it makes if needed. ARGS replace the image's entrypoint and "
	  "command. The root filesystem is expected at DIR/rootfs: a read-only overlay of the layers that rootfs.json "
	  "lists, bottom layer first.",
	  cli_bundle, sizeof(struct opts_bundle) },
	{ "volume", "create|ls|inspect|rm|resize|gc [NAME]", 1, 2, 0, volume_opts, 0, "keep directories with a hard limit that outlive sandboxes",
	  "create NAME --size SIZE makes an empty volume; ls lists them; inspect NAME prints one as JSON, with what is stored in it unless "
	  "it is a loop volume in use; resize NAME --size SIZE makes one larger; rm NAME removes one and all that is in it; gc removes what "
	  "killed commands left, as every other of these does by the way. One sandbox at a time uses a volume; until it has ended rm and resize are "
	  "refused with exit status 4.\n\n"
	  "- quota: a directory with a project quota, where the file system enforces those. Takes the space that its files take.\n"
	  "- loop: an ext4 file system in a file, made by mke2fs(8). Its space is set aside when it is made, unless it is sparse: then "
	  "a full disk is an input/output error inside the sandbox.\n\n"
	  "The limit is in blocks of 4096 bytes, of which directories and the maps of large files take some.",
	  cli_volume, sizeof(struct opts_volume) },
	{ 0 },
};
/* clang-format on */

const struct opt_program cli_program = {
	.name = "carrel-image",
	.summary = "image store of Carrel",
	.text = "Keeps images as an OCI image layout with each layer unpacked once beside it. "
		"Prints data on stdout and messages on stderr. Exits with 0, with 3 when bundle's image is "
		"not in the store or volume's volume not there, with 4 when a volume is in use, with 2 when verify finds something broken, or with 1 after any other error.",
	.opts = global_opts,
	.cmds = commands,
	.section = 1,
};
