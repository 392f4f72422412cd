#!/usr/bin/env python3
"""record.py FILE COLSxROWS STEP... -- COMMAND...: what a program writes to its terminal, as JSON for judge.mjs.

A STEP is text to type (with Python's escapes) or resize:COLSxROWS. After each one waits until the program is silent."""
import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time


def size(text):
    cols, rows = text.split("x")
    return int(cols), int(rows)


def main():
    at = sys.argv.index("--")
    path, cols_rows, steps, command = sys.argv[1], sys.argv[2], sys.argv[3:at], sys.argv[at + 1:]
    cols, rows = size(cols_rows)
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8", LINES="", COLUMNS="")
        for name in ("LINES", "COLUMNS", "TMUX"):
            os.environ.pop(name, None)
        time.sleep(0.05)  # the size comes first
        os.execvp(command[0], command)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
    events = []

    def drain(first, quiet):
        end = time.time() + first
        while True:
            ready, _, _ = select.select([fd], [], [], max(end - time.time(), 0))
            if not ready:
                return True
            try:
                data = os.read(fd, 65536)
            except OSError:
                return False
            events.append(["o", data.hex()])
            end = min(time.time() + quiet, end + 5)

    alive = drain(2.0, 0.15)
    for step in steps:
        if not alive:
            break
        if step.startswith("resize:"):
            c, r = size(step[7:])
            events.append(["r", c, r])
            fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", r, c, 0, 0))
        else:
            os.write(fd, step.encode().decode("unicode_escape").encode("latin1"))
        alive = drain(0.5, 0.15)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with open(path, "w") as out:
        json.dump({"cols": cols, "rows": rows, "events": events}, out)


main()
