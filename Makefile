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
CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

# A room.mk adds to these:
#   PROGRAMS   names below build/bin; for each: NAME_OBJS_FROM (sources), NAME_LIBS, NAME_LDFLAGS, NAME_STATIC
#   LIBS       static libraries: NAME_SRC
#   UNIT       unit test programs tests/unit/test_*.c: test_NAME_LINK (our libraries), test_NAME_LIBS (system's)
#   FUZZ       fuzz targets tests/fuzz/fuzz_*.c: likewise
#   GEN        generated files that must exist before anything is compiled
PROGRAMS :=
LIBS :=
UNIT :=
FUZZ :=
GEN :=
EXTRA :=

include base/room.mk
-include runtime/room.mk
-include images/room.mk
-include shim/room.mk
-include sessiond/room.mk
-include sessiond/web/room.mk
-include tests/room.mk

GEN += $(O)/gen/version.h

obj = $(patsubst %.c,$(O)/obj/%.o,$(1))
lib = $(O)/lib/lib$(1).a

.PHONY: all help
all: $(PROGRAMS:%=$(O)/bin/%) $(EXTRA)

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

$(O)/gen/version.h: VERSION
	@mkdir -p $(@D)
	$(Q)printf '#define CARREL_VERSION "%s"\n' '$(VERSION)' > $@

# The sanitizers cannot be linked statically: there NAME_STATIC is ignored.
define program_rules
$(O)/bin/$(1): $$(call obj,$$($(1)_SRC)) $$(foreach l,$$($(1)_LINK),$$(call lib,$$(l)))
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$(Q)$$(or $$($(1)_CC),$$(CC)) $$(CFLAGS) $$(if $$(SAN),,$$(if $$($(1)_STATIC),-static)) $$(LDFLAGS) $$($(1)_LDFLAGS) -o $$@ $$^ \
		$$(if $$(and $$($(1)_PKGS)),$$(shell $$(PKG_CONFIG) $$(if $$(SAN),,$$(if $$($(1)_STATIC),--static)) --libs $$($(1)_PKGS))) $$($(1)_LIBS)
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

.PHONY: unit
## unit           build and run the unit tests
unit: $(UNIT:%=$(O)/unit/%)
	$(Q)set -e; for t in $^; do echo "== $$t"; $$t; done

.PHONY: clean
## clean          remove build directories
clean:
	rm -rf build build-*
