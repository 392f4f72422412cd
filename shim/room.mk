# shim/: carrel-shim and carrel-init, and what their tests link.

LIBS += shim
shim_SRC := shim/orders.c shim/pace.c shim/rootfs.c shim/mountcall.c shim/launch.c shim/launch_io.c shim/launch_exec.c shim/exec_order.c \
	shim/procs.c shim/freezer.c shim/janitor.c shim/janitor_end.c shim/sweep.c shim/cgkill.c \
	shim/cgmount.c shim/exitinfo.c shim/talk.c shim/ring.c shim/queries.c shim/recording.c shim/ws.c shim/packet.c shim/proto.c shim/dialect.c \
	shim/dialect_carrel.c shim/dialect_tty.c shim/dialect_k8s.c shim/dialect_terminado.c shim/dialect_raw.c shim/client.c \
	shim/client_out.c shim/session.c shim/session_io.c shim/session_roles.c shim/table.c shim/table_exec.c shim/timers.c shim/control.c \
	shim/control_ops.c shim/control_exec.c \
	shim/isolate.c shim/front.c

# The model of a terminal's screen.
shim_SRC += shim/vt.c shim/vt_glyphs.c shim/width.c shim/screen.c shim/screen_lines.c shim/screen_back.c shim/screen_clusters.c \
	shim/screen_print.c shim/screen_csi.c shim/screen_mode.c shim/screen_sgr.c shim/screen_osc.c shim/screen_row.c \
	shim/screen_render.c shim/screen_resize.c shim/screen_reflow.c shim/screen_skip.c shim/session_screen.c
shim_SRC += shim/idmap.c shim/workspace.c shim/scan_talk.c shim/scan_key.c shim/scan_group.c shim/scan_link.c shim/scan_start.c \
	shim/session_scan.c
# A running shim becomes another program, and so does its scanner.
shim_SRC += shim/scan_renew.c
shim_SRC += shim/client_save.c shim/screen_save.c shim/vt_save.c shim/session_save.c shim/table_save.c shim/handover_file.c shim/handover_front.c shim/handover_janitor.c \
	shim/handover_program.c shim/handover_resume.c shim/handover_state.c

PROGRAMS += carrel-shim
carrel-shim_STATIC := 1
carrel-shim_LDFLAGS := -Wl,--build-id=sha1
# One start for each sandbox, and as many processes as there are sandboxes: the small build (base/room.mk), with musl's own
# heap, which gives memory back.
ifneq ($(SMALL_CC),)
carrel-shim_CC := $(SMALL_CC)
carrel-shim_SRC := $(addprefix musl/,shim/main.c $(shim_SRC)) $(small_base_SRC)
carrel-shim_LIBS := $(system_archives)/libyajl_s.a
else
carrel-shim_SRC := shim/main.c
carrel-shim_LINK := shim base
carrel-shim_LIBS := -lyajl_s
endif

# The sandbox's first process is executed once per sandbox, between the runtime and the first prompt: with musl
# that takes 0.1 ms, with a static glibc 0.9. It includes nothing of ours, so it is one compilation.
MUSL_CC ?= musl-gcc
EXTRA += $(O)/bin/carrel-init
$(O)/bin/carrel-init: shim/init/main.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(MUSL_CC) -D_GNU_SOURCE -std=gnu17 -Os -Wall -Wextra -Wno-unused-parameter $(if $(filter 1,$(WERROR)),-Werror) -fno-asynchronous-unwind-tables \
		-ffunction-sections -Wl,--gc-sections -Wl,-z,norelro -Wl,--build-id=none -static -s -o $@ $<

shim_UNIT := test_shim_ring test_shim_recording test_shim_ws test_shim_ws_cases test_shim_proto test_shim_dialect test_shim_client test_shim_client_out test_shim_files test_shim_table
shim_FUZZ := fuzz_ws fuzz_carrelv1 fuzz_tty fuzz_k8s fuzz_terminado fuzz_raw fuzz_shimctl fuzz_orders fuzz_scantalk
shim_UNIT += test_shim_scan_group test_shim_screen test_shim_screen_save test_shim_reflow test_shim_width test_shim_pace test_shim_queries test_shim_handover
shim_FUZZ += fuzz_screen fuzz_queries fuzz_handover
UNIT += $(shim_UNIT)
FUZZ += $(shim_FUZZ)
$(foreach t,$(shim_UNIT) $(shim_FUZZ),$(eval $(t)_LINK := shim base)$(eval $(t)_LIBS := -lyajl -lwslay))

# Policies: the scanner, where Vectorscan and PCRE2 are. `make SCAN=0` does without; a tier that names a policy is then refused.
SCAN ?= $(shell $(PKG_CONFIG) --exists libhs libpcre2-8 2> /dev/null && echo 1)
ifeq ($(SCAN),1)
LIBS += scan
scan_SRC := shim/scan/text.c shim/scan/rules.c shim/scan/clip.c shim/scan/cells.c shim/scan/lane.c shim/scan/stream.c shim/scan/stream_match.c
scan_SRC += shim/scan/stream_save.c shim/scan/serve.c shim/scan/seal.c shim/scan/print.c
PROGRAMS += carrel-scan
carrel-scan_SRC := shim/scan/main.c
carrel-scan_LINK := scan shim base
carrel-scan_PKGS := libhs libpcre2-8 libseccomp
# Of libcrypto only SHA-256: the shared one has thousands of relocations.
carrel-scan_LIBS := -lyajl -lyaml -l:libcrypto.a
scan_UNIT := test_scan test_scan_cuts test_scan_print test_scan_save
UNIT += $(scan_UNIT)
FUZZ += fuzz_scan
$(foreach t,$(scan_UNIT) fuzz_scan,$(eval $(t)_LINK := scan shim base)$(eval $(t)_PKGS := libhs libpcre2-8)$(eval $(t)_LIBS := -lyajl -lyaml -lcrypto))
endif

# The model as a filter, and the terminal that it is compared with: xterm.js without a page.
EXTRA += $(O)/tests/screen-probe $(O)/tests/screen/node_modules/.stamp
$(O)/tests/screen-probe: $(O)/obj/tests/screen/probe.o $(O)/lib/libshim.a $(O)/lib/libbase.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^
$(O)/tests/screen/node_modules/.stamp: tests/screen/package.json tests/screen/package-lock.json
	@mkdir -p $(O)/tests/screen
	$(call say,NPM,$(O)/tests/screen)
	$(Q)cp $^ $(O)/tests/screen/ && cd $(O)/tests/screen && npm ci --ignore-scripts --no-audit --no-fund --silent && touch node_modules/.stamp
