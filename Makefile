# Carrel. `make help` lists the targets. Explicit source lists are in each room's room.mk.

MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
AR ?= ar
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr/local
DESTDIR ?=
V ?= 0
WERROR ?= 0
SAN ?=
# Neither the sanitizers nor valgrind see into static programs: with DYNAMIC=1 NAME_STATIC is ignored.
DYNAMIC ?= $(if $(SAN)$(VALGRINDING),1)
comma := ,
O ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))

VERSION := $(shell cat VERSION)

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(patsubst $(O)/%,%,$(2)))

CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -I$(O)/gen
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu17 -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wpointer-arith \
	-Wno-unused-parameter -fno-strict-aliasing -fno-common -ffunction-sections -fdata-sections \
	-fstack-protector-strong
LDFLAGS += -Wl,--gc-sections -Wl,-z,relro,-z,now
ifeq ($(WERROR),1)
CFLAGS += -Werror
endif
ifneq ($(SAN),)
CFLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer -O1
LDFLAGS += -fsanitize=$(SAN)
else
CPPFLAGS += -U_FORTIFY_SOURCE $(if $(filter -O0,$(CFLAGS)),,-D_FORTIFY_SOURCE=2)
endif

# A room.mk adds to these:
#   PROGRAMS   names below build/bin; for each: NAME_OBJS_FROM (sources), NAME_LIBS, NAME_LDFLAGS, NAME_STATIC
#   HELPERS    those of PROGRAMS that only other programs start: they go to libexec/carrel and have no man page
#   LIBS       static libraries: NAME_SRC
#   UNIT       unit test programs tests/unit/test_*.c: test_NAME_LINK (our libraries), test_NAME_LIBS (system's)
#   FUZZ       fuzz targets tests/fuzz/fuzz_*.c: likewise
#   GEN        generated files that must exist before anything is compiled
PROGRAMS :=
HELPERS :=
LIBS :=
UNIT :=
FUZZ :=
GEN := $(O)/gen/version.h
EXTRA :=

include base/room.mk
-include runtime/room.mk
-include images/room.mk
-include shim/room.mk
-include sessiond/room.mk
-include sessiond/web/room.mk
-include tests/room.mk
-include tests/bench/room.mk

obj = $(patsubst %.c,$(O)/obj/%.o,$(1))
lib = $(O)/lib/lib$(1).a

.PHONY: all help
all: $(PROGRAMS:%=$(O)/bin/%) $(EXTRA)

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

$(O)/gen/version.h: VERSION
	@mkdir -p $(@D)
	$(Q)printf '#define CARREL_VERSION "%s"\n' '$(VERSION)' > $@

define program_rules
$(O)/bin/$(1): $$(call obj,$$($(1)_SRC)) $$(foreach l,$$($(1)_LINK),$$(call lib,$$(l)))
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$(Q)$$(or $$($(1)_CC),$$(CC)) $$(CFLAGS) $$(if $$(DYNAMIC),,$$(if $$($(1)_STATIC),-static)) $$(LDFLAGS) $$($(1)_LDFLAGS) -o $$@ $$^ \
		$$(if $$(and $$($(1)_PKGS)),$$(shell $$(PKG_CONFIG) $$(if $$(DYNAMIC),,$$(if $$($(1)_STATIC),--static)) --libs $$($(1)_PKGS))) $$($(1)_LIBS)
endef

define lib_rules
$(O)/lib/lib$(1).a: $$(call obj,$$($(1)_SRC))
	@mkdir -p $$(@D)
	$$(call say,AR,$$@)
	$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
endef

define unit_rules
$(O)/unit/$(1): $(O)/obj/tests/unit/$(1).o $$(foreach l,$$($(1)_LINK),$$(call lib,$$(l)))
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ -lcmocka \
		$$(if $$($(1)_PKGS),$$(shell $$(PKG_CONFIG) --libs $$($(1)_PKGS))) $$($(1)_LIBS)
endef

$(foreach p,$(PROGRAMS),$(eval $(call program_rules,$(p))))
$(foreach l,$(LIBS),$(eval $(call lib_rules,$(l))))
$(foreach u,$(UNIT),$(eval $(call unit_rules,$(u))))

$(O)/obj/%.o: %.c $(GEN)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)

## all            build everything into build/ (programs in build/bin)

define fuzz_rules
$(O)/fuzz/$(1): $(O)/obj/tests/fuzz/$(1).o $$(foreach l,$$($(1)_LINK),$$(call lib,$$(l)))
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -fsanitize=fuzzer -o $$@ $$^ \
		$$(if $$($(1)_PKGS),$$(shell $$(PKG_CONFIG) --libs $$($(1)_PKGS))) $$($(1)_LIBS)
endef
$(foreach f,$(FUZZ),$(eval $(call fuzz_rules,$(f))))

# So does valgrind, which gets two system calls that it does not know in other words (tests/valgrind.c).
VALGRIND ?= valgrind
ifeq ($(VALGRINDING),1)
CFLAGS += -O1 -fno-omit-frame-pointer
LDFLAGS += -Wl,--wrap=syscall $(abspath $(O))/tests/valgrind.o
$(PROGRAMS:%=$(O)/bin/%) $(UNIT:%=$(O)/unit/%) $(O)/tests/runtime-rdt: | $(O)/tests/valgrind.o
endif
.PHONY: check-valgrind
## check-valgrind the unit tests and the runtime's integration tests under VALGRIND=program; FILES="exec kill" or FILES=units for a part,
##                VALGRIND_ALL=1 for every test file of the runtime
check-valgrind:
	$(Q)$(MAKE) --no-print-directory O=build-valgrind VALGRINDING=1 all unit-bins
	$(Q)VALGRIND="$(VALGRIND)" VALGRIND_ALL=$(VALGRIND_ALL) tests/tools/valgrind $(FILES)

.PHONY: unit unit-bins
unit-bins: $(UNIT:%=$(O)/unit/%)
## unit           build and run the unit tests
unit: unit-bins
	$(Q)for t in $(UNIT); do $(O)/unit/$$t || exit 1; done

# Coverage-guided fuzzing wants its own build: clang, with every library instrumented.
FUZZ_SECONDS ?= 20
FUZZ_MAKE = $(MAKE) --no-print-directory O=build-fuzz CC=clang SAN=address,undefined FUZZING=1
ifeq ($(FUZZING),1)
CFLAGS += -fsanitize=fuzzer-no-link $(FUZZ_OPT)
endif
.PHONY: fuzz fuzz-bins fuzz-build
fuzz-bins: $(FUZZ:%=$(O)/fuzz/%)
fuzz-build:
	$(Q)$(FUZZ_MAKE) fuzz-bins
## fuzz           fuzz every parser, FUZZ_SECONDS each (20); new inputs go to build-fuzz/corpus
fuzz: fuzz-build
	$(Q)set -e; for f in $(FUZZ); do \
		c=tests/fuzz/corpus/$${f#fuzz_}; mkdir -p build-fuzz/corpus/$$f; echo "== $$f"; \
		build-fuzz/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 \
			-artifact_prefix=build-fuzz/ -print_final_stats=1 build-fuzz/corpus/$$f $$c 2>&1 | \
			grep -E 'ERROR|SUMMARY|stat::number_of_executed|Test unit' ; done

.PHONY: deps lint check conformance check-quick check-san check-clients check-vm check-quota check-fresh image run
deps:
	$(Q)tests/tools/need config/packages/build
## lint           the house rules, clang-format, clang-tidy, cppcheck
lint: all
	$(Q)tests/tools/lint $(O)
## check          install what the tests need, build with -Werror, run everything; ends with "N passed, N failed, N skipped"
check:
	$(Q)tests/tools/need config/packages/build config/packages/run config/packages/check config/packages/clients
	$(Q)tests/tools/check $(CHECK)
## check-quick    the same without lint, sanitizers, browser and the slow attacks
check-quick:
	$(Q)tests/tools/check build unit integration
## conformance    runc's integration suite, from the checkout SUITE=dir, against carrel-runtime; FILES="exec kill" for a part,
##                WHERE=cgroup2, systemd or rootless: in a guest with cgroup v2 alone
conformance: all
	$(Q)[ -n "$(SUITE)" ] || { echo 'usage: make conformance SUITE=dir [FILES="exec kill"] [WHERE=cgroup2|systemd|rootless]' >&2; exit 2; }
	$(Q)RUNTIME=$(O)/bin/carrel-runtime OUT=$(O)/conformance$(addprefix -,$(WHERE)) WHERE=$(or $(WHERE),host) tests/tools/conformance $(SUITE) $(FILES)
## check-san      all tests of the programs with the sanitized ones, also the files that check leaves out there
check-san:
	$(Q)tests/tools/need config/packages/build config/packages/run config/packages/check
	$(Q)SAN_ALL=1 tests/tools/check build image unit-san integration-san
## check-clients  podman, containerd and Docker, from Debian's packages, with this runtime
check-clients:
	$(Q)tests/tools/need config/packages/build config/packages/check config/packages/clients
	$(Q)tests/tools/check build clients leftovers
## check-vm       the runtime's tests in guests: cgroup v2; systemd as root; an ordinary user with systemd. VM_ALL=1: all of them
check-vm:
	$(Q)tests/tools/need config/packages/build config/packages/run config/packages/check
	$(Q)VM_ALL=$(VM_ALL) VM_SECONDS=$(or $(VM_SECONDS),$(if $(VM_ALL),5400,1500)) tests/tools/check build cgroup2 systemd rootless
## check-quota    volumes of the kind quota in a guest, whose kernel has project quotas
check-quota: all
	$(Q)CARREL_BIN=$(abspath $(O))/bin tests/vm/run cgroup2 tests/integration/volumes-quota.bats
## check-fresh    `make run` and `make check` in a fresh minimal Debian 12 root
check-fresh:
	$(Q)tests/tools/need config/packages/run
	$(Q)tests/tools/check-fresh

RUN_DIR ?= $(O)/run
IMAGE ?= default
## image          build the default sandbox image into the store of `make run`, unless it is there
image: all
	$(Q)$(O)/bin/carrel-image --store $(RUN_DIR)/store inspect $(IMAGE) > /dev/null 2>&1 || { \
		tests/tools/need config/packages/run && \
		$(O)/bin/carrel-image --store $(RUN_DIR)/store build config/images/$(IMAGE) --name $(IMAGE); }

## run            build, make the default image, start the daemon on 127.0.0.1 and print the page's address
run:
	$(Q)tests/tools/need config/packages/build config/packages/run
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) all
	$(Q)$(if $(filter 0,$(shell id -u)),,sudo) $(MAKE) --no-print-directory serve

.PHONY: serve
serve: image
	$(Q)exec $(O)/bin/carrel-sessiond --run-dir $(abspath $(RUN_DIR))/run --state-dir $(abspath $(RUN_DIR))/state \
		--store $(abspath $(RUN_DIR))/store --first-use-key --ephemeral $(RUN_ARGS)

.PHONY: install
COMMANDS := $(filter-out $(HELPERS),$(PROGRAMS))
INSTALL_BIN := $(DESTDIR)$(PREFIX)/bin
INSTALL_LIBEXEC := $(DESTDIR)$(PREFIX)/libexec/carrel
INSTALL_DATA := $(DESTDIR)$(PREFIX)/share/carrel
INSTALL_MAN := $(DESTDIR)$(PREFIX)/share/man
## install        programs, configuration, page and man pages below DESTDIR/PREFIX (/usr/local)
install: all
	$(Q)install -d $(INSTALL_BIN) $(INSTALL_LIBEXEC) $(INSTALL_DATA)/web
	$(Q)install -m 755 $(COMMANDS:%=$(O)/bin/%) $(filter $(O)/bin/%,$(EXTRA)) $(INSTALL_BIN)/
	$(Q)install -m 755 $(HELPERS:%=$(O)/bin/%) $(INSTALL_LIBEXEC)/
	$(Q)install -m 644 config/tiers.yaml config/policies.yaml config/seccomp.json config/registries.yaml $(INSTALL_DATA)/
	$(Q)install -m 644 $(wildcard $(O)/web/*) $(INSTALL_DATA)/web/
	$(Q)install -d $(INSTALL_DATA)/systemd
	$(Q)for u in config/systemd/*.service; do f=$(INSTALL_DATA)/systemd/$$(basename $$u); \
		sed 's|@PREFIX@|$(PREFIX)|g' $$u > $$f && chmod 644 $$f || exit 1; done
	$(Q)for r in config/images/*/; do d=$(INSTALL_DATA)/images/$$(basename $$r); \
		install -d $$d && install -m 644 $$r/* $$d/ || exit 1; done
	$(Q)for p in $(COMMANDS); do \
		section=$$($(O)/bin/$$p --man | sed -n '1s/^.TH [^ ]* "*\([1-8]\).*/\1/p'); \
		[ -n "$$section" ] || { echo "install: $$p has no man page" >&2; exit 1; }; \
		install -d $(INSTALL_MAN)/man$$section && \
		$(O)/bin/$$p --man > $(INSTALL_MAN)/man$$section/$$p.$$section || exit 1; done
	$(Q)set -e; p=carrel-runtime; for c in $$($(O)/bin/$$p --help | sed -n '/^COMMANDS:/,/^$$/s/^  \([a-z]*\) .*/\1/p'); do \
		$(O)/bin/$$p --man $$c > $(INSTALL_MAN)/man8/$$p-$$c.8; done

.PHONY: clean
## clean          remove build directories
clean:
	rm -rf build build-*

print-%:
	@echo $($*)
