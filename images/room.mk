LIBS += images
images_SRC := images/digest.c images/store.c images/store_work.c images/blob.c images/media.c \
	images/manifest.c images/imageconfig.c images/image.c images/index.c images/inflate.c images/tar.c \
	images/xattr.c images/whiteout.c images/extract.c images/extract_make.c images/extract_whiteout.c \
	images/confine.c images/confine_landlock.c images/confine_filter.c images/unpack.c \
	images/unpack_child.c images/unpack_job.c images/layer.c images/source.c images/source_names.c images/import.c images/import_oci.c \
	images/import_docker.c images/import_rootfs.c images/gc.c images/inodes.c images/dirlist.c images/treecmp.c images/usage.c images/verify.c \
	images/verify_layer.c images/created.c images/pack.c images/tar_write.c images/upper.c images/commit.c images/view.c images/user.c images/tier.c \
	images/bundle.c images/bundle_json.c images/recipe.c images/apt_sources.c images/build.c

images_LIBS := -larchive -lz -lzstd -lcrypto -lseccomp -lyajl_s -lyaml

PROGRAMS += carrel-image
carrel-image_SRC := images/cli/main.c images/cli/commands.c images/cli/cmd_store.c images/cli/cmd_show.c images/cli/cmd_check.c images/cli/cmd_commit.c \
	images/cli/cmd_bundle.c
carrel-image_LINK := images base
carrel-image_LIBS := $(images_LIBS)
# The shared libarchive brings a dozen libraries along that a tar reader does not need, the shared libcrypto
# thousands of relocations: linked statically, `bundle` takes a third of the time.
carrel-image_STATIC := 1
# libcrypto could look host names up, which would need shared libraries; nothing here does.
carrel-image_LDFLAGS := -Wl,--no-warnings

$(O)/obj/images/cli/cmd_bundle.o: CPPFLAGS += -DCARREL_PREFIX='"$(PREFIX)"'

images_UNIT := test_images test_images_bundle test_images_build test_images_tar
images_FUZZ := fuzz_manifest fuzz_index fuzz_imageconfig fuzz_whiteout fuzz_user fuzz_recipe fuzz_tar
UNIT += $(images_UNIT)
FUZZ += $(images_FUZZ)
$(foreach t,$(images_UNIT) $(images_FUZZ),$(eval $(t)_LINK := images base)$(eval $(t)_LIBS := $(images_LIBS)))
