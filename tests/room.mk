# Programs that only tests use, static in every build and never sanitized: guest runs inside containers, forbid takes system
# calls away, idmount prepares roots, step breaks one call of a process.
TEST_PROGRAMS := $(O)/tests/forbid $(O)/tests/idmount $(O)/tests/attacks/syscalls $(O)/tests/attacks/hijack $(O)/tests/crash/step $(O)/tests/othershim
EXTRA += $(TEST_PROGRAMS) $(O)/tests/guest
step_LIBS := -lseccomp

TEST_PROGRAM = gcc $(CPPFLAGS) -std=gnu17 -O1 -Wall -Wextra -Wno-unused-parameter $(if $(filter 1,$(WERROR)),-Werror) -static -o $@
$(TEST_PROGRAMS): $(O)/tests/%: tests/%.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(TEST_PROGRAM) $< $($(@F)_LIBS)

guest_SRC := $(addprefix tests/guest/,main.c process.c files.c attempts.c)
$(O)/tests/guest: $(guest_SRC) tests/guest/probes.h
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(TEST_PROGRAM) $(guest_SRC)

$(O)/tests/valgrind.o: tests/valgrind.c
	@mkdir -p $(@D)
	$(Q)gcc -D_GNU_SOURCE -std=gnu17 -O1 -g -Wall -Wextra -c -o $@ $<
$(O)/tests/valgrind-probe: tests/valgrind.c
	@mkdir -p $(@D)
	$(Q)gcc -D_GNU_SOURCE -DPROBE -std=gnu17 -O1 -Wall -Wextra -o $@ $<
EXTRA += $(if $(VALGRINDING),$(O)/tests/valgrind-probe)

# The runtime with a resctrl that tests can look into, built as it is itself: tests/crash breaks every call of its start, too.
EXTRA += $(O)/tests/runtime-rdt
rdt_SRC := $(filter-out musl/runtime/rdt_root.c,$(carrel-runtime_SRC)) $(if $(SMALL_CC),musl/)tests/rdt_fake.c
$(O)/tests/runtime-rdt: $(patsubst %.c,$(O)/obj/%.o,$(rdt_SRC)) $(patsubst %,$(O)/lib/lib%.a,$(carrel-runtime_LINK))
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(or $(SMALL_CC),$(CC)) $(CFLAGS) $(if $(DYNAMIC),,-static) $(LDFLAGS) -Wl,--wrap=mkdirat,--wrap=unlinkat -o $@ $^ \
		$(if $(SMALL_CC),,-lseccomp) $(carrel-runtime_LIBS)

.PHONY: check-crash
## check-crash    kill -9 of the runtime at each system call, and each call made to fail with four errors; the store at 200 of both
check-crash: all check-store-crash
	$(Q)CRASH_EVERY=1 CRASH_SECONDS=7200 CARREL_BIN=$(abspath $(O))/bin bats tests/integration/crash.bats

.PHONY: check-store-crash
## check-store-crash    carrel-image killed at, and failed by, 200 random system calls of each command, and killed at 200 random moments; volumes too
check-store-crash: all
	$(Q)STORE_CRASH_ROUNDS=200 CARREL_BIN=$(abspath $(O))/bin bats tests/integration/store-crash.bats
	$(Q)VOLUME_ROUNDS=60 CARREL_BIN=$(abspath $(O))/bin bats -f 'random calls|calls that fail' tests/integration/volumes.bats

.PHONY: check-storm
## check-storm    10,000 containers and 10,000 execs, eight at a time: no failure, no leak, flat kernel memory
check-storm: all
	$(Q)STORM=10000 STORM_SECONDS=7200 CARREL_BIN=$(abspath $(O))/bin bats tests/integration/storm.bats
