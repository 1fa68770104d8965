"""Kubernetes' own schemas, and those of the custom resources that are rendered."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema
import kubernetes_validate
import kubernetes_validate.utils
import pytest
from kube_objects import Object
from places import REPOSITORY

CUSTOM_RESOURCES = REPOSITORY / "tests/custom_resources"
VERSIONS = [one for one in kubernetes_validate.utils.all_versions() if tuple(map(int, one.split(".")[:2])) >= (1, 34)]
"""Every Kubernetes with dynamic resources."""


@cache
def custom_validator(kind: str) -> Any:
    """Return the validator of a custom resource; None of a kind of Kubernetes' own."""
    path = CUSTOM_RESOURCES / f"{kind}.json"
    return jsonschema.Draft202012Validator(json.loads(path.read_text("utf-8"))) if path.exists() else None


def validate(document: Object, version: str) -> None:
    """Check an object by its schema, and the pods and claims of a custom resource by those of Kubernetes.

    Raises:
        ValidationError: it does not fit, or its kind is not known.
    """
    custom = custom_validator(document["kind"])
    if custom is None:
        _validate(document, version)
        return
    custom.validate(document)
    for pod in document["spec"].get("leaderWorkerTemplate", {}).values():
        if isinstance(pod, dict):
            _validate({"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}, "template": pod}, version)
    for claim in document["spec"].get("leaderWorkerTemplate", {}).get("volumeClaimTemplates", ()):
        _validate({"apiVersion": "v1", "kind": "PersistentVolumeClaim", **claim}, version)


def _validate(document: Object, version: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kubernetes_validate.utils, "schema_contents", _schema)
        # Without strict, a kind that is not known would only be a warning.
        kubernetes_validate.validate(document, version, strict=True)


_schema = cache(kubernetes_validate.utils.schema_contents)
