"""References between the objects of Kubernetes: each of these broken variants is found, which no schema sees."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from kube_objects import Object, Objects, objects_of, problems

Spec = Any
Break = Callable[[Objects], object]


def pod(objects: Objects, name: str) -> Spec:
    return objects.of("Deployment")[name]["spec"]["template"]["spec"]


def rename(one: Object, name: str) -> None:
    one["metadata"]["name"] = name


BROKEN: dict[str, Break] = {
    "service renamed": lambda o: rename(o.of("Service")["chat"], "chatt"),
    "service selects nothing": lambda o: o.of("Service")["chat"]["spec"].update(selector={"a": "b"}),
    "service selects everything": lambda o: o.of("Service")["chat"]["spec"].update(
        selector={"app.kubernetes.io/part-of": "anvil-lab-quad"}
    ),
    "target port renamed": lambda o: o.of("Service")["chat"]["spec"]["ports"][0].update(targetPort="web"),
    "service port changed": lambda o: o.of("Service")["chat"]["spec"]["ports"][0].update(port=1),
    "container port changed": lambda o: pod(o, "chat")["containers"][0]["ports"][0].update(containerPort=1),
    "container port renamed": lambda o: pod(o, "chat")["containers"][0]["ports"][0].update(name="web"),
    "probe at no port": lambda o: pod(o, "chat")["containers"][0]["startupProbe"]["httpGet"].update(port="web"),
    "selector of another": lambda o: o.of("Deployment")["chat"]["spec"]["selector"].update(
        matchLabels={"app.kubernetes.io/name": "coder"}
    ),
    "selector of all": lambda o: o.of("Deployment")["chat"]["spec"]["selector"].update(
        matchLabels={"app.kubernetes.io/part-of": "anvil-lab-quad"}
    ),
    "claim renamed": lambda o: rename(o.of("ResourceClaim")["gpu-c"], "gpu-d"),
    "claim template renamed": lambda o: rename(o.of("ResourceClaimTemplate")["chat-gpus"], "gpus"),
    "pod names another claim": lambda o: pod(o, "writer")["resourceClaims"][0].update(resourceClaimName="gpu-x"),
    "container asks for no claim": lambda o: pod(o, "writer")["containers"][0]["resources"].update(claims=[]),
    "container asks for another claim": lambda o: pod(o, "writer")["containers"][0]["resources"]["claims"][0].update(
        name="x"
    ),
    "volume dropped": lambda o: pod(o, "chat")["volumes"].pop(0),
    "volume that nobody mounts": lambda o: pod(o, "chat")["volumes"].append({"name": "x", "emptyDir": {}}),
    "mount dropped": lambda o: pod(o, "writer")["containers"][0]["volumeMounts"].pop(),
    "two mounts at one place": lambda o: pod(o, "chat")["containers"][0]["volumeMounts"][0].update(
        mountPath="/dev/shm"
    ),
    "no such storage claim": lambda o: pod(o, "writer")["volumes"][0]["persistentVolumeClaim"].update(claimName="x"),
    "storage claim renamed": lambda o: rename(o.of("PersistentVolumeClaim")["models"], "weights"),
    "volume renamed": lambda o: rename(o.of("PersistentVolume")["anvil-lab-quad-models"], "x"),
    "volume kept for another claim": lambda o: o.of("PersistentVolume")["anvil-lab-quad-models"]["spec"][
        "claimRef"
    ].update(name="x"),
    "volume of another class": lambda o: o.of("PersistentVolume")["anvil-lab-quad-models"]["spec"].update(
        storageClassName="x"
    ),
    "volume of another mode": lambda o: o.of("PersistentVolume")["anvil-lab-quad-models"]["spec"].update(
        accessModes=["ReadWriteOnce"]
    ),
    "volume of another size": lambda o: o.of("PersistentVolume")["anvil-lab-quad-models"]["spec"].update(
        capacity={"storage": "1Gi"}
    ),
    "pod on another node": lambda o: pod(o, "chat").update(nodeSelector={"kubernetes.io/hostname": "x"}),
    "files renamed": lambda o: rename(o.of("ConfigMap")["chat-files"], "x"),
    "file renamed": lambda o: o.of("ConfigMap")["chat-files"].update(data={"x": "y"}),
    "policy for nobody": lambda o: o.of("NetworkPolicy")["chat"]["spec"]["podSelector"].update(matchLabels={"a": "b"}),
    "policy lets nobody in": lambda o: o.of("NetworkPolicy")["chat"]["spec"]["ingress"][0]["from"][0][
        "podSelector"
    ].update(matchLabels={"a": "b"}),
    "policy opens another port": lambda o: o.of("NetworkPolicy")["chat"]["spec"]["ingress"][0]["ports"][0].update(
        port="web"
    ),
    "another namespace": lambda o: o.of("Service")["chat"]["metadata"].update(namespace="x"),
    "another secret": lambda o: pod(o, "chat")["containers"][0]["env"][3]["valueFrom"]["secretKeyRef"].update(name="x"),
    "twice": lambda o: o.all.append(deepcopy(o.of("Service")["chat"])),
    "router sends elsewhere": lambda o: o.of("ConfigMap")["router-files"]["data"].update(
        {"haproxy.cfg": "    server chat chat:1\n"}
    ),
    "deployment dropped": lambda o: o.all.remove(o.of("Deployment")["chat"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_fit_is_found(name: str) -> None:
    documents = deepcopy(objects_of("lab-quad"))
    BROKEN[name](Objects(documents))

    assert problems(documents)
