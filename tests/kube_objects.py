"""What is wrong between Kubernetes' objects, which no schema sees: names, ports, claims, volumes, selectors."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from places import REPOSITORY

Object = dict[str, Any]
EXAMPLES = {
    "lab-quad": REPOSITORY / "examples/lab-quad/kubernetes",
    "lab-quad, coding": REPOSITORY / "examples/lab-quad/kubernetes/modes/coding",
    "fakoli-dark": REPOSITORY / "examples/fakoli-dark/kubernetes",
}


def built(folder: Path) -> list[Object]:
    """Return the objects of a kustomization, as `kubectl apply -k` would send them."""
    command = [str(Path(sys.executable).parent / "kubectl"), "kustomize", str(folder)]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    return list(yaml.safe_load_all(text))


@cache
def objects_of(example: str) -> list[Object]:
    """Return the objects of a committed example."""
    return built(EXAMPLES[example])


class Objects:
    """The objects of one namespace, by kind and name."""

    def __init__(self, documents: list[Object]) -> None:
        self.all = documents
        self.by_kind: dict[str, dict[str, Object]] = {}
        for document in documents:
            self.by_kind.setdefault(document["kind"], {})[document["metadata"]["name"]] = document

    def of(self, kind: str) -> dict[str, Object]:
        return self.by_kind.get(kind, {})

    def pods(self) -> Iterator[tuple[str, Object]]:
        for name, one in self.of("Deployment").items():
            yield name, one["spec"]["template"]
        for one in self.of("LeaderWorkerSet").values():
            for kind in RANKS:
                pod = one["spec"]["leaderWorkerTemplate"][kind]
                yield pod["metadata"]["labels"]["app.kubernetes.io/name"], pod

    def claim_templates(self, name: str) -> list[Object]:
        """Return the volumes that each pod of a group has to itself, by the name of one of its ranks."""
        found = [one["spec"]["leaderWorkerTemplate"] for one in self.of("LeaderWorkerSet").values()]
        return [
            template["metadata"]
            for spec in found
            if name in [spec[kind]["metadata"]["labels"]["app.kubernetes.io/name"] for kind in RANKS]
            for template in spec.get("volumeClaimTemplates", ())
        ]

    def selected(self, labels: Mapping[str, str]) -> list[str]:
        return [name for name, pod in self.pods() if labels.items() <= pod["metadata"]["labels"].items()]

    def ports(self, name: str) -> dict[str, int]:
        pod = dict(self.pods())[name]["spec"]
        return {port["name"]: port["containerPort"] for one in pod["containers"] for port in one.get("ports", ())}


def problems(documents: list[Object]) -> list[str]:
    """Return everything that does not fit together."""
    objects = Objects(documents)
    checks = (_names, _pods, _services, _policies, _storage, _unused, _upstreams, _routes, _groups)
    return [found for check in checks for found in check(objects)]


def _names(objects: Objects) -> Iterator[str]:
    (namespace,) = objects.of("Namespace") or ("",)
    seen = set()
    for one in objects.all:
        key = (one["kind"], one["metadata"]["name"])
        if key in seen:
            yield f"{key} is there twice"
        seen.add(key)
        if one["kind"] not in ("Namespace", "PersistentVolume") and one["metadata"].get("namespace") != namespace:
            yield f"{key} is in another namespace"


def _pods(objects: Objects) -> Iterator[str]:
    secrets = set()
    for name, deployment in objects.of("Deployment").items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        if not deployment["spec"]["selector"]["matchLabels"].items() <= labels.items():
            yield f"{name} does not select its own pods"
        if objects.selected(deployment["spec"]["selector"]["matchLabels"]) != [name]:
            yield f"{name} selects the pods of others"
    for name, template in objects.pods():
        pod = template["spec"]
        yield from _pod(objects, name, pod, objects.claim_templates(name))
        for container in pod["containers"]:
            secrets |= {
                entry["valueFrom"]["secretKeyRef"]["name"]
                for entry in container.get("env", ())
                if "secretKeyRef" in entry.get("valueFrom", ())
            }
    if len(secrets) > 1:
        yield f"several secrets: {secrets}"


def _pod(objects: Objects, name: str, pod: Object, templates: Sequence[Object] = ()) -> Iterator[str]:
    """Yield what is wrong with a pod, whose volumes by templates of claims have only names."""
    claims = {one["name"]: one for one in pod.get("resourceClaims", ())}
    for one in claims.values():
        for key, kind in (
            ("resourceClaimName", "ResourceClaim"),
            ("resourceClaimTemplateName", "ResourceClaimTemplate"),
        ):
            if key in one and one[key] not in objects.of(kind):
                yield f"{name}: no {kind} {one[key]}"
    volumes = {one["name"]: one for one in (*pod.get("volumes", ()), *templates)}
    for one in volumes.values():
        claim = one.get("persistentVolumeClaim", {}).get("claimName")
        if claim is not None and claim not in objects.of("PersistentVolumeClaim"):
            yield f"{name}: no PersistentVolumeClaim {claim}"
        files = one.get("configMap", {}).get("name")
        if files is not None and files not in objects.of("ConfigMap"):
            yield f"{name}: no ConfigMap {files}"
    used: set[str] = set()
    asked: set[str] = set()
    for container in pod["containers"]:
        asked |= {one["name"] for one in container.get("resources", {}).get("claims", ())}
        mounts = container.get("volumeMounts", ())
        used |= {mount["name"] for mount in mounts}
        if len({mount["mountPath"] for mount in mounts}) < len(mounts):
            yield f"{name}: two mounts at one place"
        yield from _container(objects, name, container, volumes)
    yield from (f"{name}: {one} is not claimed" for one in asked - claims.keys())
    yield from (f"{name}: nothing asks for {one}" for one in claims.keys() - asked)
    yield from (f"{name}: no volume {one}" for one in used - volumes.keys())
    yield from (f"{name}: nothing mounts {one}" for one in volumes.keys() - used - {one["name"] for one in templates})


def _container(objects: Objects, name: str, container: Object, volumes: Mapping[str, Object]) -> Iterator[str]:
    ports = {port["name"] for port in container.get("ports", ())}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        port = container.get(probe, {}).get("httpGet", {}).get("port")
        if port is not None and port not in ports:
            yield f"{name}: {probe} asks at a port that is none: {port}"
    for mount in container.get("volumeMounts", ()):
        files = volumes.get(mount["name"], {}).get("configMap", {}).get("name")
        data = objects.of("ConfigMap").get(files, {}).get("data", {})
        if "subPath" in mount and files is not None and mount["subPath"] not in data:
            yield f"{name}: no file {mount['subPath']} in {files}"


def _services(objects: Objects) -> Iterator[str]:
    for name, service in objects.of("Service").items():
        found = objects.selected(service["spec"]["selector"])
        if len(found) != 1:
            yield f"service {name} selects {found}"
            continue
        ports = objects.ports(found[0])
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in ports:
                yield f"service {name}: {found[0]} has no port {port['targetPort']}"
            elif ports[port["targetPort"]] != port["port"]:
                yield f"service {name}: another port than the container's"
    reached = {name for one in objects.of("Service").values() for name in objects.selected(one["spec"]["selector"])}
    for name, pod in objects.pods():
        if name not in reached and any("ports" in one for one in pod["spec"]["containers"]):
            yield f"nothing reaches {name}"


def _groups(objects: Objects) -> Iterator[str]:
    """Yield what is wrong with groups: what each rank has to itself, and what Kubernetes puts in their place."""
    for name, one in objects.of("LeaderWorkerSet").items():
        spec = one["spec"]["leaderWorkerTemplate"]
        leader, worker = (spec[kind] for kind in RANKS)
        if spec["size"] != 1 + len(nodes_of(worker)):
            yield f"{name}: {len(nodes_of(worker))} nodes are for {spec['size'] - 1} workers"
        yield from _apart(name, worker)
        yield from _own_volumes(name, spec)
        if name in objects.of("Service"):
            yield f"{name}: its controller makes a service of this name"
        if nodes_of(leader) & nodes_of(worker):
            yield f"{name}: two ranks on one node"
        names = {pod["metadata"]["labels"]["app.kubernetes.io/name"] for pod in (leader, worker)}
        for rank in names:
            rules = objects.of("NetworkPolicy").get(rank, {}).get("spec", {}).get("ingress", ())
            peers = [peer for rule in rules if "ports" not in rule for peer in rule["from"]]
            if not any(names <= {*objects.selected(peer["podSelector"].get("matchLabels", {}))} for peer in peers):
                yield f"{name}: {rank} does not let the other ranks in"
        for pod in (leader, worker):
            yield from (f"{name}: {found}" for found in _variables(pod["spec"]["containers"][0]))
        if len({tuple(_claims(pod)) for pod in (leader, worker)}) < 2:
            yield f"{name}: two ranks have one claim"


def _apart(name: str, worker: Object) -> Iterator[str]:
    """Yield what lets two workers run on one node."""
    if len(nodes_of(worker)) == 1:
        return
    rules = worker["spec"]["affinity"].get("podAntiAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    own = worker["metadata"]["labels"].items()
    kept_apart = [one["labelSelector"]["matchLabels"] for one in rules or () if one["topologyKey"] == HOSTNAME]
    if not any(labels.items() <= own for labels in kept_apart):
        yield f"{name}: two workers can be on one node"


def _own_volumes(name: str, spec: Object) -> Iterator[str]:
    """Yield volumes that nothing mounts, and those of one pod that several workers would mount."""
    mounted = {mount["name"] for kind in RANKS for mount in spec[kind]["spec"]["containers"][0].get("volumeMounts", ())}
    own = {template["metadata"]["name"] for template in spec.get("volumeClaimTemplates", ())}
    yield from (f"{name}: nothing mounts {one}" for one in own - mounted)
    for kind in RANKS:
        pod = spec[kind]["spec"]
        yield from (f"{name}: {one['name']} is there twice" for one in pod.get("volumes", ()) if one["name"] in own)


def nodes_of(pod: Object) -> set[str]:
    """Return the nodes on which pods of a template can run."""
    spec = pod["spec"]
    if "nodeSelector" in spec:
        return {spec["nodeSelector"][HOSTNAME]}
    (term,) = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    (one,) = term["matchExpressions"]
    assert (one["key"], one["operator"]) == (HOSTNAME, "In")
    return {*one["values"]}


RANKS = ("leaderTemplate", "workerTemplate")
HOSTNAME = "kubernetes.io/hostname"
GIVEN = ("LWS_LEADER_ADDRESS", "LWS_GROUP_SIZE", "LWS_WORKER_INDEX")


def _variables(container: Object) -> Iterator[str]:
    """Yield variables that nothing has set before they are put in."""
    known = {*GIVEN}
    for entry in container["env"]:
        yield from (f"{found} is not set" for found in _put_in(entry.get("value", "")) - known)
        known.add(entry["name"])
    for word in (*container.get("command", ()), *container.get("args", ())):
        yield from (f"{found} is not set" for found in _put_in(word) - known)


def _put_in(text: str) -> set[str]:
    return set(re.findall(r"\$\(([^)]+)\)", text.replace("$$", "")))


def _claims(pod: Object) -> list[str]:
    return [name for one in pod["spec"]["resourceClaims"] for key, name in one.items() if key != "name"]


def _policies(objects: Objects) -> Iterator[str]:
    for name, policy in objects.of("NetworkPolicy").items():
        found = objects.selected(policy["spec"]["podSelector"]["matchLabels"])
        if found != [name]:
            yield f"policy {name} is for {found}"
            continue
        for rule in policy["spec"]["ingress"]:
            for peer in rule["from"]:
                if not objects.selected(peer["podSelector"].get("matchLabels", {})):
                    yield f"policy {name} lets nobody in"
            for port in rule.get("ports", ()):
                if port["port"] not in objects.ports(name):
                    yield f"policy {name} opens a port that is none: {port['port']}"


def _storage(objects: Objects) -> Iterator[str]:
    (namespace,) = objects.of("Namespace") or ("",)
    nodes = _nodes(objects)
    bound = set()
    for name, claim in objects.of("PersistentVolumeClaim").items():
        spec = claim["spec"]
        volume = objects.of("PersistentVolume").get(spec.get("volumeName", ""), {}).get("spec")
        if "volumeName" in spec and volume is None:
            yield f"no volume {spec['volumeName']} for {name}"
        elif volume is not None:
            bound.add(spec["volumeName"])
            if volume["claimRef"] != {"namespace": namespace, "name": name}:
                yield f"{spec['volumeName']} is kept for another claim than {name}"
            for key, at in (("storageClassName", spec), ("accessModes", spec)):
                if volume[key] != at.get(key):
                    yield f"{name}: {key} is not that of its volume"
            if volume["capacity"]["storage"] != spec["resources"]["requests"]["storage"]:
                yield f"{name}: its volume has another size"
            (term,) = volume["nodeAffinity"]["required"]["nodeSelectorTerms"]
            if {value for one in term["matchExpressions"] for value in one["values"]} != nodes.get(name):
                yield f"{spec['volumeName']} is on another node than the pods"
        if len(nodes.get(name, ())) > 1 and not (volume and {"ReadOnlyMany", "ReadWriteMany"} & {*spec["accessModes"]}):
            yield f"{name} is mounted on several nodes"
    yield from (f"nothing claims {name}" for name in objects.of("PersistentVolume").keys() - bound)


def _nodes(objects: Objects) -> dict[str, set[str]]:
    """Return the nodes on which each claim is mounted."""
    found: dict[str, set[str]] = {}
    for _, pod in objects.pods():
        for volume in pod["spec"].get("volumes", ()):
            claim = volume.get("persistentVolumeClaim", {}).get("claimName", "")
            found.setdefault(claim, set()).update(nodes_of(pod))
    return found


def _unused(objects: Objects) -> Iterator[str]:
    used: set[tuple[str, str]] = set()
    for _, pod in objects.pods():
        for volume in pod["spec"].get("volumes", ()):
            used.add(("ConfigMap", volume.get("configMap", {}).get("name", "")))
            used.add(("PersistentVolumeClaim", volume.get("persistentVolumeClaim", {}).get("claimName", "")))
        for claim in pod["spec"].get("resourceClaims", ()):
            used.add(("ResourceClaim", claim.get("resourceClaimName", "")))
            used.add(("ResourceClaimTemplate", claim.get("resourceClaimTemplateName", "")))
    for kind in ("ConfigMap", "PersistentVolumeClaim", "ResourceClaim", "ResourceClaimTemplate"):
        yield from (f"nothing uses {kind} {name}" for name in objects.of(kind) if (kind, name) not in used)


def _routes(objects: Objects) -> Iterator[str]:
    services = {(name, port["port"]) for name, one in objects.of("Service").items() for port in one["spec"]["ports"]}
    for name, route in objects.of("HTTPRoute").items():
        for rule in route["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                if (backend["name"], backend["port"]) not in services:
                    yield f"route {name} sends to {backend}, which is no service"


def _upstreams(objects: Objects) -> Iterator[str]:
    """Yield the servers of HAProxy's configuration that are no service."""
    services = {(name, port["port"]) for name, one in objects.of("Service").items() for port in one["spec"]["ports"]}
    for one in objects.of("ConfigMap").values():
        for line in one.get("data", {}).get("haproxy.cfg", "").splitlines():
            words = line.split()
            if words[:1] == ["server"]:
                host, _, port = words[2].rpartition(":")
                if (host, int(port)) not in services:
                    yield f"the router sends to {words[2]}, which is no service"
