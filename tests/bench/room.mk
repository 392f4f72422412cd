# What `make bench` runs beside the programs: static, so that no dynamic linker is measured.
BENCH_PROGRAMS := $(O)/tests/bench/floor $(O)/tests/bench/peak $(O)/tests/bench/enter
$(BENCH_PROGRAMS): $(O)/tests/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)gcc -D_GNU_SOURCE -std=gnu17 -O2 -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror) -static -o $@ $<

$(O)/tests/bench/nothing $(O)/tests/bench/waits: $(O)/tests/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)gcc -Os -Wall -Wextra -fno-stack-protector -nostdlib -static -o $@ $<

BENCH ?=
.PHONY: bench
## bench          what a sandbox costs, beside crun and podman; prints Markdown; BENCH='--rounds 20 --only run' for less
bench: all $(BENCH_PROGRAMS) $(O)/tests/bench/nothing $(O)/tests/bench/waits
	$(Q)tests/tools/need config/packages/run config/packages/bench
	$(Q)$(MAKE) --no-print-directory image
	$(Q)tests/bench/bench.py --bin $(O)/bin --floor $(O)/tests/bench/floor --store $(RUN_DIR)/store $(BENCH)
