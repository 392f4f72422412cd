# What the tests with registries share, on top of images.bash: registries of two kinds on free ports of 127.0.0.1.
#
#   real [tls] [auth]    Debian's docker-registry in $WORK/real; sets REAL=HOST:PORT; with tls: certificates in $WORK/ca.pem,
#                        with auth: it wants user:secret
#   fake LAYOUT [JSON]   registry_server.py; sets FAKE=HOST:PORT and FAKE_LOG
#   plain HOST:PORT...   writes registries.yaml that lets these be spoken to without TLS
#   pull, push           with that file, quick retries, nothing shown
#   copy ARGS...         skopeo copy, quietly

. "$(dirname "${BASH_SOURCE[0]}")/images.bash"

registry_setup() {
	images_setup
	PIDS=() FAKES=0
	export HOME=$WORK/home XDG_RUNTIME_DIR=$WORK/run
	unset REGISTRY_AUTH_FILE DOCKER_CONFIG http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY
	mkdir -p "$HOME" "$XDG_RUNTIME_DIR"
	echo 'registries: {}' > registries.yaml
}

registry_teardown() {
	local pid
	for pid in "${PIDS[@]}"; do
		kill "$pid" 2> /dev/null || true
		wait "$pid" 2> /dev/null || true
	done
}

certificates() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=test CA' -keyout ca.key -out ca.pem 2> /dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=127.0.0.1' -keyout server.key -out server.csr 2> /dev/null
	openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out server.pem \
		-extfile <(echo 'subjectAltName=IP:127.0.0.1') 2> /dev/null
}

real() {
	local port tls='' auth='' scheme=http
	need docker-registry
	case " $* " in *' tls '*)
		certificates
		scheme=https
		tls="  tls: {certificate: $WORK/server.pem, key: $WORK/server.key}"
		;;
	esac
	case " $* " in *' auth '*)
		need htpasswd
		htpasswd -Bbn user secret > htpasswd
		auth="auth: {htpasswd: {realm: test, path: $WORK/htpasswd}}"
		;;
	esac
	cat > real.yml <<- Y
		version: 0.1
		log: {level: error}
		storage: {filesystem: {rootdirectory: $WORK/real}}
		http:
		  addr: 127.0.0.1:0
		$tls
		$auth
	Y
	docker-registry serve real.yml > real.log 2>&1 3>&- &
	PIDS+=($!)
	port_of() { ss -Hltnp | sed -n "s/.* 127\.0\.0\.1:\([0-9]*\) .*pid=$1,.*/\1/p"; }
	wait_for "[ -n \"\$(port_of $!)\" ]"
	port=$(port_of "${PIDS[-1]}")
	REAL=127.0.0.1:$port
	wait_for "curl -sk -o /dev/null $scheme://$REAL/v2/"
}

fake() {
	local out
	FAKES=$((FAKES + 1))
	FAKE_LOG=$WORK/fake.$FAKES.log out=$WORK/fake.$FAKES.out
	: > "$FAKE_LOG"
	python3 "$IMAGES_DIR/registry_server.py" "$1" "$FAKE_LOG" "${2:-{\}}" > "$out" 2>&1 3>&- &
	PIDS+=($!)
	wait_for "grep -q '^[0-9]' $out"
	FAKE=127.0.0.1:$(cat "$out")
}

plain() {
	local host
	{
		echo 'registries:'
		for host; do echo "  \"$host\": {plain: true}"; done
	} > registries.yaml
}

pull() {
	img pull --registries registries.yaml --progress "${PROGRESS:-none}" --retry-delay 20ms "$@"
}

push() {
	img push --registries registries.yaml --progress "${PROGRESS:-none}" --retry-delay 20ms "$@"
}

copy() {
	need skopeo
	skopeo --insecure-policy copy -q "$@"
}

# The digest of the layout's only manifest.
digest_of() {
	jq -r '.manifests[0].digest' "$1/index.json"
}

# What is below a store's layers, with owners, modes and content.
trees() {
	(cd "$1/layers" && find . ! -name layer.json ! -path './*/root/*' -prune -o -printf '%P %y %m %U %G %l\n' | sort &&
		find . -type f ! -name layer.json -exec sha256sum {} + | sort)
}

# Two layers of incompressible bytes, a few hundred KiB each.
two_layers() {
	mk << 'PY'
import random
r = random.Random(7)
base = layer([d('./'), d('./etc'), f('./etc/passwd', 'root:x:0:0::/root:/bin/sh\n'), d('./gone'), f('./gone/x', '1'), f('./big', r.randbytes(300000))])
top = layer([f('.wh.gone', ''), f('big2', r.randbytes(200000), mode=0o4755)])
oci('layout', [(base, 'gzip'), (top, 'zstd')], name='1')
PY
}
