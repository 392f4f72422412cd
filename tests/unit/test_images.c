/* Names, documents and decisions of the image store: everything that is a pure function over memory. */
#include "tests/unit/scratch.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/util.h"
#include "images/digest.h"
#include "images/imageconfig.h"
#include "images/inflate.h"
#include "images/manifest.h"
#include "images/media.h"
#include "images/source_names.h"
#include "images/whiteout.h"
#include "images/xattr.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_0 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

#define SHA512_ABC                                                                             \
	"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                     \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static void digests(void **state)
{
	static const char *const bad[] = {
		"",
		"sha256:",
		HEX_A,
		"sha512:" HEX_A,
		"sha256:" HEX_A HEX_A,
		"sha25:" HEX_A,
		":" HEX_A,
		"sha384:" HEX_A HEX_A,
		"sha256:" HEX_A "a",
		"sha256:AAAAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaa",
		"sha256:../../../../../../../../../../../../../../../../"
		"../etc/passwd00",
		" sha256:" HEX_A
	};
	struct digest d;
	struct err e = ERR_NONE;

	assert_int_equal(digest_parse("sha256:" HEX_0, "x", &d, &e), 0);
	assert_string_equal(d.hex, HEX_0);
	assert_string_equal(digest_text(&d).s, "sha256:" HEX_0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		e = ERR_NONE;
		assert_int_equal(digest_parse(bad[i], "layers[3].digest", &d, &e), -1);
		says(&e, "layers[3].digest");
	}
	assert_int_equal(digest_of(DIGEST_SHA256, "abc", 3, &d, &e), 0);
	assert_string_equal(d.hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f2001"
			    "5ad");
	assert_int_equal(digest_of(DIGEST_SHA256, "", 0, &d, &e), 0);
	assert_string_equal(d.hex,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b"
			    "855");
	assert_int_equal(digest_of(DIGEST_SHA512, "abc", 3, &d, &e), 0);
	assert_string_equal(d.hex, SHA512_ABC);
	assert_int_equal(digest_kind(&d), DIGEST_SHA512);
	assert_string_equal(digest_path(&d).s, "sha512/" SHA512_ABC);
	assert_int_equal(digest_parse("sha512:" SHA512_ABC, "x", &d, &e), 0);
	assert_string_equal(digest_text(&d).s, "sha512:" SHA512_ABC);
}

static void whiteouts(void **state)
{
	static const struct {
		const char *path;
		int kind; /* -1: refused */
		const char *name;
	} rows[] = {
		{ "etc/passwd", WHITEOUT_NONE, NULL },
		{ "", WHITEOUT_NONE, NULL },
		{ "a/.whx", WHITEOUT_NONE, NULL },
		{ "a/x.wh.y", WHITEOUT_NONE, NULL },
		{ ".wh.a", WHITEOUT_FILE, "a" },
		{ "d/.wh.file", WHITEOUT_FILE, "file" },
		{ "d/.wh..hidden", WHITEOUT_FILE, ".hidden" },
		{ "d/.wh....", WHITEOUT_FILE, "..." },
		{ ".wh..wh..opq", WHITEOUT_OPAQUE, NULL },
		{ "a/b/.wh..wh..opq", WHITEOUT_OPAQUE, NULL },
		{ ".wh.", -1, NULL },
		{ "a/.wh.", -1, NULL },
		{ "a/.wh..", -1, NULL },
		{ "a/.wh...", -1, NULL },
		{ "a/.wh..wh.plnk", -1, NULL },
		{ "a/.wh..wh..opqx", -1, NULL },
		{ "a/.wh..wh.", -1, NULL },
		{ ".wh.a/b", -1, NULL },
		{ "a/.wh.b/c", -1, NULL },
		{ "a/.wh..wh..opq/c", -1, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;
		const char *name = NULL;

		assert_int_equal(whiteout_classify(rows[i].path, &name, &e), rows[i].kind);
		if (rows[i].name)
			assert_string_equal(name, rows[i].name);
		if (rows[i].kind < 0)
			says(&e, rows[i].path);
	}
}

static void xattrs(void **state)
{
	static const struct {
		const char *name;
		int verdict;
	} rows[] = {
		{ "user.mime", XATTR_KEEP },
		{ "security.capability", XATTR_KEEP },
		{ "security.selinux", XATTR_DROP },
		{ "security.ima", XATTR_DROP },
		{ "system.posix_acl_access", XATTR_KEEP },
		{ "system.posix_acl_default", XATTR_KEEP },
		{ "system.posix_acl_accessx", XATTR_DROP },
		{ "system.nfs4_acl", XATTR_DROP },
		{ "trusted.x", XATTR_DROP },
		{ "nonsense", XATTR_DROP },
		{ "trusted.overlay.opaque", -1 },
		{ "trusted.overlay.redirect", -1 },
		{ "trusted.overlay.metacopy", -1 },
		{ "user.overlay.whiteout", -1 },
		{ "user.overlay.opaque", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;

		assert_int_equal(xattr_judge(rows[i].name, &e), rows[i].verdict);
		if (rows[i].verdict < 0)
			says(&e, rows[i].name);
	}
}

static void names_of_archives(void **state)
{
	static const char *const known[] = { "",
					     "oci-layout",
					     "index.json",
					     "manifest.json",
					     "repositories",
					     "blobs",
					     "blobs/sha256",
					     "blobs/sha256/" HEX_A,
					     "blobs/sha512",
					     "blobs/sha512/" HEX_A HEX_A,
					     HEX_A ".json",
					     HEX_A ".tar",
					     HEX_A,
					     HEX_A "/layer.tar",
					     HEX_A "/json",
					     HEX_A "/VERSION" };
	static const char *const foreign[] = { "etc",
					       "bin/sh",
					       "index.json.bak",
					       "blobs/sha384",
					       "blobs/sha512x",
					       "blobs/sha256/x",
					       "blobs/sha256/" HEX_A "/x",
					       "blobsx",
					       HEX_A "/etc",
					       HEX_A ".json/x",
					       HEX_A "0.json",
					       "usr/index.json" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		assert_true(source_name_known(known[i]));
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		assert_false(source_name_known(foreign[i]));
}

static void compressions(void **state)
{
	assert_int_equal(compression_detect("\x1f\x8b\x08", 3), COMPRESSION_GZIP);
	assert_int_equal(compression_detect("\x28\xb5\x2f\xfd", 4), COMPRESSION_ZSTD);
	assert_int_equal(compression_detect("\x28\xb5\x2f", 3), COMPRESSION_NONE);
	assert_int_equal(compression_detect("\x50\x2a\x4d\x18", 4), COMPRESSION_ZSTD);
	assert_int_equal(compression_detect("\x5f\x2a\x4d\x18", 4), COMPRESSION_ZSTD);
	assert_int_equal(compression_detect("\x60\x2a\x4d\x18", 4), COMPRESSION_NONE);
	assert_int_equal(compression_detect("\xfd"
					    "7zXZ\0",
					    6),
			 COMPRESSION_FOREIGN);
	assert_int_equal(compression_detect("BZh9", 4), COMPRESSION_FOREIGN);
	assert_int_equal(compression_detect("", 0), COMPRESSION_NONE);
	assert_int_equal(media_compression("application/vnd.oci.image.layer.v1.tar+zstd"),
			 COMPRESSION_ZSTD);
	assert_string_equal(media_layer(COMPRESSION_GZIP),
			    "application/vnd.oci.image.layer.v1.tar+gzip");
	assert_int_equal(media_kind("application/vnd.oci.image.layer.v1.tar+xz"),
			 MEDIA_UNKNOWN);
}

#define CONFIG_D                                                                               \
	"{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"sha256:" HEX_A "\",\"size\":7}"
#define LAYER_D                                                                                \
	"{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:" HEX_0 \
	"\",\"size\":9}"
#define MANIFEST_D                                                                             \
	"{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"sha256:" HEX_0 "\",\"size\":9}"

static void manifests(void **state)
{
	static const char good[] = "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
				   "\",\"config\":" CONFIG_D ",\"layers\":[" LAYER_D "]}";
	/* Further places where it may be had change nothing. */
	static const char also[] =
		"{\"schemaVersion\":2,\"config\":" CONFIG_D
		",\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\","
		"\"digest\":\"sha256:" HEX_A
		"\",\"size\":1,\"urls\":[\"https://x.example/y\"]}]}";
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "{", "manifest" },
		{ "[]", "manifest" },
		{ "{\"schemaVersion\":1,\"config\":" CONFIG_D ",\"layers\":[" LAYER_D "]}",
		  "schemaVersion" },
		{ "{\"schemaVersion\":2,\"layers\":[" LAYER_D "]}", "config" },
		{ "{\"schemaVersion\":2,\"config\":" CONFIG_D ",\"layers\":[]}", "layers" },
		{ "{\"schemaVersion\":2,\"config\":" LAYER_D ",\"layers\":[" LAYER_D "]}",
		  "config.mediaType" },
		{ "{\"schemaVersion\":2,\"config\":" CONFIG_D ",\"layers\":[" CONFIG_D "]}",
		  "layers[0].mediaType" },
		/* both kinds at once */
		{ "{\"schemaVersion\":2,\"config\":" CONFIG_D ",\"layers\":[" LAYER_D
		  "],\"manifests\":[]}",
		  "at once" },
		{ "{\"schemaVersion\":2,\"config\":" CONFIG_D ",\"layers\":[" LAYER_D
		  "],\"fsLayers\":[]}",
		  "at once" },
		{ "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX
		  "\",\"config\":" CONFIG_D ",\"layers\":[" LAYER_D "]}",
		  "calls itself" },
		{ "{\"schemaVersion\":2,\"config\":" CONFIG_D
		  ",\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\","
		  "\"digest\":\"sha256:../../x\",\"size\":9}]}",
		  "layers[0].digest" },
		{ "{\"schemaVersion\":2,\"config\":" CONFIG_D
		  ",\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\","
		  "\"digest\":\"sha256:" HEX_A "\",\"size\":-1}]}",
		  "layers[0].size" },
		{ "{\"schemaVersion\":2,\"config\":" CONFIG_D
		  ",\"layers\":[{\"mediaType\":\"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip\","
		  "\"digest\":\"sha256:" HEX_A "\",\"size\":1,\"urls\":[\"x\"]}]}",
		  "URLs" },
	};
	auto_manifest struct manifest m = { 0 };
	struct err e = ERR_NONE;

	assert_int_equal(manifest_parse(good, strlen(good), MEDIA_OCI_MANIFEST, &m, &e), 0);
	assert_int_equal(m.n_layers, 1);
	assert_int_equal(m.layers[0].size, 9);
	assert_string_equal(m.config.digest.hex, HEX_A);
	manifest_fini(&m);
	assert_int_equal(manifest_parse(also, strlen(also), MEDIA_OCI_MANIFEST, &m, &e), 0);
	assert_string_equal(m.layers[0].digest.hex, HEX_A);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct manifest no = { 0 };

		e = ERR_NONE;
		assert_int_equal(manifest_parse(bad[i].text, strlen(bad[i].text),
						MEDIA_OCI_MANIFEST, &no, &e),
				 -1);
		says(&e, bad[i].says);
	}
}

/* One more than can be mounted is refused here, not when a sandbox is to start. */
static void layer_counts(void **state)
{
	for (int n = MANIFEST_LAYERS; n <= MANIFEST_LAYERS + 1; n++) {
		auto_buf struct buf text = BUF_LIMIT(1 << 20);
		auto_manifest struct manifest m = { 0 };
		struct err e = ERR_NONE;

		assert_int_equal(buf_puts(&text,
					  "{\"schemaVersion\":2,\"config\":" CONFIG_D
					  ",\"layers\":[",
					  &e),
				 0);
		for (int i = 0; i < n; i++)
			assert_int_equal(buf_printf(&text, &e, "%s%s", i ? "," : "", LAYER_D),
					 0);
		assert_int_equal(buf_puts(&text, "]}", &e), 0);
		assert_int_equal(manifest_parse(buf_str(&text), buf_len(&text),
						MEDIA_OCI_MANIFEST, &m, &e),
				 n > MANIFEST_LAYERS ? -1 : 0);
		if (n > MANIFEST_LAYERS)
			says(&e, "499 of them; 1 to 498 are supported");
	}
}

static void indexes(void **state)
{
	static const char good[] =
		"{\"schemaVersion\":2,\"manifests\":[" MANIFEST_D
		",{\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"digest\":\"sha256:" HEX_A
		"\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"},"
		"\"annotations\":{\"org.opencontainers.image.ref.name\":\"v1\"}}]}";
	/* What is no image is passed over, as the specification has it. */
	static const char others[] =
		"{\"schemaVersion\":2,\"manifests\":[" LAYER_D
		",{\"mediaType\":\"application/vnd.example.sbom\",\"digest\":\"sha256:" HEX_0
		"\",\"size\":1}," MANIFEST_D "]}";
	static const char *const bad[] = {
		"{\"schemaVersion\":2}",
		"{\"schemaVersion\":2,\"manifests\":{}}",
		"{\"schemaVersion\":2,\"manifests\":[" MANIFEST_D "],\"layers\":[" LAYER_D "]}",
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
		"\",\"manifests\":[]}",
	};
	auto_manifest_index struct manifest_index ix = { 0 };
	struct err e = ERR_NONE;

	assert_int_equal(manifest_index_parse(good, strlen(good), NULL, &ix, &e), 0);
	assert_int_equal(ix.n, 2);
	assert_string_equal(ix.manifests[1].name, "v1");
	assert_string_equal(ix.manifests[1].arch, "arm64");
	assert_null(ix.manifests[0].name);
	assert_int_equal(ix.n_others, 0);
	manifest_index_fini(&ix);
	assert_int_equal(manifest_index_parse(others, strlen(others), NULL, &ix, &e), 0);
	assert_int_equal(ix.n, 1);
	assert_int_equal(ix.n_others, 2);
	assert_string_equal(ix.manifests[0].media_type, MEDIA_OCI_MANIFEST);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct manifest_index no = { 0 };

		e = ERR_NONE;
		assert_int_equal(manifest_index_parse(bad[i], strlen(bad[i]), NULL, &no, &e),
				 -1);
		says(&e, "image index");
	}
}

static void configurations(void **state)
{
	static const char good[] = "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{"
				   "\"User\":\"u\",\"Env\":[\"A=b c\"],\"Cmd\":[\"sh\",\"-l\"],"
				   "\"Entrypoint\":null},\"rootfs\":{\"type\":\"layers\","
				   "\"diff_ids\":[\"sha256:" HEX_A "\"]}}";
#define ROOTFS ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX_A "\"]}}"
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "{\"architecture\":\"amd64\"" ROOTFS, "os" },
		{ "{\"os\":\"windows\",\"architecture\":\"amd64\"" ROOTFS, "windows" },
		{ "{\"os\":\"linux\",\"architecture\":\"amd64\"}", "rootfs" },
		{ "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"x\","
		  "\"diff_ids\":[\"sha256:" HEX_A "\"]}}",
		  "rootfs.type" },
		{ "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":"
		  "\"layers\",\"diff_ids\":[]}}",
		  "diff_ids" },
		{ "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":"
		  "\"layers\",\"diff_ids\":[\"x\"]}}",
		  "rootfs.diff_ids[0]" },
		{ "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Env\":[\"=x\"]}" ROOTFS,
		  "config.Env[0]" },
		{ "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Env\":[\"A\"]}" ROOTFS,
		  "config.Env[0]" },
		{ "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Cmd\":[7]}" ROOTFS,
		  "config.Cmd[0]" },
	};
	auto_imageconfig struct imageconfig c = { 0 };
	struct err e = ERR_NONE;

	assert_int_equal(imageconfig_parse(good, strlen(good), &c, &e), 0);
	assert_string_equal(c.user, "u");
	assert_string_equal(c.env[0], "A=b c");
	assert_string_equal(c.cmd[1], "-l");
	assert_null(c.entrypoint);
	assert_int_equal(c.n_diff_ids, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct imageconfig no = { 0 };

		e = ERR_NONE;
		assert_int_equal(imageconfig_parse(bad[i].text, strlen(bad[i].text), &no, &e),
				 -1);
		says(&e, bad[i].says);
	}
}

static void environments(void **state)
{
	static const char *const good[] = {
		"A=",	 "A_1=x=y", "HOME=/x\ny", "_=\t", "xpack.security.enabled=false",
		"A-B=x", "1A=x"
	};
	static const char *const bad[] = {
		"", "=", "A", "A B=x", "A\033=x", "A=\033[2J", "A=\r"
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct err e = ERR_NONE;

		assert_int_equal(imageconfig_check_env(good[i], &e), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_NONE;

		assert_int_equal(imageconfig_check_env(bad[i], &e), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests),	cmocka_unit_test(whiteouts),
		cmocka_unit_test(xattrs),	cmocka_unit_test(names_of_archives),
		cmocka_unit_test(compressions), cmocka_unit_test(manifests),
		cmocka_unit_test(indexes),	cmocka_unit_test(configurations),
		cmocka_unit_test(environments), cmocka_unit_test(layer_counts),
	};

	return cmocka_run_group_tests_name("images", tests, NULL, NULL);
}
