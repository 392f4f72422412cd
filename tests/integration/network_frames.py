#!/usr/bin/env python3
"""Frames made by hand, for what no socket would send.

  network_frames.py send IFACE udp  SRC_MAC DST_MAC SRC_IP DST_IP PORT
  network_frames.py send IFACE arp  SRC_MAC DST_MAC SENDER_IP TARGET_IP
  network_frames.py send IFACE ra   SRC_MAC SRC_IP
  network_frames.py sniff IFACE SECONDS      prints the source of every UDP packet that arrives, until then
"""
import ipaddress
import socket
import struct
import sys
import time


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp(src_mac, dst_mac, src, dst, port):
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    payload = b"frame"
    head = struct.pack("!HHHH", 4000, int(port), 8 + len(payload), 0)
    if src.version == 4:
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0, src.packed, dst.packed)
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        return mac(dst_mac) + mac(src_mac) + b"\x08\x00" + ip + head + payload
    length = 8 + len(payload)
    pseudo = src.packed + dst.packed + struct.pack("!II", length, 17)
    head = struct.pack("!HHHH", 4000, int(port), length, checksum(pseudo + head + payload))
    ip = struct.pack("!IHBB", 0x60000000, length, 17, 64) + src.packed + dst.packed
    return mac(dst_mac) + mac(src_mac) + b"\x86\xdd" + ip + head + payload


def arp(src_mac, dst_mac, sender, target):
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac(src_mac) + socket.inet_aton(sender)
    return mac(dst_mac) + mac(src_mac) + b"\x08\x06" + body + b"\0" * 6 + socket.inet_aton(target)


def ra(src_mac, src):
    src, dst = ipaddress.ip_address(src).packed, ipaddress.ip_address("ff02::1").packed
    prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 3600, 3600, 0, ipaddress.ip_address("2001:db8:bad::").packed)
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix
    total = checksum(src + dst + struct.pack("!II", len(body), 58) + body)
    body = body[:2] + struct.pack("!H", total) + body[4:]
    ip = struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + src + dst
    return mac("33:33:00:00:00:01") + mac(src_mac) + b"\x86\xdd" + ip + body


def sniff(iface, seconds):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((iface, 0))
    end = time.monotonic() + float(seconds)
    print("ready", flush=True)
    while (left := end - time.monotonic()) > 0:
        s.settimeout(left)
        try:
            frame = s.recv(4096)
        except TimeoutError:
            break
        kind = frame[12:14]
        if kind == b"\x08\x00" and frame[23] == 17:
            print(ipaddress.ip_address(frame[26:30]), flush=True)
        elif kind == b"\x86\xdd" and frame[20] == 17:
            print(ipaddress.ip_address(frame[22:38]), flush=True)


def main(args):
    if args[0] == "sniff":
        sniff(args[1], args[2])
        return
    frame = {"udp": udp, "arp": arp, "ra": ra}[args[2]](*args[3:])
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((args[1], 0))
    s.send(frame)


main(sys.argv[1:])
