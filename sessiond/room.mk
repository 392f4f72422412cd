# The daemon. carrel-sessiond is its main.c over libsessiond.
LIBS += sessiond
sessiond_SRC := sessiond/config.c sessiond/tiers.c sessiond/listen.c sessiond/origin.c sessiond/digest.c \
	sessiond/recordings.c sessiond/api_recordings.c sessiond/db.c sessiond/keys.c sessiond/tickets.c sessiond/records.c sessiond/metrics.c \
	sessiond/target.c sessiond/request.c sessiond/problem.c sessiond/http.c sessiond/routes.c sessiond/auth.c \
	sessiond/static.c sessiond/create.c sessiond/upgrade.c sessiond/attach.c \
	sessiond/api_misc.c sessiond/api_keys.c sessiond/api_sandboxes.c sessiond/api_processes.c sessiond/sandboxes.c sessiond/serve.c
sessiond_SRC += sessiond/tls.c sessiond/tls_relay.c sessiond/api_tickets.c sessiond/api_volumes.c sessiond/volumes.c sessiond/volume_sweep.c
# Starting sandboxes, for the daemon and for `carrel run`.
LIBS += launch
launch_SRC := sessiond/launch.c sessiond/launch_bundle.c sessiond/launch_child.c sessiond/launch_collect.c sessiond/launch_network.c \
	sessiond/cgroup_parent.c sessiond/launch_slot.c sessiond/launch_start.c sessiond/shim_call.c sessiond/launch_template.c \
	sessiond/exec_run.c sessiond/cli/link_packet.c
launch_SRC += sessiond/launch_volume.c

sessiond_LIBS := -lmicrohttpd -lsqlite3 -lssl -lcrypto -lyajl -lyaml

PROGRAMS += carrel-sessiond
carrel-sessiond_SRC := sessiond/main.c
carrel-sessiond_LINK := sessiond launch base
carrel-sessiond_LIBS := $(sessiond_LIBS)

sessiond_UNIT := test_sessiond_request test_sessiond_upgrade test_sessiond_config test_sessiond_db test_sessiond_tickets
sessiond_FUZZ := fuzz_request fuzz_tiers
launch_UNIT := test_launch test_launch_collect test_launch_call
UNIT += $(sessiond_UNIT) $(launch_UNIT)
FUZZ += $(sessiond_FUZZ)
$(foreach t,$(sessiond_UNIT) $(sessiond_FUZZ),$(eval $(t)_LINK := sessiond launch base)$(eval $(t)_LIBS := $(sessiond_LIBS)))
$(foreach t,$(launch_UNIT),$(eval $(t)_LINK := launch base)$(eval $(t)_LIBS := -lyajl))

PROGRAMS += carrel
carrel_SRC := sessiond/cli/main.c sessiond/cli/commands.c sessiond/cli/place.c sessiond/cli/tty.c \
	sessiond/cli/link_ws.c sessiond/cli/rest.c sessiond/cli/terminal.c \
	sessiond/cli/local.c sessiond/cli/report.c sessiond/cli/cmd_run.c sessiond/cli/run_policy.c sessiond/cli/cmd_attach.c \
	sessiond/cli/cast_source.c sessiond/cli/cmd_play.c sessiond/cli/cmd_ps.c sessiond/cli/cmd_processes.c sessiond/cli/cmd_rm.c sessiond/cli/cmd_upgrade.c \
	sessiond/cli/cmd_image.c
carrel_LINK := sessiond launch base
carrel_LIBS := -lcurl -lwslay -lcrypto -lyajl -lyaml
$(O)/obj/sessiond/cli/place.o: CPPFLAGS += -DCARREL_PREFIX='"$(PREFIX)"'

# The way out of a host that nobody reaches: carrel-dialer there, carrel-relay where clients come.
LIBS += outbound
outbound_SRC := sessiond/outbound/mux.c sessiond/outbound/flow.c sessiond/outbound/head.c sessiond/outbound/transport.c \
	sessiond/outbound/tls.c sessiond/outbound/carrier.c sessiond/outbound/tunnel.c sessiond/outbound/stream.c \
	sessiond/outbound/confine.c sessiond/dialer/backoff.c sessiond/dialer/config.c sessiond/dialer/connect.c \
	sessiond/dialer/dialer.c sessiond/dialer/url.c sessiond/dialer/proxy.c sessiond/dialer/secrets.c sessiond/dialer/lookup.c \
	sessiond/dialer/race.c sessiond/relay/call.c sessiond/relay/answer.c sessiond/relay/hosts.c sessiond/relay/front.c \
	sessiond/relay/relay.c sessiond/relay/serve.c sessiond/listen.c sessiond/digest.c
outbound_LIBS := -lwslay -lssl -lcrypto -lseccomp -lcap -lyajl -lyaml

PROGRAMS += carrel-dialer carrel-relay
carrel-dialer_SRC := sessiond/dialer/main.c
carrel-dialer_LINK := outbound base
carrel-dialer_LIBS := $(outbound_LIBS)
carrel-relay_SRC := sessiond/relay/main.c
carrel-relay_LINK := outbound base
carrel-relay_LIBS := $(outbound_LIBS)

outbound_UNIT := test_outbound_mux test_outbound_tunnel test_outbound_relay test_outbound_way
UNIT += $(outbound_UNIT)
outbound_FUZZ := fuzz_mux fuzz_relayhead
FUZZ += $(outbound_FUZZ)
$(foreach t,$(outbound_UNIT) $(outbound_FUZZ),$(eval $(t)_LINK := outbound base)$(eval $(t)_LIBS := $(outbound_LIBS)))

# What policies found; shims of older builds.
sessiond_SRC += sessiond/renew.c sessiond/audit.c sessiond/policies.c
