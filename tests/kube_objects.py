"""What is wrong between Kubernetes' objects, which no schema sees: names, ports, claims, volumes, selectors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
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

    def selected(self, labels: Mapping[str, str]) -> list[str]:
        return [name for name, pod in self.pods() if labels.items() <= pod["metadata"]["labels"].items()]

    def ports(self, name: str) -> dict[str, int]:
        pod = self.of("Deployment")[name]["spec"]["template"]["spec"]
        return {port["name"]: port["containerPort"] for one in pod["containers"] for port in one.get("ports", ())}


def problems(documents: list[Object]) -> list[str]:
    """Return everything that does not fit together."""
    objects = Objects(documents)
    checks = (_names, _pods, _services, _policies, _storage, _unused, _upstreams, _routes)
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
        template = deployment["spec"]["template"]
        labels, pod = template["metadata"]["labels"], template["spec"]
        if not deployment["spec"]["selector"]["matchLabels"].items() <= labels.items():
            yield f"{name} does not select its own pods"
        if objects.selected(deployment["spec"]["selector"]["matchLabels"]) != [name]:
            yield f"{name} selects the pods of others"
        yield from _pod(objects, name, pod)
        for container in pod["containers"]:
            secrets |= {
                entry["valueFrom"]["secretKeyRef"]["name"] for entry in container.get("env", ()) if "valueFrom" in entry
            }
    if len(secrets) > 1:
        yield f"several secrets: {secrets}"


def _pod(objects: Objects, name: str, pod: Object) -> Iterator[str]:
    claims = {one["name"]: one for one in pod.get("resourceClaims", ())}
    for one in claims.values():
        for key, kind in (
            ("resourceClaimName", "ResourceClaim"),
            ("resourceClaimTemplateName", "ResourceClaimTemplate"),
        ):
            if key in one and one[key] not in objects.of(kind):
                yield f"{name}: no {kind} {one[key]}"
    volumes = {one["name"]: one for one in pod.get("volumes", ())}
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
    yield from (f"{name}: nothing mounts {one}" for one in volumes.keys() - used)


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
    for name in objects.of("Deployment").keys() - objects.of("Service").keys():
        yield f"nothing reaches {name}"


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
            for port in rule["ports"]:
                if port["port"] not in objects.ports(name):
                    yield f"policy {name} opens a port that is none: {port['port']}"


def _storage(objects: Objects) -> Iterator[str]:
    (namespace,) = objects.of("Namespace") or ("",)
    nodes = {pod["spec"].get("nodeSelector", {}).get("kubernetes.io/hostname") for _, pod in objects.pods()}
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
            if {value for one in term["matchExpressions"] for value in one["values"]} != nodes:
                yield f"{spec['volumeName']} is on another node than the pods"
    yield from (f"nothing claims {name}" for name in objects.of("PersistentVolume").keys() - bound)


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
