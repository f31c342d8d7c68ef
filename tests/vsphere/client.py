"""A client of the vSphere API that is not ours: pyvmomi, from Debian."""

import http.client
import time

from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim, vmodl

DEADLINE_S = 600
NAME = "vmirror-test"
COLLECT = vmodl.query.PropertyCollector
SPAN = vim.dvs.VmwareDistributedVirtualSwitch
LOST = (http.client.HTTPException, OSError)  # What a connection that was cut raises.


class Client:
    """A session; use with `with`."""

    def __init__(self, server, user="vmirror", password=None):
        self.instance = SmartConnect(host=server.host, port=int(server.port), user=user, pwd=password or user,
                                     sslContext=server.tls())
        self.content = self.instance.RetrieveContent()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            Disconnect(self.instance)
        except (vim.fault.NotAuthenticated, *LOST):
            pass

    def every(self, kind):
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, [kind], True)
        try:
            return sorted(view.view, key=lambda entity: [int(part) if part.isdigit() else part
                                                         for part in entity.name.replace("VM", "VM ").split()])
        finally:
            view.Destroy()

    @property
    def switch(self):
        return self.every(vim.DistributedVirtualSwitch)[0]

    def ports(self, **criteria):
        return self.switch.FetchDVPorts(vim.dvs.PortCriteria(**criteria))

    def vm_ports(self):
        """Keys of the ports that have a VM's adapter."""
        return [port.key for port in self.ports() if port.connectee and port.connectee.type == "vmVnic"]

    def vm_spec(self):
        """Asks for host, power and adapters of every VM."""
        view = self.content.viewManager.CreateContainerView(self.content.rootFolder, [vim.VirtualMachine], True)
        every = COLLECT.TraversalSpec(type=vim.view.ContainerView, path="view", skip=False)
        return COLLECT.FilterSpec(
            objectSet=[COLLECT.ObjectSpec(obj=view, skip=True, selectSet=[every])],
            propSet=[COLLECT.PropertySpec(type=vim.VirtualMachine, pathSet=["runtime.host", "runtime.powerState", "name", "config.hardware.device"])])

    def watch_vms(self):
        return self.content.propertyCollector.CreateFilter(self.vm_spec(), False)

    def updates(self, version, seconds=DEADLINE_S, most=None):
        return self.content.propertyCollector.WaitForUpdatesEx(version, COLLECT.WaitOptions(maxWaitSeconds=seconds, maxObjectUpdates=most))

    def sessions(self):
        return self.switch.config.vspanSession

    def reconfigure(self, *specs, version=None):
        """The task of these session specifications."""
        switch = self.switch
        return switch.ReconfigureDvs_Task(SPAN.ConfigSpec(configVersion=version or switch.config.configVersion, vspanConfigSpec=list(specs)))

    def change(self, operation, session, **more):
        return wait(self.reconfigure(SPAN.VspanConfigSpec(vspanSession=session, operation=operation), **more))


def fault_type(name):
    """pyvmomi has some faults among its own types."""
    return next(getattr(space, name) for space in (vim.fault, vmodl.fault, vmodl.query) if hasattr(space, name))


def until(condition):
    """What the condition gives, once that is true."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)
    return found


def wait(task):
    """The task's result; raises its fault."""
    until(lambda: task.info.state in ("success", "error"))
    if task.info.state == "error":
        raise task.info.error
    return task.info.result


def session(kind, out=(), into=(), to=None, name=NAME, **more):
    """A session of the type `kind`, with the fields that must be there."""
    return SPAN.VspanSession(
        name=name, enabled=True, sessionType=kind, stripOriginalVlan=False, normalTrafficAllowed=True,
        sourcePortTransmitted=SPAN.VspanPorts(portKey=list(out)) if out else None,
        sourcePortReceived=SPAN.VspanPorts(**into) if isinstance(into, dict)
        else SPAN.VspanPorts(portKey=list(into)) if into else None,
        destinationPort=SPAN.VspanPorts(**(to or {})), **more)


def encapsulated(*keys, to="192.0.2.9", **more):
    return session("encapsulatedRemoteMirrorSource", keys, keys, {"ipAddress": [to]}, **more)
