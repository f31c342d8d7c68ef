"""Methods of root/MSCluster: affinity rules, and the preferred owners of groups. They are done at once, and give back an error
number of Windows.

    call(world, instance, method, inputs) -> {parameter: value}, or Refused with the ReturnValue
"""

import schema
from cim import Path
from methods import Refused

INVALID_PARAMETER, ALREADY_EXISTS, GROUP_NOT_FOUND, NODE_NOT_FOUND = 87, 5010, 5013, 5042  # winerror.h
RULE_TYPES = (1, 2, 3, 4)  # SameFaultDomain, SameNode, DifferentFaultDomain, DifferentNode


def call(world, instance, method, inputs):
    name = instance.get("Name") if instance else None
    outputs = {"CreateAffinityRule": _create, "SetAffinityRule": _set, "AddGroupToAffinityRule": _add,
               "RemoveGroupFromAffinityRule": _drop, "RemoveAffinityRule": _remove, "GetPreferredOwners": _owners,
               "SetPreferredOwners": _prefer}[method](world.cluster, name, inputs)
    world.changed()
    return outputs or {}


def _create(cluster, _name, inputs):
    name, kind = inputs.get("Name"), inputs.get("RuleType")
    if not name or kind not in RULE_TYPES:
        raise Refused(INVALID_PARAMETER, "a rule has a name and a RuleType of 1 to 4")
    if name in cluster.rules:
        raise Refused(ALREADY_EXISTS, f"there is a rule {name}")
    cluster.rules[name] = {"type": kind, "enabled": 1, "groups": [], "hidden": cluster.hides}
    return {"CreatedAffinityRule": Path(schema.CLUSTER, "MSCluster_AffinityRule", (("Name", name),))}


def _set(cluster, name, inputs):
    kind, enabled = inputs.get("RuleType"), inputs.get("Enabled")
    if kind not in (None, *RULE_TYPES) or enabled not in (None, 0, 1):
        raise Refused(INVALID_PARAMETER, f"RuleType {kind}, Enabled {enabled}")
    rule = cluster.rules[name]
    rule["type"] = rule["type"] if kind is None else kind
    rule["enabled"] = rule["enabled"] if enabled is None else enabled


def _groups(cluster, inputs):
    groups = inputs.get("Groups") or []
    if not groups:
        raise Refused(INVALID_PARAMETER, "Groups is empty")
    if unknown := [one for one in groups if one not in cluster.roles]:
        raise Refused(GROUP_NOT_FOUND, f"no group {unknown[0]}")
    return groups


def _add(cluster, name, inputs):
    held = cluster.rules[name]["groups"]
    held += [one for one in _groups(cluster, inputs) if one not in held]


def _drop(cluster, name, inputs):
    gone = _groups(cluster, inputs)
    cluster.rules[name]["groups"] = [one for one in cluster.rules[name]["groups"] if one not in gone]


def _remove(cluster, name, _inputs):
    del cluster.rules[name]


def _owners(cluster, group, _inputs):
    return {"NodeNames": cluster.owners.get(group) or None}


def _prefer(cluster, group, inputs):
    nodes = inputs.get("NodeNames") or []
    if unknown := [one for one in nodes if one not in cluster.nodes]:
        raise Refused(NODE_NOT_FOUND, f"no node {unknown[0]}")
    cluster.owners.pop(group, None)
    if nodes:
        cluster.owners[group] = nodes
