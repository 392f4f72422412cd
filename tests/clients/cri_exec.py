"""The streaming half of a CRI exec, as an API server opens it: cri_exec.py URL INPUT [WIDTHxHEIGHT]

INPUT goes to stdin when the size, if any, was told. stdout and stderr are ours; the exit code is the command's, 125 when there is no
status. The protocol is v4.channel.k8s.io: each message begins with its channel.
"""
import asyncio, json, sys
import websockets

STDIN, STDOUT, STDERR, STATUS, RESIZE = range(5)


def exit_code(status):
    if status["status"] == "Success":
        return 0
    causes = status.get("details", {}).get("causes", [])
    codes = [int(c["message"]) for c in causes if c.get("reason") == "ExitCode"]
    return codes[0] if codes else sys.exit("status: %s" % status)


async def main(url, text, size):
    url = url.replace("http", "ws", 1)
    async with websockets.connect(url, subprotocols=["v4.channel.k8s.io"], max_size=None, ping_interval=None) as ws:
        if ws.subprotocol != "v4.channel.k8s.io":
            sys.exit("subprotocol: %s" % ws.subprotocol)
        if size:
            width, height = size.split("x")
            await ws.send(bytes([RESIZE]) + json.dumps({"Width": int(width), "Height": int(height)}).encode())
            # The two channels are read by two threads of the server.
            await asyncio.sleep(0.5)
        try:
            await ws.send(bytes([STDIN]) + text.encode())
        except websockets.ConnectionClosed:
            pass  # of a command that could not be started all has been said already
        code = 125
        try:
            async for message in ws:
                channel, data = message[0], message[1:]
                if channel == STDOUT:
                    sys.stdout.buffer.write(data)
                elif channel == STDERR:
                    sys.stderr.buffer.write(data)
                elif channel == STATUS and data:
                    code = exit_code(json.loads(data))
        except websockets.ConnectionClosed:
            pass  # the server closes without a close frame
        return code


sys.exit(asyncio.run(asyncio.wait_for(main(sys.argv[1], sys.argv[2], (sys.argv + [""])[3]), 30)))
