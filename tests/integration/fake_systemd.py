#!/usr/bin/python3
"""A stand-in for systemd's manager on a message bus: fake_systemd.py ADDRESS DIR

It answers what carrel-sdbus asks, keeps the units' names, and appends each call as a line of JSON to DIR/calls. The
words in DIR/mode, read at each call, make it misbehave:

  hang     no method is answered        nojob    jobs do not end
  failed   jobs end with "failed"       taken    every unit exists already
  stale    the next unit is a failed one of that name, until it is reset
  moved    units have another control group than their names say
  deny     every call is an error
  old      a version before 252
"""
import json
import os
import sys

import dbus
import dbus.bus
import dbus.service
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

MANAGER = "org.freedesktop.systemd1.Manager"
PROPERTIES = "org.freedesktop.DBus.Properties"
ERROR = "org.freedesktop.systemd1."


def plain(v):
    if isinstance(v, (dbus.Array, list, tuple)):
        return [plain(x) for x in v]
    if isinstance(v, dbus.Boolean):
        return bool(v)
    return int(v) if isinstance(v, int) else str(v)


def expand(slice_):
    stem = slice_[: -len(".slice")]
    if stem == "-":
        return ""
    parts = stem.split("-")
    return "".join("/" + "-".join(parts[: i + 1]) + ".slice" for i in range(len(parts)))


class Unit(dbus.service.Object):
    def __init__(self, manager, name, cgroup):
        escaped = "".join(c if c.isalnum() else "_%02x" % ord(c) for c in name)
        self.cgroup = cgroup
        super().__init__(manager.connection, "/org/freedesktop/systemd1/unit/" + escaped)

    @dbus.service.method(PROPERTIES, in_signature="ss", out_signature="v")
    def Get(self, interface, name):
        return dbus.String(self.cgroup)


class Manager(dbus.service.Object):
    SUPPORTS_MULTIPLE_CONNECTIONS = False

    def __init__(self, connection, directory):
        self.directory, self.units, self.jobs = directory, {}, 0
        self.stale = set()
        super().__init__(connection, "/org/freedesktop/systemd1")

    def mode(self):
        try:
            with open(os.path.join(self.directory, "mode")) as f:
                return f.read().split()
        except FileNotFoundError:
            return []

    def log(self, method, **what):
        with open(os.path.join(self.directory, "calls"), "a") as f:
            f.write(json.dumps(dict(method=method, **what)) + "\n")

    def answer(self, ok, fail, value=None):
        mode = self.mode()
        if "hang" in mode:
            return
        if "deny" in mode:
            fail(dbus.DBusException("the answer is no", name="org.freedesktop.DBus.Error.AccessDenied"))
        elif value is None:
            ok()
        else:
            ok(value)

    def job(self, unit, ok, fail):
        self.jobs += 1
        path = dbus.ObjectPath("/org/freedesktop/systemd1/job/%d" % self.jobs)
        mode = self.mode()
        # The real one, too, may tell the end of a job before it tells its name.
        if "nojob" not in mode:
            self.JobRemoved(self.jobs, path, unit, "failed" if "failed" in mode else "done")
        self.answer(ok, fail, path)

    @dbus.service.signal(MANAGER, signature="uoss")
    def JobRemoved(self, number, path, unit, result):
        pass

    @dbus.service.method(MANAGER, async_callbacks=("ok", "fail"))
    def Subscribe(self, ok, fail):
        self.answer(ok, fail)

    @dbus.service.method(MANAGER, in_signature="ssa(sv)a(sa(sv))", out_signature="o", async_callbacks=("ok", "fail"))
    def StartTransientUnit(self, name, how, properties, others, ok, fail):
        p = {str(k): plain(v) for k, v in properties}
        self.log("StartTransientUnit", unit=name, how=how, properties=p)
        mode = self.mode()
        if "stale" in mode:
            os.remove(os.path.join(self.directory, "mode"))
            self.stale.add(name)
        if name in self.units or name in self.stale or "taken" in mode:
            return fail(dbus.DBusException("Unit %s exists" % name, name=ERROR + "UnitExists"))
        cgroup = expand(name) if name.endswith(".slice") else expand(p["Slice"]) + "/" + name
        self.units[name] = Unit(self, name, "/elsewhere" if "moved" in mode else cgroup)
        self.job(name, ok, fail)

    @dbus.service.method(MANAGER, in_signature="ss", out_signature="o", async_callbacks=("ok", "fail"))
    def StopUnit(self, name, how, ok, fail):
        self.log("StopUnit", unit=name)
        if name not in self.units:
            return fail(dbus.DBusException("Unit %s not loaded." % name, name=ERROR + "NoSuchUnit"))
        self.units.pop(name).remove_from_connection()
        self.job(name, ok, fail)

    @dbus.service.method(MANAGER, in_signature="s", async_callbacks=("ok", "fail"))
    def ResetFailedUnit(self, name, ok, fail):
        self.log("ResetFailedUnit", unit=name)
        self.stale.discard(name)
        self.answer(ok, fail)

    @dbus.service.method(MANAGER, in_signature="sba(sv)", async_callbacks=("ok", "fail"))
    def SetUnitProperties(self, name, runtime, properties, ok, fail):
        self.log("SetUnitProperties", unit=name, runtime=plain(runtime), properties={str(k): plain(v) for k, v in properties})
        self.answer(ok, fail)

    @dbus.service.method(MANAGER, in_signature="ssau", async_callbacks=("ok", "fail"))
    def AttachProcessesToUnit(self, name, sub, pids, ok, fail):
        self.log("AttachProcessesToUnit", unit=name, pids=plain(pids))
        self.answer(ok, fail)

    @dbus.service.method(PROPERTIES, in_signature="ss", out_signature="v")
    def Get(self, interface, name):
        return dbus.String(("251" if "old" in self.mode() else "252.39-1") if name == "Version" else "")


def main():
    DBusGMainLoop(set_as_default=True)
    connection = dbus.bus.BusConnection(sys.argv[1])
    name = dbus.service.BusName("org.freedesktop.systemd1", connection)
    manager = Manager(connection, sys.argv[2])
    with open(os.path.join(sys.argv[2], "ready"), "w") as f:
        f.write(name.get_name() + "\n")
    assert manager
    GLib.MainLoop().run()


main()
