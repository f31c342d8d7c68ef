"""What a query or the name of a class finds in a host's View."""

import cim
import schema
import wql
from hosts import key
from soap import Fault


def of_class(view, jobs, namespace, name):
    if name.lower() == "msvm_concretejob":
        return jobs
    return view.of_class(namespace, name)


def run(view, jobs, namespace, text):
    """(instances, columns) of a query; `columns` is None for all."""
    try:
        query = wql.parse(text)
        if isinstance(query, wql.Related):
            return _related(view, namespace, query), None
        cls = schema.find(namespace, query.cls)
        if not cls or view.lacks(cls):
            raise Fault("not found", f"The class {query.cls} does not exist in the {namespace} namespace.", provider=True)
        if unknown := [one for one in query.columns or () if one not in cls.properties]:
            raise wql.WqlError(f"{cls.name} has no property {unknown[0]}")
        if query.within:
            raise wql.WqlError("WITHIN belongs to a subscription")
        found = of_class(view, jobs, namespace, query.cls)
        return [one for one in found if wql.matches(query.where, one)], query.columns
    except (wql.WqlError, cim.Invalid) as error:
        raise Fault("filter", f"The data source could not process the filter: {error}.", provider=True) from None


def _related(view, namespace, query):
    """Associators or references of an object, without repetitions."""
    if query.class_defs_only:
        raise wql.WqlError("this server has no ClassDefsOnly")
    path = cim.read_path(query.path, namespace)
    if not view.find(path):
        raise Fault("not found", provider=True)
    own, found = key(path), {}
    for link in view.links.get(own, []):
        ends = [one.name for one in link.cls.keys()]
        here = next(name for name in ends if key(link.values[name]) == own)
        there = ends[1 - ends.index(here)]
        other = view.find(link.values[there])
        if query.references:
            if wql.is_below(link, query.result_class) and query.role in (None, here):
                found[id(link)] = link
        elif (wql.is_below(link, query.assoc_class) and wql.is_below(other, query.result_class)
              and query.role in (None, here) and query.result_role in (None, there)):
            found[id(other)] = other
    return list(found.values())
