LIBS += runtime
runtime_SRC := runtime/caps.c runtime/cgroup.c runtime/cgroup_delegate.c runtime/cgroup_devices.c runtime/cgroup_devices_bpf.c runtime/cgroup_devices_update.c runtime/cgroup_file.c runtime/cgroup_text.c \
	runtime/cgroup_kill.c runtime/cgroup_oom.c runtime/cgroup_perdev.c \
	runtime/cgroup_stats.c runtime/cgroup_stats_text.c runtime/cgroup_stats_v1.c runtime/cgroup_stats_v2.c runtime/cgroup_sub.c runtime/cgroup_systemd.c runtime/cgroup_systemd_name.c \
	runtime/cgroup_systemd_props.c runtime/cgroup_tree.c runtime/cgroup_v1.c runtime/cgroup_v1_limits.c \
	runtime/cgroup_v2.c runtime/cgroup_v2_limits.c runtime/console.c runtime/container.c runtime/copytree.c \
	runtime/create.c runtime/delete.c runtime/dev.c runtime/events.c runtime/events_render.c runtime/exec.c runtime/exec_process.c runtime/features.c \
	runtime/foreground.c runtime/hooks.c runtime/idmap.c runtime/init.c runtime/init_exec.c runtime/init_tree.c runtime/kill.c \
	runtime/label.c runtime/list.c runtime/mask.c runtime/mempolicy.c runtime/mount.c runtime/mount_bind.c runtime/mount_fs.c runtime/mount_options.c \
	runtime/mount_target.c runtime/mountapi.c runtime/notify.c runtime/ns.c runtime/process.c runtime/procfs.c runtime/program.c \
	runtime/rdt.c runtime/rdt_root.c runtime/rdt_stats.c runtime/relay.c runtime/rootfs.c runtime/run.c runtime/seal.c runtime/sdbus.c \
	runtime/seccomp.c runtime/seccomp_cache.c \
	runtime/seccomp_compile.c runtime/seccomp_names.c runtime/seccomp_rules.c runtime/seccomp_syscalls.c \
	runtime/spec.c runtime/spec_add.c runtime/spec_annotations.c runtime/spec_linux.c runtime/spec_mounts.c runtime/spec_process.c runtime/spec_resources.c \
	runtime/spec_perdev.c runtime/spec_seccomp.c runtime/spec_template.c runtime/start.c runtime/startup.c \
	runtime/state.c runtime/state_render.c runtime/state_filter.c runtime/sync.c \
	runtime/sysctl.c runtime/systemd/request.c runtime/update.c runtime/user.c
runtime_SRC += runtime/checkpoint.c runtime/criu.c runtime/criu_log.c runtime/criu_outside.c runtime/criu_request.c \
	runtime/criu_wire.c runtime/restore.c runtime/restore_tree.c

PROGRAMS += carrel-runtime
carrel-runtime_STATIC := 1
runtime_cli := runtime/cli/main.c runtime/cli/commands.c runtime/cli/common.c runtime/cli/about.c runtime/cli/events.c runtime/cli/exec.c \
	runtime/cli/lifecycle.c runtime/cli/list.c runtime/cli/ps.c runtime/cli/run.c runtime/cli/texts.c runtime/cli/update.c
runtime_cli += runtime/cli/checkpoint.c

runtime_SRC += runtime/conntrack.c runtime/netaddr.c runtime/netdev.c runtime/netlink.c runtime/network.c runtime/network_parse.c \
	runtime/network_rules.c runtime/network_table.c runtime/nft.c runtime/rtnl.c runtime/spec_net.c runtime/startup_net.c runtime/startup_open.c

# The program is started once or twice for each thing that is done to a container, so what a start costs decides: the small
# build (base/room.mk), with a heap of its own.
ifneq ($(SMALL_CC),)
carrel-runtime_CC := $(SMALL_CC)
carrel-runtime_SRC := $(addprefix musl/,$(runtime_cli) $(runtime_SRC) runtime/cli/musl/calls.c runtime/cli/musl/heap.c) $(small_base_SRC)
carrel-runtime_LIBS := $(system_archives)/libseccomp.a $(system_archives)/libyajl_s.a
else
carrel-runtime_SRC := $(runtime_cli)
carrel-runtime_LINK := runtime base
carrel-runtime_PKGS := libseccomp
carrel-runtime_LIBS := -l:libyajl_s.a
endif
$(O)/obj/musl/runtime/cli/musl/heap.o: CFLAGS += -fno-builtin

# What the systemd cgroup driver asks of systemd goes through a program of its own: libsystemd exists only as a shared object.
PROGRAMS += carrel-sdbus
HELPERS += carrel-sdbus
carrel-sdbus_SRC := runtime/systemd/main.c runtime/systemd/bus.c runtime/systemd/request.c runtime/systemd/unit.c
carrel-sdbus_LINK := base
carrel-sdbus_PKGS := libsystemd

runtime_UNIT := test_runtime_spec test_runtime_cgroup test_runtime_cgroup_devices test_runtime_stats test_runtime_systemd test_runtime_seccomp \
	test_runtime_seccomp_cache test_runtime_seccomp_profile test_runtime_seccomp_random test_runtime_network \
	test_runtime_criu test_runtime_mount test_runtime_user test_runtime_names
runtime_FUZZ := fuzz_seccomp fuzz_cgroup fuzz_state fuzz_network fuzz_spec fuzz_criu
UNIT += $(runtime_UNIT)
FUZZ += $(runtime_FUZZ)
$(foreach t,$(runtime_UNIT) $(runtime_FUZZ),$(eval $(t)_LINK := runtime base)$(eval $(t)_LIBS := -lseccomp -lcap -lyajl))

# make bench-seccomp PROFILE=...: what a filter costs, shape by shape.
PROFILE ?= config/seccomp.json
$(O)/tests/bench/seccomp: $(O)/obj/tests/bench/seccomp.o $(O)/lib/libruntime.a $(O)/lib/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lseccomp -lcap -lyajl
.PHONY: bench-seccomp
bench-seccomp: $(O)/tests/bench/seccomp
	$(Q)$< $(PROFILE) 1000
