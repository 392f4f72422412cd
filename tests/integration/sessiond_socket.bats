#!/usr/bin/env bats
# The hand-over of a client's socket, watched from outside.

load sessiond.bash

setup_file() { sessiond_store; }
setup() { sessiond_setup; }
teardown() { sessiond_teardown; }

@test "after the hand-over the daemon only closes its descriptor: no shutdown, no read, no write" {
	[ -x "$(command -v strace)" ] || skip "needs strace"
	key=$(key_add ann free)
	daemon_start
	create "$key"
	strace -f -yy -p $DAEMON -e trace=network,close,read,write,epoll_ctl -o "$WORK/trace" 2> "$WORK/strace.log" 3>&- &
	tracer=$!
	eventually grep -q attached "$WORK/strace.log"
	out=$(client talk "$ADDR" "$(terminal "$box")" "$key" 'echo x-$((1+1))\n' 'x-2')
	[ "$(jq -r .found <<< "$out")" = true ]
	kill $tracer && wait $tracer || true
	# Our descriptor of that client, and the line of the hand-over.
	at=$(grep -n 'SCM_RIGHTS' "$WORK/trace" | head -n 1 | cut -d: -f1)
	[ -n "$at" ]
	fd=$(sed -n "${at}p" "$WORK/trace" | sed -E 's/.*cmsg_data=\[([0-9]+).*/\1/')
	# The daemon's own lines only: the shims that it started are not followed by -p, children would be.
	tail -n "+$((at + 1))" "$WORK/trace" | grep -E "^$DAEMON " > "$WORK/after"
	grep -qE " close\($fd<" "$WORK/after"
	touched=$(sed "/ close($fd</q" "$WORK/after" | grep -E " (shutdown|recvfrom|recvmsg|read|sendto|sendmsg|write)\($fd<") || true
	[ -z "$touched" ]
	# And it is out of the epoll set that libmicrohttpd waits on.
	head -n "$at" "$WORK/trace" | grep -qE "epoll_ctl\(.*EPOLL_CTL_DEL, $fd<"
}

@test "a hundred terminals opened and left leave no descriptor in the daemon" {
	key=$(key_add ann free)
	daemon_start
	create "$key"
	client talk "$ADDR" "$(terminal "$box")" "$key" 'echo x-$((1+1))\n' 'x-2' > /dev/null
	settled() { [ "$(ls "/proc/$DAEMON/fd" | wc -l)" -le "$1" ]; }
	sleep 0.3
	before=$(ls "/proc/$DAEMON/fd" | wc -l)
	client open_close "$ADDR" "$(terminal "$box")" "$key" 100
	eventually settled "$before"
	api "$key" GET "/v1/sandboxes/$box"
	clients_gone() { api "$key" GET "/v1/sandboxes/$box" && [ "$(field .live.clients)" = 0 ]; }
	eventually clients_gone
}

@test "too many clients are told by the close code, the others go on" {
	key=$(key_add ann free)
	daemon_start
	create "$key"
	out=$(client crowd "$ADDR" "$(terminal "$box")" "$key" 20)
	[ "$(jq -r .accepted <<< "$out")" = 16 ]
	[ "$(jq -c .refused <<< "$out")" = '[4429,4429,4429,4429]' ]
	[ "$(jq -r .alive <<< "$out")" = 16 ]
}

@test "python3-websockets: raw bytes without a subprotocol, ttyd's with it, terminado's by the query" {
	/usr/bin/python3 -c 'import websockets' 2> /dev/null || skip "needs python3-websockets"
	key=$(key_add ann free)
	daemon_start
	create "$key"
	run timeout 60 /usr/bin/python3 - "ws://$ADDR$(terminal "$box")" "$key" << 'PYTHON'
import asyncio, json, sys
import websockets

url, key = sys.argv[1:]


async def until(ws, text, of):
    got = ""
    while text not in got:
        got += of(await asyncio.wait_for(ws.recv(), 20))


async def main():
    auth = {"Authorization": "Bearer " + key}
    async with websockets.connect(url + "?cols=77&rows=22", extra_headers=auth, compression="deflate") as ws:
        assert ws.subprotocol is None and ws.extensions == []
        await ws.send("echo raw-$((40+2)); stty size\n")
        await until(ws, "raw-42\r\n22 77", lambda m: m.decode())
        await asyncio.wait_for(await ws.ping(), 20)
    async with websockets.connect(url, extra_headers=auth, subprotocols=["webtty", "tty"]) as ws:
        assert ws.subprotocol == "tty"
        await ws.send(b'{"AuthToken":"","columns":90,"rows":30}')
        await ws.send(b"0echo tty-$((40+2)); stty size\n")
        await until(ws, "tty-42\r\n30 90", lambda m: m[1:].decode() if m[:1] == b"0" else "")
    async with websockets.connect(url + "?protocol=terminado", extra_headers=auth) as ws:
        assert json.loads(await ws.recv()) == ["setup", {}]
        await ws.send(json.dumps(["set_size", 31, 91]))
        await ws.send(json.dumps(["stdin", "echo json-$((40+2)); stty size; exit 4\r"]))
        await until(ws, "json-42\r\n31 91", lambda m: json.loads(m)[1])
        try:
            while json.loads(await asyncio.wait_for(ws.recv(), 20)) != ["disconnect", 1]:
                pass
            await asyncio.wait_for(ws.recv(), 20)
        except websockets.ConnectionClosedOK as closed:
            assert closed.code == 1000
    # A sandbox that has ended: ttyd's page must not come back.
    async with websockets.connect(url, extra_headers=auth, subprotocols=["tty"]) as ws:
        try:
            await asyncio.wait_for(ws.recv(), 20)
        except websockets.ConnectionClosedOK as closed:
            assert closed.code == 1000, closed
    print("done")


asyncio.run(main())
PYTHON
	echo "$output"
	[ "$status" = 0 ] && [ "$output" = done ]
}
