"""Files of a host whose Docker runs containers under SELinux: a container reads only what is labelled for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.model import Mount
from anvil_gen.resolve.override_merge import REMOVED, Added, merge

_UNLABELLED = {"security_opt": Added(["label=disable"])}
SHARED = "z"
"""The label of files that several containers share."""


def labelled(mounts: Sequence[Mount], tree_files: Sequence[Mount], context: ResolveContext) -> tuple[Mount, ...]:
    """Return mounts, those of the tree's own files with a label: what else a host has keeps the label that it has."""
    own = {mount.target for mount in tree_files}
    return tuple(replace(one, selinux=SHARED) if context.selinux and one.target in own else one for one in mounts)


def has_foreign(mounts: Sequence[Mount]) -> bool:
    """Tell whether a container has files of the host that get no label here."""
    return any(not mount.volume and mount.selinux is None for mount in mounts)


def unlabelled(override: Mapping[str, Any], context: ResolveContext, *, foreign: bool) -> Mapping[str, Any]:
    """Return an override for a container with ``foreign`` files: it runs without a label, and so may read them."""
    if not context.selinux or not foreign:
        return override
    merged: Mapping[str, Any] = merge(override, _UNLABELLED, removed=REMOVED)
    return merged
