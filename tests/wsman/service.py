"""The WS-Management service of one host: what a request asks for, what is answered.

Enumerate -> context -> Pull, Pull, ... until n:EndOfSequence, or Release. An answer holds as many items as MaxElements and
the envelope allow. A context dies when it is not pulled for EnumerationTimeoutms. Subscriptions (Pull delivery, of changes of
cluster groups) are contexts whose Pull waits for something to happen.
"""

import time
import uuid
from typing import NamedTuple, Optional

from lxml import etree

import cim
import cluster
import methods
import query
import schema
import soap
import wql
from hosts import View
from jobs import Jobs
from soap import A, E, ENUMERATION, EVENTING, N, TRANSFER, W, Fault

WQL = "http://schemas.microsoft.com/wbem/wsman/1/WQL"
PULL_MODE = "http://schemas.dmtf.org/wbem/wsman/1/wsman/Pull"
ACTIONS = {TRANSFER + "/Get": "Get", ENUMERATION + "/Enumerate": "Enumerate", ENUMERATION + "/Pull": "Pull",
           ENUMERATION + "/Release": "Release", EVENTING + "/Subscribe": "Subscribe",
           EVENTING + "/Unsubscribe": "Unsubscribe", EVENTING + "/Renew": "Renew"}
ENVELOPE_AROUND = 2048  # Bytes of an answer that are not items.
DEFAULT_MAX_ELEMENTS = 1  # WS-Enumeration's, for a Pull that doesn't say.
WAIT_STEP = 0.05


class Limits(NamedTuple):
    """WinRM's defaults; times in seconds."""

    envelope: int = 500 * 1024
    timeout: float = 60
    enumeration_idle: float = 60
    batch_items: int = 32000
    operations: int = 1500
    larger_envelope: str = "cap"  # Of a request that asks for more than `envelope`: cap or refuse. Nobody knows.


class Account(NamedTuple):
    """`rights`: all, none (WinRM refuses), no-cluster (WMI refuses root/MSCluster)."""

    name: str
    password: str
    rights: str = "all"


class Enumeration:
    def __init__(self, owner, items, columns, mode, now, subscription=None):
        self.owner, self.items, self.columns, self.mode, self.used = owner, items, columns, mode, now
        self.subscription = subscription  # None, or (condition, number of the events that were there, when it expires)


class Service:
    """`clock` gives seconds. `lock` guards the World, which hosts share."""

    def __init__(self, world, host, lock, limits, job_seconds, job_kept, clock=time.monotonic, subscriptions=True):
        self.world, self.host, self.limits, self.clock = world, host, limits, clock
        self.jobs = Jobs(job_seconds, job_kept)
        self.methods = methods.Methods(world, host)
        self.contexts, self.subscriptions = {}, subscriptions
        self.lock = lock
        self.restarts = 0  # Connections of before the last one are closed.
        self._view, self._revision = None, None

    def view(self):
        if self._revision != self.world.revision:
            self._revision = self.world.revision
            self._view = View(self.world, self.host)
        return self._view

    def operation(self, request):
        """The name by which rules and log know it."""
        if request.identify:
            return "Identify"
        if name := ACTIONS.get(request.action):
            return name
        uri, _, method = request.action.rpartition("/")
        if uri and uri.lower() == request.resource.lower():
            return "Invoke:" + method
        soap.split_uri(request.resource)  # That a resource isn't there says more than that it has no such action.
        raise Fault("action", f"The action {request.action} is not one that this server supports.")

    def run(self, request, operation, account, entry, rule=None):
        """The envelope that answers. `entry` is the line of the log, to which it adds; `rule` is one of kind return or job."""
        if operation == "Identify":
            return self._identify(account)
        if account.rights == "none":
            raise Fault("access denied")
        self._size(request)
        with self.lock:
            self._tidy()
        work = {"Get": self._get, "Enumerate": self._enumerate, "Pull": self._pull, "Release": self._release,
                "Subscribe": self._subscribe, "Unsubscribe": self._release, "Renew": self._renew}.get(operation)
        if work == self._pull:
            return self._pull(request, account, entry)  # Takes the lock by itself: it can wait.
        with self.lock:
            return work(request, account, entry) if work else self._invoke(request, operation, account, entry, rule)

    def _tidy(self):
        now = self.clock()
        self.jobs.advance(now)
        self.contexts = {one: held for one, held in self.contexts.items() if held.used + (
            self.limits.enumeration_idle if not held.subscription else held.subscription[2] - held.used) > now}

    def _size(self, request):
        wanted = request.max_envelope or self.limits.envelope
        if wanted > self.limits.envelope and self.limits.larger_envelope == "refuse":
            raise Fault("large envelope")
        return min(wanted, self.limits.envelope)

    def _resource(self, request, account):
        namespace, cls = soap.split_uri(request.resource)
        if namespace == schema.V2 and not self.host.hyperv:
            raise Fault("not found", f"The CIM namespace {namespace} is invalid.")
        if namespace == schema.CLUSTER and len(self.world.hosts) < 2:
            raise Fault("not found", f"The CIM namespace {namespace} is invalid.")
        if namespace == schema.CLUSTER and account.rights == "no-cluster":
            raise Fault("access denied", "The WMI service returned an 'access denied' error.", provider=True)
        return namespace, cls

    def _find(self, path):
        if path.cls == "Msvm_ConcreteJob":
            wanted = dict(path.keys).get("InstanceID", "")
            job = next((one for one in self.jobs.all.values() if one.id.lower() == wanted.lower()), None)
            found = job.instance(self.clock()) if job else None
        else:
            found = self.view().find(path)
        if not found:
            raise Fault("not found", provider=True)
        return found

    # ---- Operations ----

    def _identify(self, account):
        root, body = soap.answer("", "")
        root.remove(root[0])
        root.insert(0, etree.Element(soap.S + "Header"))
        i = "{%s}" % soap.IDENTITY
        top = etree.SubElement(body, i + "IdentifyResponse", nsmap={"wsmid": soap.IDENTITY})
        etree.SubElement(top, i + "ProtocolVersion").text = soap.WSMAN
        etree.SubElement(top, i + "ProductVendor").text = "Microsoft Corporation"
        build = ("6.3.9600" if self.host.old else "10.0.20348") if account else "0.0.0"  # Before logon it tells nothing.
        etree.SubElement(top, i + "ProductVersion").text = f"OS: {build} SP: 0.0 Stack: 3.0"
        return root

    def _get(self, request, account, _entry):
        namespace, cls = self._resource(request, account)
        if cls == "*":
            raise Fault("resource", "Get is of one class, not of *.")
        path = soap.path_of(namespace, cls, request.selectors)
        if len(path.keys) < len(schema.find(namespace, cls).keys()):
            raise Fault("keys", provider=True)
        root, body = soap.answer(TRANSFER + "/GetResponse", request.message_id)
        cim.add_instance(body, self._find(path))
        return self._checked(root, request)

    def _checked(self, root, request):
        if len(soap.encode(root)) > self._size(request):
            raise Fault("answer too large")
        return root

    def _enumerate(self, request, account, entry):
        namespace, cls = self._resource(request, account)
        if request.body is None or request.body.tag != N + "Enumerate":
            raise Fault("body")
        if sum(one.owner == account.name for one in self.contexts.values()) >= self.limits.operations:
            raise Fault("quota")
        items, columns = self._found(request, namespace, cls, entry)
        mode = request.body.findtext(W + "EnumerationMode") or "EnumerateObject"
        if mode not in ("EnumerateObject", "EnumerateEPR", "EnumerateObjectAndEPR"):
            raise Fault("unsupported", f"EnumerationMode {mode} is not supported.")
        held = Enumeration(account.name, items, columns, mode, self.clock())
        root, body = soap.answer(ENUMERATION + "/EnumerateResponse", request.message_id)
        top = etree.SubElement(body, N + "EnumerateResponse")
        context = etree.SubElement(top, N + "EnumerationContext")
        if request.body.find(W + "OptimizeEnumeration") is not None:
            most = self._number(request.body.findtext(W + "MaxElements"), "MaxElements")
            self._fill(etree.SubElement(top, W + "Items"), held, most, request, entry)
            if not held.items:
                etree.SubElement(top, W + "EndOfSequence")
                return root
        context.text = self._keep(held)
        return root

    def _found(self, request, namespace, cls, entry):
        element = request.body.find(W + "Filter")
        element = request.body.find(N + "Filter") if element is None else element
        jobs = self.jobs.instances(self.clock())
        if element is None:
            if cls == "*":
                raise Fault("resource", "A namespace's * is enumerated with a filter of WQL.")
            return query.of_class(self.view(), jobs, namespace, cls), None
        if element.get("Dialect") != WQL:
            raise Fault("dialect", f"The filter dialect {element.get('Dialect')} is not supported for this resource.")
        if cls != "*":
            raise Fault("wql uri")
        entry["query"] = (element.text or "").strip()
        return query.run(self.view(), jobs, namespace, entry["query"])

    @staticmethod
    def _number(text, where):
        if text is None:
            return DEFAULT_MAX_ELEMENTS
        if not text.strip().isdigit() or int(text) < 1:
            raise Fault("parameter", f"{where}: `{text}` is no number from 1 on.")
        return int(text)

    def _keep(self, held):
        name = f"uuid:{str(uuid.uuid4()).upper()}"
        self.contexts[name] = held
        return name

    def _fill(self, parent, held, most, request, entry):
        """Moves items into the answer, as many as go."""
        room, done = self._size(request) - ENVELOPE_AROUND, 0
        for instance in held.items[:min(most, self.limits.batch_items)]:
            before = len(parent)
            item = etree.SubElement(parent, W + "Item") if held.mode == "EnumerateObjectAndEPR" else parent
            if held.mode != "EnumerateEPR":
                cim.add_instance(item, instance, held.columns)
            if held.mode != "EnumerateObject":
                cim.add_reference(etree.SubElement(item, A + "EndpointReference"), instance.path())
            room -= sum(len(etree.tostring(one)) for one in parent[before:])
            if room < 0:
                for one in parent[before:]:
                    parent.remove(one)
                break
            done += 1
        if held.items and not done:
            raise Fault("answer too large")
        held.items = held.items[done:]
        entry["items"] = done

    def _pull(self, request, account, entry):
        if request.body is None or request.body.tag != N + "Pull":
            raise Fault("body")
        name = (request.body.findtext(N + "EnumerationContext") or "").strip()
        most = self._number(request.body.findtext(N + "MaxElements"), "MaxElements")
        with self.lock:
            held = self.contexts.get(name)
            if not held or held.owner != account.name:
                raise Fault("context")
            soap.split_uri(request.resource)
        if held.subscription:
            self._await(request, name, held)
        with self.lock:
            if self.contexts.pop(name, None) is not held:
                raise Fault("context")
            root, body = soap.answer(ENUMERATION + "/PullResponse", request.message_id)
            top = etree.SubElement(body, N + "PullResponse")
            context = etree.SubElement(top, N + "EnumerationContext")
            self._fill(etree.SubElement(top, N + "Items"), held, most, request, entry)
            held.used = self.clock()
            if held.items or held.subscription:
                context.text = self._keep(held)
            else:
                top.remove(context)
                etree.SubElement(top, N + "EndOfSequence")
            return root

    def _release(self, request, account, _entry):
        unsubscribe = request.action == EVENTING + "/Unsubscribe"
        name = request.selectors.get("subscription") if unsubscribe else request.body.findtext(N + "EnumerationContext")
        found = [one for one, held in self.contexts.items() if held.owner == account.name
                 and (held.subscription[3] == name if unsubscribe and held.subscription else one == name)]
        if not found:
            raise Fault("context")
        del self.contexts[found[0]]
        return soap.answer((EVENTING + "/UnsubscribeResponse") if unsubscribe else (ENUMERATION + "/ReleaseResponse"),
                           request.message_id)[0]

    # ---- Events ----

    def _subscribe(self, request, account, entry):
        namespace, _ = self._resource(request, account)
        if request.body is None or request.body.find(E + "Delivery") is None:
            raise Fault("body")
        if request.body.find(E + "Delivery").get("Mode") != PULL_MODE:
            raise Fault("delivery", "This server delivers by Pull alone.")
        element = request.body.find(W + "Filter")
        entry["query"] = (element.text or "").strip() if element is not None else ""
        try:
            wanted = wql.parse(entry["query"])
        except wql.WqlError:
            wanted = None
        if (not self.subscriptions or namespace != schema.CLUSTER or not isinstance(wanted, wql.Select)
                or wanted.cls.lower() != "mscluster_eventgroupstatechange"):
            raise Fault("event filter")
        until = self.clock() + soap.seconds(request.body.findtext(E + "Expires") or "PT600S", "Expires")
        name = f"uuid:{str(uuid.uuid4()).upper()}"
        held = Enumeration(account.name, [], None, "EnumerateObject", self.clock(),
                           (wanted.where, len(self.world.events), until, name))
        root, body = soap.answer(EVENTING + "/SubscribeResponse", request.message_id)
        top = etree.SubElement(body, E + "SubscribeResponse")
        manager = etree.SubElement(top, E + "SubscriptionManager")
        etree.SubElement(manager, A + "Address").text = cim.ANONYMOUS
        parameters = etree.SubElement(manager, A + "ReferenceParameters")
        etree.SubElement(parameters, W + "ResourceURI").text = request.resource
        selectors = etree.SubElement(parameters, W + "SelectorSet")
        etree.SubElement(selectors, W + "Selector", Name="subscription").text = name
        etree.SubElement(top, E + "Expires").text = f"PT{until - self.clock():.3f}S"
        etree.SubElement(top, N + "EnumerationContext").text = self._keep(held)
        return root

    def _await(self, request, name, held):
        """Returns when there are events for the subscription, or with the fault that says there were none."""
        until = self.clock() + min(request.timeout or self.limits.timeout, self.limits.timeout)
        while True:
            with self.lock:
                if name not in self.contexts:
                    raise Fault("context")
                where, seen, expires, own = held.subscription
                for group, state, node in self.world.events[seen:]:
                    event = cim.make(schema.CLUSTER, "MSCluster_EventGroupStateChange", EventObjectName=group,
                                     EventObjectType=3, EventObjectPath=f'MSCluster_ResourceGroup.Name="{group}"',
                                     EventNewState=state, EventNode=node)
                    if wql.matches(where, event):
                        held.items.append(event)
                held.subscription = (where, len(self.world.events), expires, own)
                if held.items:
                    return
                if self.clock() >= until:
                    raise Fault("timed out")
            time.sleep(WAIT_STEP)

    def _renew(self, *_):
        raise Fault("renew")

    # ---- Methods ----

    def _invoke(self, request, operation, account, entry, rule):
        namespace, cls = self._resource(request, account)
        name = operation.partition(":")[2]
        known = schema.find(namespace, cls) if cls != "*" else None
        method = next((one for one in known.methods if one.lower() == name.lower()), None) if known else None
        if not method:
            raise Fault("action", f"The class {cls} has no method {name} in this server.")
        instance = None
        if not known.methods[method].static:
            instance = self._target(soap.path_of(namespace, cls, request.selectors))
        inputs = self._inputs(request, known, method)
        outputs, now, value = {}, self.clock(), 0
        try:
            if rule and rule["how"] == "return":
                raise methods.Refused(rule["code"], "as a rule says")
            change = None if namespace == schema.CLUSTER else self.methods.call(self.view(), instance, method, inputs)
            if not change:
                outputs = cluster.call(self.world, instance, method, inputs)
            elif change.work and (self.jobs.seconds or rule):
                work, took = self._spoiled(change, rule)
                job = self.jobs.start(change.name, work, now, took)
                value, outputs["Job"] = methods.STARTED, job.path()
            else:
                if change.work:
                    change.work()
                value, outputs["ResultingFeatureSettings"] = 0, change.results
        except methods.Refused as refused:
            value, entry["why"] = refused.code, refused.text
        except methods.JobError as error:
            value, entry["why"] = error.code, error.text
        entry["return"] = value
        root, body = soap.answer(f"{request.action}Response", request.message_id)
        uri = cim.class_uri(namespace, known.name)
        top = etree.SubElement(body, "{%s}%s_OUTPUT" % (uri, method), nsmap={"p": uri, "xsi": cim.XSI})
        outs = [one for one in known.methods[method].parameters if one.out]
        for one in sorted(outs, key=lambda one: one.name):
            for item in (outputs.get(one.name) or [None]) if one.array else [outputs.get(one.name)]:
                cim.add_value(top, "{%s}%s" % (uri, one.name), one.type, item)
        if not known.methods[method].void:
            etree.SubElement(top, "{%s}ReturnValue" % uri).text = str(value)
        return root

    def _spoiled(self, change, rule):
        """The work of a job, and how long it takes; a rule makes it fail, before (done: false) or after the work."""
        if not rule:
            return change.work, None

        def work():
            if rule.get("done"):
                change.work()
            if rule.get("code"):
                raise methods.JobError(rule["code"], rule.get("text", "As a rule says."))
            if not rule.get("done"):
                change.work()
        return work, rule.get("seconds")

    def _target(self, path):
        """The object of the method. Of a service one key is enough; of anything else all are needed."""
        cls = schema.find(path.namespace, path.cls)
        if len(path.keys) == len(cls.keys()):
            return self._find(path)
        given = {(name, str(value).lower()) for name, value in path.keys}
        fits = [one for one in self.view().of_class(path.namespace, path.cls)
                if given <= {(name, str(value).lower()) for name, value in one.path().keys}]
        if not given or not schema.is_a(cls, "CIM_Service"):
            raise Fault("keys", provider=True)
        if len(fits) != 1:
            raise Fault("not found", provider=True)
        return fits[0]

    @staticmethod
    def _inputs(request, cls, method):
        """name -> value of the parameters, as their types say."""
        uri = cim.class_uri(cls.namespace, cls.name)
        body = request.body
        if body is None or body.tag.lower() != ("{%s}%s_INPUT" % (uri, method)).lower():
            raise Fault("body", f"The body is not {method}_INPUT of {uri}.")
        known = {one.name.lower(): one for one in cls.methods[method].parameters if not one.out}
        found = {}
        for element in body:
            name = etree.QName(element).localname
            one = known.get(name.lower())
            if not one or etree.QName(element).namespace.lower() != uri.lower():
                raise Fault("parameter", f"{method} has no parameter {element.tag}.", provider=True)
            value = Service._input(element, one, f"{method}.{name}")
            if one.array:
                found.setdefault(one.name, []).extend([] if value is None else [value])
            elif one.name in found:
                raise Fault("parameter", f"{method}.{name} is there twice.", provider=True)
            else:
                found[one.name] = value
        return found

    @staticmethod
    def _input(element, parameter, where) -> Optional[object]:
        if element.get("{%s}nil" % cim.XSI) in ("true", "1"):
            return None
        if parameter.type == "ref":
            inner = element.find(A + "EndpointReference")
            return soap.read_reference(element if inner is None else inner, where)
        if len(element):
            raise Fault("parameter", f"{where} is a text, not elements.", provider=True)
        try:
            return cim.value_of(parameter.type, element.text or "", where)
        except cim.Invalid as error:
            raise Fault("parameter", str(error), provider=True) from None
