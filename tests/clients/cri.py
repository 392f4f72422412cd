"""Calls one method of a container runtime interface (CRI v1): cri.py SOCKET METHOD [JSON] ; prints the answer as JSON.

Just the messages that cri.bats needs, as a table of names and numbers; what the table lacks is left out of an answer. gRPC is
python3-grpcio's, the encoding of messages is the forty lines below: no generated code, no interface file.
"""
import json, sys
import grpc

# name: number and type; types: i integer, s text, m map of texts, or a message; * for a list.
MESSAGES = {
    "Version": {"version": (1, "s")},
    "VersionResponse": {"runtime_name": (2, "s"), "runtime_version": (3, "s")},
    "RunPodSandbox": {"config": (1, "Pod"), "runtime_handler": (2, "s")},
    "Pod": {"metadata": (1, "PodName"), "hostname": (2, "s"), "labels": (6, "m"), "linux": (8, "PodLinux")},
    "PodName": {"name": (1, "s"), "uid": (2, "s"), "namespace": (3, "s")},
    "PodLinux": {"cgroup_parent": (1, "s"), "security_context": (2, "PodSecurity"), "sysctls": (3, "m")},
    "PodSecurity": {"namespace_options": (1, "Namespaces"), "privileged": (6, "i")},
    "Namespaces": {"network": (1, "i"), "pid": (2, "i"), "ipc": (3, "i")},
    "RunPodSandboxResponse": {"pod_sandbox_id": (1, "s")},
    "PodSandboxStatus": {"pod_sandbox_id": (1, "s")},
    "PodSandboxStatusResponse": {"status": (1, "PodStatus")},
    "PodStatus": {"id": (1, "s"), "state": (3, "i"), "network": (5, "PodNetwork"), "runtime_handler": (9, "s")},
    "PodNetwork": {"ip": (1, "s")},
    "StopPodSandbox": {"pod_sandbox_id": (1, "s")},
    "RemovePodSandbox": {"pod_sandbox_id": (1, "s")},
    "ListPodSandbox": {},
    "ListPodSandboxResponse": {"items": (1, "PodItem*")},
    "PodItem": {"id": (1, "s"), "state": (3, "i")},
    "CreateContainer": {"pod_sandbox_id": (1, "s"), "config": (2, "Container"), "sandbox_config": (3, "Pod")},
    "Container": {"metadata": (1, "ContainerName"), "image": (2, "Image"), "command": (3, "s*"), "working_dir": (5, "s"),
                  "mounts": (7, "Mount*"), "log_path": (11, "s"), "stdin": (12, "i"), "stdin_once": (13, "i"), "tty": (14, "i"),
                  "linux": (15, "ContainerLinux")},
    "ContainerName": {"name": (1, "s")},
    "Image": {"image": (1, "s")},
    "Mount": {"container_path": (1, "s"), "host_path": (2, "s"), "readonly": (3, "i")},
    "ContainerLinux": {"resources": (1, "Resources"), "security_context": (2, "Security")},
    "Resources": {"cpu_period": (1, "i"), "cpu_quota": (2, "i"), "cpu_shares": (3, "i"), "memory_limit_in_bytes": (4, "i"),
                  "cpuset_cpus": (6, "s")},
    "Security": {"capabilities": (1, "Capabilities"), "privileged": (2, "i"), "namespace_options": (3, "Namespaces"),
                 "run_as_user": (5, "Int"), "readonly_rootfs": (7, "i"), "no_new_privs": (11, "i")},
    "Capabilities": {"add_capabilities": (1, "s*"), "drop_capabilities": (2, "s*")},
    "Int": {"value": (1, "i")},
    "CreateContainerResponse": {"container_id": (1, "s")},
    "StartContainer": {"container_id": (1, "s")},
    "StopContainer": {"container_id": (1, "s"), "timeout": (2, "i")},
    "RemoveContainer": {"container_id": (1, "s")},
    "ContainerStatus": {"container_id": (1, "s"), "verbose": (2, "i")},
    "ContainerStatusResponse": {"status": (1, "Status"), "info": (2, "m")},
    "Status": {"id": (1, "s"), "state": (3, "i"), "exit_code": (7, "i"), "reason": (10, "s"), "message": (11, "s")},
    "ExecSync": {"container_id": (1, "s"), "cmd": (2, "s*"), "timeout": (3, "i")},
    "ExecSyncResponse": {"stdout": (1, "s"), "stderr": (2, "s"), "exit_code": (3, "i")},
    "Exec": {"container_id": (1, "s"), "cmd": (2, "s*"), "tty": (3, "i"), "stdin": (4, "i"), "stdout": (5, "i"), "stderr": (6, "i")},
    "ExecResponse": {"url": (1, "s")},
    "Attach": {"container_id": (1, "s"), "stdin": (2, "i"), "tty": (3, "i"), "stdout": (4, "i"), "stderr": (5, "i")},
    "AttachResponse": {"url": (1, "s")},
    "ListContainers": {},
    "ListContainersResponse": {"containers": (1, "ContainerItem*")},
    "ContainerItem": {"id": (1, "s"), "state": (6, "i")},
    "UpdateContainerResources": {"container_id": (1, "s"), "linux": (2, "Resources")},
    "ContainerStats": {"container_id": (1, "s")},
    "ContainerStatsResponse": {"stats": (1, "Stats")},
    "Stats": {"cpu": (2, "Cpu"), "memory": (3, "Memory")},
    "Cpu": {"usage_core_nano_seconds": (2, "Int")},
    "Memory": {"working_set_bytes": (2, "Int")},
    "Entry": {"key": (1, "s"), "value": (2, "s")},
}


def varint(n):
    out = bytearray()
    n &= (1 << 64) - 1
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def encode(message, kind):
    out = b""
    for name, value in message.items():
        number, t = MESSAGES[kind][name]
        if t == "m":
            t, value = "Entry*", [{"key": k, "value": v} for k, v in value.items()]
        for v in value if t.endswith("*") else [value]:
            t = t.rstrip("*")
            if t == "i":
                out += varint(number << 3) + varint(int(v))
            else:
                data = v.encode() if t == "s" else encode(v, t)
                out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def read_varint(data, at):
    n = shift = 0
    while True:
        b = data[at]
        at += 1
        n |= (b & 127) << shift
        shift += 7
        if b < 128:
            return n, at


def decode(data, kind):
    names = {number: (name, t) for name, (number, t) in MESSAGES[kind].items()}
    out, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 0:
            value, at = read_varint(data, at)
        elif tag & 7 == 2:
            n, at = read_varint(data, at)
            value, at = data[at:at + n], at + n
        else:
            n = {1: 8, 5: 4}[tag & 7]
            value, at = data[at:at + n], at + n
        if tag >> 3 not in names:
            continue
        name, t = names[tag >> 3]
        if t == "m":
            entry = decode(value, "Entry")
            out.setdefault(name, {})[entry.get("key", "")] = entry.get("value", "")
            continue
        plain = t.rstrip("*")
        if plain == "s":
            value = value.decode("utf-8", "replace")
        elif plain != "i":
            value = decode(value, plain)
        if t.endswith("*"):
            out.setdefault(name, []).append(value)
        else:
            out[name] = value
    return out


def main():
    socket, method = sys.argv[1:3]
    request = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    answer = MESSAGES.get(method + "Response", {})
    MESSAGES.setdefault(method + "Response", answer)
    with grpc.insecure_channel("unix://" + socket) as channel:
        call = channel.unary_unary("/runtime.v1.RuntimeService/" + method, lambda m: encode(m, method),
                                   lambda d: decode(d, method + "Response"))
        try:
            print(json.dumps(call(request, timeout=60)))
        except grpc.RpcError as e:
            sys.exit("%s: %s" % (e.code().name, e.details()))


main()
