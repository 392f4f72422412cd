LIBS += base
base_SRC := base/err.c base/util.c base/buf.c base/str.c base/clock.c base/stack.c base/log.c base/netmode.c \
	base/json.c base/json_tree.c base/json_build.c base/json_decode.c base/json_write.c base/yaml.c \
	base/opt.c base/opt_render.c \
	base/helper.c base/fsmount.c base/erofs.c base/loopdev.c base/prjquota.c base/volume.c base/volume_mount.c base/workspace.c base/policy.c base/fd.c base/fd_tree.c base/path.c base/path_walk.c base/child.c base/child_spawn.c base/child_run.c base/loop.c base/sock.c base/pack.c

# The small build: with musl a start of a program costs a fifth of what static glibc takes. Its objects are made apart, from
# musl/FILE.c in a NAME_SRC. With clang, DYNAMIC or no musl-gcc: none, SMALL_CC is empty.
ifeq ($(DYNAMIC)$(filter gcc,$(CC))$(and $(shell command -v musl-gcc),-musl),gcc-musl)
SMALL_CC := musl-gcc
endif
small_base_SRC := $(addprefix musl/,$(filter-out base/yaml.c,$(base_SRC)) base/musl/checked.c base/musl/errors.c)
system_archives := /usr/lib/$(shell gcc -print-multiarch)
musl_flags := -U_FORTIFY_SOURCE -include base/musl/compat.h -idirafter /usr/include \
	-idirafter /usr/include/$(shell gcc -print-multiarch)
$(O)/obj/musl/%.o: %.c $(GEN)
	@mkdir -p $(@D)
	$(call say,MUSLCC,$@)
	$(Q)musl-gcc $(CPPFLAGS) $(musl_flags) $(CFLAGS) -MMD -MP -c -o $@ $<

base_UNIT := test_base_loopdev test_base_text test_base_str test_base_pack test_base_volume test_base_log test_base_json test_base_json_decode test_base_json_write test_base_yaml test_base_opt test_base_opt_render
UNIT += $(base_UNIT)
$(foreach t,$(base_UNIT),$(eval $(t)_LINK := base)$(eval $(t)_LIBS := -lyajl -lyaml))

base_SYS_UNIT := test_base_path test_base_path_make test_base_fd test_base_child test_base_child_spawn test_base_child_run \
	test_base_loop test_base_stack test_base_sock
UNIT += $(base_SYS_UNIT)
$(foreach t,$(base_SYS_UNIT),$(eval $(t)_LINK := base))

base_FUZZ := fuzz_json fuzz_yaml fuzz_opt fuzz_policies
FUZZ += $(base_FUZZ)
$(foreach t,$(base_FUZZ),$(eval $(t)_LINK := base)$(eval $(t)_LIBS := -lyajl -lyaml))
