runtime_SRC := $(wildcard runtime/sync.c runtime/seal.c runtime/state.c runtime/hooks.c \
	runtime/spec.c runtime/spec_process.c runtime/spec_mounts.c runtime/spec_linux.c runtime/spec_resources.c \
	runtime/spec_seccomp.c \
	runtime/container.c runtime/spawn.c runtime/create.c runtime/start.c runtime/exec.c runtime/kill.c \
	runtime/delete.c runtime/list.c runtime/foreground.c runtime/relay.c runtime/features.c \
	runtime/init.c runtime/ns.c runtime/idmap.c runtime/mount.c runtime/mount_options.c runtime/rootfs.c \
	runtime/dev.c runtime/caps.c runtime/process.c runtime/user.c runtime/console.c runtime/sysctl.c runtime/label.c \
	runtime/cgroup.c runtime/cgroup_v1.c runtime/cgroup_v2.c runtime/cgroup_devices.c \
	runtime/seccomp.c runtime/seccomp_names.c runtime/seccomp_cache.c)
