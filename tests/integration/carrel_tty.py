"""Types into a program that has a terminal: carrel_tty.py SCRIPT COMMAND... ; for carrel.bats.

SCRIPT is a list of steps with ';;' between them:
  expect TEXT      waits until TEXT was output behind what the last expect found
  send TEXT        types it (\\r, \\n, \\x10 as in Python)
  size COLS ROWS   changes the terminal's size
  hangup           closes the terminal
Then it waits for the program's end and prints its output, and "[exit N]".
"""
import codecs, errno, fcntl, os, pty, select, struct, sys, termios, time

DEADLINE = time.monotonic() + float(os.environ.get("TTY_SECONDS", "120"))


def give_up(what, out):
    sys.stdout.write(out.decode("utf-8", "replace"))
    sys.exit("\n[gave up: %s]" % what)


def main():
    steps = [s.strip(" ") for s in sys.argv[1].split(";;")]
    pid, fd = pty.fork()
    if pid == 0:
        # Here and not above: the program asks for it whenever it likes.
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.execvp(sys.argv[2], sys.argv[2:])
    out, seen = b"", 0

    def read():
        nonlocal out
        if not select.select([fd], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(fd, 65536)
        except OSError as e:
            if e.errno != errno.EIO:
                raise
            data = b""
        out += data
        return bool(data)

    for step in steps:
        word, _, rest = step.partition(" ")
        if word == "expect":
            wanted = rest.encode()
            while True:
                at = out.find(wanted, seen)
                if at >= 0:
                    seen = at + len(wanted)
                    break
                if not read() or time.monotonic() > DEADLINE:
                    give_up("expect " + rest, out)
        elif word == "send":
            os.write(fd, codecs.escape_decode(rest.encode())[0])
        elif word == "size":
            cols, rows = rest.split()
            fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(cols), 0, 0))
        elif word == "hangup":
            os.close(fd)
            fd = -1
            break
        elif word:
            give_up("no such step: " + word, out)
    while fd >= 0 and read():
        if time.monotonic() > DEADLINE:
            give_up("the end", out)
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() > DEADLINE:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            give_up("the end", out)
        time.sleep(0.01)
    sys.stdout.write(out.decode("utf-8", "replace"))
    print("\n[exit %d]" % os.waitstatus_to_exitcode(status))


main()
