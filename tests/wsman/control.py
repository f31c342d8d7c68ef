"""The tests' side of the server: plain HTTP on loopback, next to the hosts. All bodies are JSON.

    GET /state                     what the hosts really are
    GET /log, DELETE /log          the calls, one object each
    GET /rules, POST /rules, DELETE /rules, GET /fired (how many calls obeyed one)
    POST /orders                   something happens on a host

A rule, in a list:  {"call": "Pull", "how": "fault", "nth": 2, "times": 1, "host": "HV1", ...}
    call    Identify, Get, Enumerate, Pull, Release, Subscribe, Unsubscribe, Invoke:METHOD, Invoke (any), or * (any)
    nth     from which such call on, counted from when the rule came; default 1.    times: how often; 0 is for ever
    how     fault (kind: a key of soap.FAULTS, text), status (status: of HTTP), cut_before, cut_after (the connection is
            closed before or after the work), slow (seconds; beyond OperationTimeout it times out, and the work is not
            done), return (code: ReturnValue, nothing is done), job (code, text: the job ends as an exception, having done
            nothing or, with done, all; seconds: it takes that long), order (order: one that is carried out just before)

An order: {"do": ...}
    move vm, to                      a live migration            start, stop vm
    feature vm, adapter | host, switch, port; class, values      another administrator adds or changes; without values
                                                                 the setting goes
    mode vm, migrating               the VM refuses changes      iov vm, adapter, weight      SR-IOV
    extension host, switch, id, state                            count vm, adapter, received, sent, dropped
    add vm, host, switch, adapter    a running VM with other GUIDs each time        nic host, switch, name
    hold host, on                    jobs do not end             fail_job host    the job that ends next has done nothing
    clear_rules                      also forgets how many were obeyed      down on          every call is answered 503
    clear                            no features, no notes, no jobs, extensions as at the start
    restart host                     WinRM restarts: contexts, subscriptions and connections are gone
    settle host                      all jobs end now and go      remove vm
    forget host                      ended jobs are forgotten
    role vm                          the VM becomes a role of the cluster
    rule name, type, enabled, groups another administrator makes or changes an affinity rule; without groups it goes
    hide_rules on                    affinity rules that are made are not found till it is off
    owners group, nodes              another administrator sets preferred owners
    balance to                       the cluster moves the groups of all enabled rules of type 2 (same node) there
"""

import methods
import soap
import world as state

NEEDS = {"fault": ("kind",), "status": ("status",), "cut_before": (), "cut_after": (), "slow": ("seconds",),
         "return": ("code",), "job": (), "order": ("order",)}


class BadOrder(Exception):
    """An order or a rule that makes no sense; the text says why."""


class Rules:
    def __init__(self):
        self.rules, self.fired = [], 0

    def add(self, many):
        for one in many:
            how = one.get("how")
            if how not in NEEDS or "call" not in one or any(name not in one for name in NEEDS[how]):
                raise BadOrder(f"{one}: a rule has `call`, and `how` out of {NEEDS}")
            if how == "fault" and one["kind"] not in soap.FAULTS:
                raise BadOrder(f"{one['kind']} is none of {sorted(soap.FAULTS)}")
        self.rules += [{"nth": 1, "times": 1, **one, "seen": 0} for one in many]

    def match(self, host, operation):
        """The first rule that is for this call; all that are of such calls count it."""
        found = None
        for rule in self.rules:
            if rule.get("host", host) != host:
                continue
            if rule["call"] not in ("*", operation, operation.partition(":")[0]):
                continue
            rule["seen"] += 1
            past = rule["seen"] - rule["nth"]
            if past >= 0 and (rule["times"] == 0 or past < rule["times"]) and not found:
                found = rule
        self.fired += found is not None
        return found


class Orders:
    """`services` is host name -> Service."""

    def __init__(self, world, services, rules):
        self.world, self.services, self.rules, self.added = world, services, rules, 0

    def do(self, order):
        try:
            handler = getattr(self, "_" + order["do"])
        except (KeyError, AttributeError):
            raise BadOrder(f"no order {order.get('do')}") from None
        try:
            handler(order)
        except (KeyError, StopIteration, AttributeError, TypeError) as error:
            raise BadOrder(f"{order}: {error!r}") from None
        self.world.changed()

    def _vm(self, order):
        if not (found := self.world.vm(order["vm"])):
            raise BadOrder(f"no VM {order['vm']}")
        return found

    def _adapter(self, order):
        return next(one for one in self._vm(order).adapters if one.name == order["adapter"])

    def _port(self, order):
        if "vm" in order:
            return self._adapter(order).port
        return self.world.host(order["host"]).switch(order["switch"]).ports[order["port"]]

    def _move(self, order):
        self.world.move(order["vm"], order["to"])

    def _start(self, order):
        self._vm(order).start()

    def _stop(self, order):
        self._vm(order).state = state.OFF

    def _mode(self, order):
        self._vm(order).migrating = order["migrating"]

    def _remove(self, order):
        self.world.vms.remove(self._vm(order))

    def _add(self, order):
        self.added += 1
        vm = state.Vm(order["vm"], self.world.host(order["host"]))
        vm.id = state.guid("vm", vm.name, str(self.added))
        adapter = vm.add(order["adapter"], vm.host.switch(order["switch"]).id)
        adapter.id = state.guid(vm.id, adapter.name)
        adapter.port.instance_id = f"Microsoft:{vm.id}\\{adapter.id}\\C"
        vm.start()
        self.world.vms.append(vm)

    def _nic(self, order):
        self.world.host(order["host"]).switch(order["switch"]).nic = order["name"]

    def _hold(self, order):
        self.services[order["host"]].jobs.held = order["on"]

    def _fail_job(self, order):
        self.services[order["host"]].jobs.fail_next = True

    def _clear_rules(self, _order):
        self.rules.rules, self.rules.fired = [], 0

    def _down(self, order):
        """WinRM answers no call, or all again."""
        self.rules.rules = [{"call": "*", "how": "status", "status": 503, "nth": 1, "times": 0, "seen": 0}] if order["on"] else []

    def _clear(self, _order):
        for service in self.services.values():
            service.jobs.all, service.jobs.held, service.jobs.fail_next = {}, False, False
        for vm in self.world.vms:
            vm.notes = []
            for adapter in vm.adapters:
                adapter.port.features = {}
        for host in self.world.hosts:
            for switch in host.switches:
                switch.notes, switch.extensions = [], {state.CAPTURE: 3, state.FILTERING: 2}
                for port in switch.ports.values():
                    port.features = {}

    def _iov(self, order):
        adapter = self._adapter(order)
        adapter.iov_weight = order["weight"]
        self._vm(order).host.switch(adapter.port.switch).iov = order["weight"] > 0

    def _count(self, order):
        self._adapter(order).counters.update({name: order[name] for name in ("received", "sent", "dropped") if name in order})

    def _feature(self, order):
        port, cls = self._port(order), order["class"]
        if order.get("values") is None:
            port.features.pop(cls, None)
            return
        guid, held = port.features.get(cls, (state.guid("admin", port.instance_id, cls), state.defaults(cls)))
        port.features[cls] = (guid, {**held, **order["values"]})

    def _extension(self, order):
        self.world.host(order["host"]).switch(order["switch"]).extensions[order["id"]] = order["state"]

    def _restart(self, order):
        service = self.services[order["host"]]
        service.contexts.clear()
        service.restarts += 1

    def _settle(self, order):
        self.services[order["host"]].jobs.advance(float("inf"))

    def _role(self, order):
        self.world.cluster.roles.append(self._vm(order).name)

    def _rule(self, order):
        self.world.cluster.rules.pop(order["name"], None)
        if "groups" in order:
            self.world.cluster.rules[order["name"]] = {"type": order.get("type", 2), "enabled": order.get("enabled", 1),
                                                       "groups": order["groups"], "hidden": False}

    def _hide_rules(self, order):
        self.world.cluster.hides = order["on"]
        if not order["on"]:
            for rule in self.world.cluster.rules.values():
                rule["hidden"] = False

    def _owners(self, order):
        self.world.cluster.owners[order["group"]] = order["nodes"]

    def _balance(self, order):
        moved = {group for rule in self.world.cluster.rules.values() if (rule["type"], rule["enabled"]) == (2, 1)
                 for group in rule["groups"] if self._vm({"vm": group}).host.name != order["to"]}
        for group in sorted(moved):
            self.world.move(group, order["to"])

    def _forget(self, order):
        jobs = self.services[order["host"]].jobs
        jobs.all = {one.id: one for one in jobs.all.values() if one.state == 2}


def told(world):
    """The World as JSON says it."""
    def port(one):
        return {"id": one.instance_id, "switch": one.switch, "features": methods.held(one)}
    cluster = world.cluster
    return {
        "cluster": cluster and {"name": cluster.name, "roles": cluster.roles, "rules": cluster.rules, "owners": cluster.owners},
        "hosts": [{"name": host.name, "switches": [
            {"name": one.name, "id": one.id, "kind": one.kind, "notes": one.notes, "extensions": one.extensions,
             "ports": {name: port(own) for name, own in one.ports.items()}} for one in host.switches]} for host in world.hosts],
        "vms": [{"name": vm.name, "id": vm.id, "host": vm.host.name, "state": vm.state, "notes": vm.notes, "adapters": [
            {"name": one.name, "id": one.id, "mac": one.mac, "iov_weight": one.iov_weight, "port": port(one.port)}
            for one in vm.adapters]} for vm in world.vms]}
