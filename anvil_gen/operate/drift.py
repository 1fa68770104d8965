"""How running containers differ from what they should be, as changes with their reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.changes import Action, Change, compare
from anvil_gen.operate.containers import Container
from anvil_gen.operate.forms import Form

Kind = Literal["config", "image", "unknown", "foreign", "port"]


class Drift(Struct, frozen=True, kw_only=True):
    """One way in which what runs is not what the files say.

    ``config``: made from another configuration; ``image``: its tag means another image now; ``unknown``: a container
    of the project that no mode has; ``foreign``: another container has its name; ``port``: something else has its port.
    """

    kind: Kind
    detail: str
    remedy: str = ""
    changes: tuple[Change, ...] = ()


_TOLD = {Action.CREATE: "added", Action.UPDATE: "changed", Action.DELETE: "removed"}


def form_changes(project: str, service: str, before: Form, after: Form) -> tuple[Change, ...]:
    """Return what differs between two forms of a service.

    Values of the environment are left out: they may come from `.env`, and be secret.
    """
    found = compare([_file(project, service, before)], [_file(project, service, after)])
    return tuple(map(_without_value, found))


def _file(project: str, service: str, form: Form) -> Mapping[str, Any]:
    return {"name": project, "services": {service: form}}


def _without_value(change: Change) -> Change:
    if change.address[2:3] != ("environment",):
        return change
    reason = f"{'.'.join(change.address[2:])} {_TOLD[change.action]}"
    return replace(change, before=None, after=None, reason=reason)


def config_drift(container: Container, changes: Sequence[Change], compose_version: str) -> Drift:
    """Return the drift of a container whose configuration Compose would not make again."""
    if changes:
        return Drift(kind="config", detail="made from another configuration", changes=tuple(changes))
    if container.compose_version and container.compose_version != compose_version.lstrip("v"):
        detail = f"made by Compose {container.compose_version}, and {compose_version.lstrip('v')} says it otherwise"
        return Drift(kind="config", detail=detail)
    return Drift(kind="config", detail="made from another configuration, in what Docker does not tell")


def image_drift(container: Container, images: Mapping[str, Mapping[str, Any]]) -> Drift | None:
    """Return the drift of a container whose image's name means another image by now."""
    image = images.get(container.image)
    if image is None or image["Id"] == container.image_id:
        return None
    before, after = container.image_id.removeprefix("sha256:")[:12], image["Id"].removeprefix("sha256:")[:12]
    return Drift(kind="image", detail=f"{container.image} is another image now: runs {before}, means {after}")
