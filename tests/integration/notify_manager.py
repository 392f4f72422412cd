"""notify_manager.py SOCKET LOG: a service manager's end of NOTIFY_SOCKET. Each message is a line of LOG, as Python writes it, with
the number of descriptors that came along; a barrier is let go at once. "@NAME" is an abstract socket."""
import array
import os
import socket
import sys

address = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\0" + address[1:] if address.startswith("@") else address)
log = open(sys.argv[2], "a", buffering=1)
while True:
    data, control, _, _ = s.recvmsg(8192, socket.CMSG_SPACE(16 * 4))
    fds = array.array("i")
    for _, _, bits in control:
        fds.frombytes(bits)
    print(f"{data!r} {len(fds)}", file=log)
    for fd in fds:
        os.close(fd)
