LIBS += images
images_SRC := images/digest.c images/store.c images/store_layout.c images/store_work.c images/workdir.c images/blob.c images/media.c \
	images/manifest.c images/imageconfig.c images/image.c images/index.c images/index_find.c images/inflate.c images/inflate_zlib.c images/inflate_zstd.c images/ring.c images/tar.c images/tar_acl.c images/acl.c \
	images/xattr.c images/whiteout.c images/extract.c images/extract_finish.c images/extract_make.c images/extract_whiteout.c \
	images/confine.c images/confine_landlock.c images/confine_filter.c images/unpack.c \
	images/unpack_child.c images/unpack_inflate.c images/unpack_job.c images/layer.c images/erofs.c \
	images/erofs_finish.c images/erofs_inode.c images/erofs_out.c images/erofs_tree.c images/erofs_xattr.c images/source.c images/source_names.c images/import.c images/import_oci.c \
	images/import_docker.c images/import_rootfs.c images/gc.c images/inodes.c images/dirlist.c images/treecmp.c images/usage.c images/verify.c \
	images/verify_layer.c images/parents.c images/parents_look.c images/created.c images/pack.c images/pack_child.c images/tar_write.c images/upper.c images/commit.c images/subtract.c images/view.c images/user.c images/tier.c \
	images/bundle.c images/bundle_json.c images/recipe.c images/apt_sources.c images/build.c images/build_above.c \
	images/volume.c images/volume_disk.c images/volume_resize.c
images_SRC += images/reference.c images/challenge.c images/registry_message.c images/platform.c \
	images/registries.c images/credentials.c images/registry.c images/progress.c images/blob_sink.c images/layers.c \
	images/import_walk.c images/pull.c images/push.c images/export.c images/export_out.c

images_LIBS := -larchive -lz -lzstd -lcrypto -lseccomp -lyajl_s -lyaml

PROGRAMS += carrel-image
carrel-image_SRC := images/cli/main.c images/cli/commands.c images/cli/cmd_store.c images/cli/cmd_show.c images/cli/cmd_check.c images/cli/cmd_commit.c images/cli/interrupt.c \
	images/cli/cmd_bundle.c images/cli/cmd_registry.c images/cli/cmd_volume.c images/cli/meter.c
carrel-image_LINK := images base
carrel-image_LIBS := $(images_LIBS)
# The shared libarchive brings a dozen libraries along that a tar reader does not need, the shared libcrypto
# thousands of relocations: linked statically, `bundle` takes a third of the time.
carrel-image_STATIC := 1
# libcrypto could look host names up, which would need shared libraries; nothing here does.
carrel-image_LDFLAGS := -Wl,--no-warnings

$(O)/obj/images/cli/cmd_bundle.o $(O)/obj/images/cli/cmd_registry.o: CPPFLAGS += -DCARREL_PREFIX='"$(PREFIX)"'
# The inflating child with ISA-L; everything else in it is static.
PROGRAMS += carrel-inflate
HELPERS += carrel-inflate
carrel-inflate_SRC := images/inflate_main.c images/inflate_isal.c
carrel-inflate_LINK := images base
carrel-inflate_LIBS := -l:libseccomp.a -lisal


# TLS and HTTP come with a dozen shared libraries and are fed by strangers: a program of its own, without rights.
PROGRAMS += carrel-registry
HELPERS += carrel-registry
carrel-registry_SRC := images/registry/main.c images/registry/harden.c images/registry/http.c images/registry/job.c \
	images/registry/upload.c images/registry/auth.c images/registry/explain.c
carrel-registry_LINK := images base
carrel-registry_LIBS := -lcurl -lcrypto -lseccomp -lyajl

images_UNIT := test_images test_images_parts test_images_bundle test_images_build test_images_tar test_images_acl test_images_parents test_registry
images_FUZZ := fuzz_manifest fuzz_index fuzz_imageconfig fuzz_whiteout fuzz_user fuzz_recipe fuzz_tar fuzz_erofs fuzz_acl \
	fuzz_reference fuzz_challenge fuzz_credentials fuzz_registry
UNIT += $(images_UNIT)
FUZZ += $(images_FUZZ)
$(foreach t,$(images_UNIT) $(images_FUZZ),$(eval $(t)_LINK := images base)$(eval $(t)_LIBS := $(images_LIBS)))
