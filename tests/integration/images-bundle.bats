# carrel-image bundle: what stands in config.json and rootfs.json, and that it runs.
load images

setup() {
	images_setup
	echo '{"defaultAction":"SCMP_ACT_ERRNO","marker":"ours"}' > seccomp.json
	cat > tiers.yaml << 'YAML'
tiers:
  small: {cpu: 0.5, memory: 128Mi, swap: 64Mi, pids: 50, disk: 64Mi, nofile: 256, idle: 15m}
YAML
	mk << 'PY'
oci('l', [layer([d('home'), d('home/u'), d('opt'), d('etc'), f('etc/passwd', 'root:x:0:0::/root:/bin/sh\nu:x:1000:1001::/home/u:/bin/sh\nd:x:2:2::/usr/sbin:/bin/sh\n'),
                 f('etc/group', 'u:x:1001:\ng:x:2000:u\n')])],
    name='x', User='u', Env=['PATH=/bin', 'LANG=de', 'X=1'], Entrypoint=['/entry'], Cmd=['a', 'b'], Labels={'evil': 'x'})
PY
	img import l > /dev/null
}

bundle() { # OPTIONS...
	rm -rf b
	run img bundle x b --seccomp seccomp.json "$@"
}

config() { # JQ: must be true
	jq -e "$1" b/config.json > /dev/null || { echo "not true: $1" && jq -c . b/config.json && return 1; }
}

@test "the locks that every sandbox has" {
	bundle
	ok
	config '[.linux.namespaces[].type] | sort == ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"]'
	config '[.linux.namespaces[] | has("path")] | any | not'
	config '.process.capabilities == {bounding: [], effective: [], inheritable: [], permitted: [], ambient: []}'
	config '.process.noNewPrivileges and .root == {path: "rootfs", readonly: true}'
	config '.linux.seccomp.marker == "ours"'
	config '.linux.uidMappings == [{containerID: 0, hostID: 524288, size: 65536}] and .linux.gidMappings == .linux.uidMappings'
	config '[.process.rlimits[] | select(.type == "RLIMIT_CORE" and .hard == 0)] | length == 1'
	config '.process | has("oomScoreAdj") | not'
	config '.linux.resources.devices == [{allow: false, access: "rwm"}]'
	for p in /proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi /proc/timer_list \
		/sys/devices/virtual/powercap /sys/firmware /sys/devices/system/cpu/cpu0/thermal_throttle; do
		config ".linux.maskedPaths | index(\"$p\")"
	done
	config '[.linux.maskedPaths[] | select(endswith("thermal_throttle"))] | length == '"$(find /sys/devices/system/cpu -maxdepth 1 -name 'cpu[0-9]*' | wc -l)"
	for p in /proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger; do config ".linux.readonlyPaths | index(\"$p\")"; done
	config '.mounts[] | select(.destination == "/sys" or .destination == "/sys/fs/cgroup") | .options | index("ro")'
	# Writable places are tmpfs with a limit, without setuid and devices.
	config '[.mounts[] | select(.type == "tmpfs") | (.options | index("nosuid")) and (.options | map(select(startswith("size="))) | length == 1)] | all'
	config '[.mounts[] | select(.type == "tmpfs" and .destination != "/dev") | .options | index("nodev")] | all'
	# Nothing of the image's labels.
	[ "$(grep -c evil b/config.json)" = 0 ]
}

@test "a tier's network: an annotation of ours, with the address that is given" {
	sed 's/nofile: 256/&, network: egress/' tiers.yaml > net.yaml
	bundle --tiers net.yaml --tier small
	[ "$status" = 1 ]
	[[ $output == *'tier small has a network: --network-address and --network-gateway are needed'* ]]
	bundle --tiers net.yaml --tier small --network-address 10.9.0.5/24 --network-gateway '10.9.0.1"]'
	ok
	config '.annotations["io.carrel.network"] | fromjson == {mode: "bridge", addresses: ["10.9.0.5/24"], gateways: ["10.9.0.1\"]"], masquerade: true}'
	bundle --tiers tiers.yaml --tier small --network-address 10.9.0.5/24 --network-gateway 10.9.0.1
	config '.annotations | has("io.carrel.network") | not'
}

@test "a tier's numbers, and its disk is the sum of the writable places" {
	bundle --tiers tiers.yaml --tier small
	ok
	config '.linux.resources.cpu == {quota: 50000, period: 100000}'
	config '.linux.resources.memory == {limit: 134217728, swap: 201326592}'
	config '.linux.resources.pids.limit == 50'
	config '[.process.rlimits[] | select(.type == "RLIMIT_NOFILE")][0].soft == 256'
	config '[.mounts[] | select(.type == "tmpfs" and .destination != "/dev") | .options[] | select(startswith("size=")) | .[5:] | tonumber] | add == 67108864'
	fails_with "tiers.big: no such tier" img bundle x b2 --seccomp seccomp.json --tiers tiers.yaml --tier big
	fails_with 'go together' img bundle x b2 --seccomp seccomp.json --tier small
	echo 'tiers: {small: {cpu: 1, memroy: 1Gi, pids: 5, disk: 1Gi}}' > typo.yaml
	fails_with 'tiers.small: memory' img bundle x b2 --seccomp seccomp.json --tiers typo.yaml --tier small
	[ ! -e b2 ]
	# Without a tier there are limits all the same.
	bundle
	config '.linux.resources | .memory.limit > 0 and .pids.limit > 0 and .cpu.quota > 0'
}

@test "user, groups, home, environment, command, directory" {
	bundle
	config '.process.user == {uid: 1000, gid: 1001, additionalGids: [2000]}'
	config '.process.cwd == "/home/u" and .process.args == ["/entry", "a", "b"] and .process.terminal'
	config '.process.env | sort == ["HOME=/home/u", "LANG=de", "PATH=/bin", "TERM=xterm-256color", "USER=u", "X=1"]'
	config '.mounts[] | select(.destination == "/home/u") | .options | contains(["uid=1000", "gid=1001", "tmpcopyup"])'
	bundle --user root --cwd /opt --env X=2 --env Y=3 --no-terminal -- sh -c 'a b'
	ok
	config '.process.user == {uid: 0, gid: 0} and .process.cwd == "/opt" and .process.args == ["sh", "-c", "a b"] and (.process.terminal | not)'
	config '.process.env | contains(["X=2", "Y=3", "HOME=/workspace"]) and (contains(["TERM"]) | not)'
	# A home where other things live is not covered by an empty file system.
	bundle --user d
	config '.process.env | contains(["HOME=/workspace"])'
	config '[.mounts[].destination] | index("/usr/sbin") | not'
	bundle --cwd /workspace
	config '.process.cwd == "/workspace"'
	fails_with 'not in the image' img bundle x b2 --seccomp seccomp.json --cwd /nowhere
	fails_with 'empty at first' img bundle x b2 --seccomp seccomp.json --cwd /tmp/x
	fails_with 'an absolute path' img bundle x b2 --seccomp seccomp.json --cwd ../etc
	fails_with 'no NAME=value' img bundle x b2 --seccomp seccomp.json --env 'A B=c'
	fails_with 'control character' img bundle x b2 --seccomp seccomp.json --env $'A=\e[2J'
}

@test "ids, cgroup, hostname, init" {
	bundle --uid-base 1000000 --uid-count 2000 --cgroup /carrel/abc --hostname h --id abc --init "$IMAGE"
	ok
	config '.linux.uidMappings == [{containerID: 0, hostID: 1000000, size: 2000}] and .linux.cgroupsPath == "/carrel/abc" and .hostname == "h"'
	config '.process.args == ["/dev/carrel-init", "--", "/entry", "a", "b"] and .annotations["carrel.id"] == "abc"'
	config '.mounts[] | select(.destination == "/dev/carrel-init") | .type == "bind" and (.options | contains(["bind", "ro", "nosuid", "nodev"]))'
	fails_with 'only' img bundle x b2 --seccomp seccomp.json --uid-count 1000
	fails_with 'no range of ids' img bundle x b2 --seccomp seccomp.json --uid-base 4294967000 --uid-count 65536
	fails_with 'No such file' img bundle x b2 --seccomp seccomp.json --init /no/such
	fails_with 'absolute' img bundle x b2 --seccomp seccomp.json --init relative
}

@test "rootfs.json lists the layers, bottom first, and the mount points on top" {
	bundle
	jq -e --arg s "$(realpath "$STORE")" '.version == 1 and .format == "overlay" and (.layers | length) == 2 and .layers[1] == $s + "/mountpoints/root" and (.layers[0] | startswith($s + "/layers/"))' b/rootfs.json
	[ "$(jq -r .image b/rootfs.json)" = "$(img inspect x | jq -r .digest)" ]
	for l in $(jq -r '.layers[]' b/rootfs.json); do [ -d "$l" ]; done
}

@test "an image that has a layer several times: each once where it counts, for overlayfs takes no directory twice" {
	mk << 'PY'
a = layer([f('x', 'a'), d('dir'), f('dir/of-a', 'a'), f('.wh.low', ''), d('op'), f('op/a', '')])
b = layer([f('.wh.x', ''), f('dir', 'now a file'), d('op'), f('op/.wh..wh..opq', ''), f('op/b', ''), f('low', 'b')])
none = layer([])
oci('r', [(layer([f('low', 'low'), d('op'), f('op/low', '')]), 'gzip'), (none, 'gzip'), (a, 'gzip'), (b, 'gzip'), (none, 'gzip'), (a, 'gzip'), (none, 'gzip')], name='again')
PY
	both import r
	run img bundle again b --seccomp seccomp.json
	ok
	jq -e '.layers | length == 5 and (unique | length) == 5' b/rootfs.json
	mkdir m
	run unshare -m sh -c "mount -t overlay -o lowerdir=$(jq -r '.layers | reverse | join(":")' b/rootfs.json) none m && cd m && find . -mindepth 1 ! -path ./dev ! -path ./proc ! -path ./run ! -path ./sys ! -path ./tmp ! -path ./workspace | sort | xargs && cat x"
	ok
	[ "$output" = $'./dir ./dir/of-a ./op ./op/a ./op/b ./x\na' ]
	need umoci
	umoci unpack --image r:again unpacked > /dev/null
	[ "$(cd unpacked/rootfs && find . -mindepth 1 | sort | xargs)" = './dir ./dir/of-a ./op ./op/a ./op/b ./x' ]
}

@test "no profile, no bundle" {
	fails_with 'seccomp profile' img bundle x b2 --seccomp nowhere.json
	says '--seccomp'
	echo '{}' > empty.json
	fails_with 'defaultAction: missing' img bundle x b2 --seccomp empty.json
	echo '{' > broken.json
	fails_with 'seccomp profile' img bundle x b2 --seccomp broken.json
	[ ! -e b2 ]
}

@test "the bundle runs: read-only root, own ids, writable places of the right size" {
	need busybox
	runtime=$CARREL_BIN/carrel-runtime idmount=$CARREL_BIN/../tests/idmount profile=$IMAGES_DIR/../../config/seccomp.json
	[ -x "$runtime" ] && [ -x "$idmount" ] || skip "needs carrel-runtime and tests/idmount"
	python3 - << PY
import sys
sys.path.insert(0, '$IMAGES_DIR')
sys.dont_write_bytecode = True
from mkimage import *
box = open('$(command -v busybox)', 'rb').read()
names = ['sh', 'id', 'cat', 'touch', 'df', 'ls', 'pwd', 'env']
oci('box', [(layer([d('bin', uid=0), f('bin/busybox', box, mode=0o755)] + [s('bin/' + n, 'busybox') for n in names]), 'gzip'),
            layer([d('etc'), f('etc/passwd', 'u:x:1000:1000::/home/u:/bin/sh\n'), d('home'), d('home/u', uid=1000, gid=1000), f('home/u/.profile', 'hello\n', uid=1000, gid=1000)])],
    name='box', User='u', Cmd=['/bin/sh'], Env=['PATH=/bin'])
PY
	img import box
	id=b$$-$BATS_TEST_NUMBER
	run img bundle box bundle --tiers tiers.yaml --tier small --seccomp "$profile" --cgroup "/carrel-test/$id" --no-terminal -- \
		sh -c 'id -u; pwd; cat .profile; touch mine /workspace/x /tmp/y; ls; touch /etc/x 2>&1; touch /bin/x 2>&1; df -k /workspace | tail -n 1; cat /proc/self/uid_map'
	ok
	cat > go << 'SH'
set -e
lower=
for l in $(jq -r '.layers[]' bundle/rootfs.json); do
	n=low$((i = i + 1))
	mkdir $n && "$1" $l $n 524288 65536
	lower=$n${lower:+:$lower}
done
mkdir bundle/rootfs
mount -t overlay -o ro,lowerdir=$lower none bundle/rootfs
exec "$2" --root state run -b bundle "$3"
SH
	run timeout 60 unshare -m --propagation private sh go "$idmount" "$runtime" "$id"
	timeout 20 "$runtime" --root state delete --force "$id" 2> /dev/null || true
	find /sys/fs/cgroup -maxdepth 3 -type d -path '*/carrel-test' -exec rmdir {} \; 2> /dev/null || true
	ok
	[ "${lines[0]}" = 1000 ] && [ "${lines[1]}" = /home/u ] && [ "${lines[2]}" = hello ] && [ "${lines[3]}" = mine ]
	says 'Read-only file system'
	[[ $output =~ tmpfs\ +16384\  ]]
	[[ $output =~ 0\ +524288\ +65536 ]]
}
