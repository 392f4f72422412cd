# What `make bench` runs beside the programs: static, so that no dynamic linker is measured.
BENCH_PROGRAMS := $(O)/tests/bench/floor $(O)/tests/bench/peak $(O)/tests/bench/enter $(O)/tests/bench/storm
$(BENCH_PROGRAMS) $(O)/tests/bench/reads $(O)/tests/bench/pty: $(O)/tests/bench/%: tests/bench/%.c
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

## bench-shim     terminals over WebSocket, beside a Node server and ttyd (found in PATH, or BENCH='--ttyd PROGRAM'); prints Markdown
.PHONY: bench-shim
bench-shim: all $(O)/bench-node/node_modules $(O)/tests/bench/pty
	$(Q)tests/tools/need config/packages/run config/packages/bench
	$(Q)tests/bench/bench_shim.py --bin $(O)/bin --pty $(O)/tests/bench/pty --node $(O)/bench-node $(BENCH)

# node-pty is compiled against the headers that came with node.
$(O)/bench-node/node_modules: tests/bench/node/package-lock.json tests/bench/node/server.js
	@mkdir -p $(@D)
	$(Q)cp tests/bench/node/* $(@D)/
	$(Q)cd $(@D) && npm_config_nodedir=$$(dirname $$(dirname $$(realpath $$(command -v node)))) npm ci --no-audit --no-fund --silent
	$(Q)touch $@

$(O)/tests/bench/mount_root: $(O)/obj/tests/bench/mount_root.o $(O)/lib/libshim.a $(O)/lib/libbase.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(if $(DYNAMIC),,-static) $(LDFLAGS) -o $@ $^ -lyajl_s

BENCH_IMAGES := $(O)/tests/bench/peak $(O)/tests/bench/reads $(O)/tests/bench/mount_root
EXTRA += $(BENCH_IMAGES) $(O)/tests/bench/pty # a test runs them, so that they go on working
.PHONY: bench-images
## bench-images   images unpacked, pulled, mounted and shared, beside umoci, tar, bsdtar, skopeo and podman; prints Markdown; BENCH='--quick'
bench-images: all
	$(Q)tests/tools/need config/packages/run config/packages/bench
	$(Q)tests/bench/bench_images.py --bin $(O)/bin --programs $(O)/tests/bench --work $(O)/bench-images $(BENCH)
