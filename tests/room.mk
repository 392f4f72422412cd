# The program that integration and attack tests put into containers: static in every build, never sanitized.
EXTRA += $(O)/tests/guest

$(O)/tests/guest: tests/guest.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)gcc $(CPPFLAGS) -std=gnu17 -O1 -Wall -Wextra -Wno-unused-parameter $(if $(filter 1,$(WERROR)),-Werror) -static -o $@ $<
