LIBS += runtime
runtime_SRC := $(sort $(wildcard runtime/*.c))

PROGRAMS += carrel-runtime
carrel-runtime_SRC := runtime/cli/main.c runtime/cli/commands.c runtime/cli/handlers.c runtime/cli/ps.c
carrel-runtime_LINK := runtime base
carrel-runtime_PKGS := libseccomp libcap
carrel-runtime_LIBS := -l:libyajl_s.a
carrel-runtime_STATIC := 1

runtime_UNIT := test_runtime_cgroup test_runtime_seccomp test_runtime_seccomp_cache test_runtime_seccomp_profile test_runtime_seccomp_random
UNIT += $(runtime_UNIT)
$(foreach t,$(runtime_UNIT),$(eval $(t)_LINK := runtime base)$(eval $(t)_LIBS := -lseccomp -lcap -lyajl))

FUZZ += fuzz_seccomp
fuzz_seccomp_LINK := runtime base
fuzz_seccomp_LIBS := -lseccomp -lcap -lyajl
