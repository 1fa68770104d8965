"""How long services took here until they were ready, when they started last: for plans, which nothing else reads.

It is what this host has seen, and no part of what is rendered: where it is gone or damaged, nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from anvil_gen.deploy.contained_folder import ContainedFolder, temporary_name
from anvil_gen.deploy.deploy_tree import STATE_FOLDER
from anvil_gen.diagnostics import DiagnosticError

_FILE = f"{STATE_FOLDER}/starts.json"
_UNREADABLE = (OSError, ValueError, RecursionError, msgspec.MsgspecError, DiagnosticError)


class _Starts(Struct, frozen=True, kw_only=True):
    format: int = 1
    seconds: dict[str, Annotated[float, Meta(ge=0, lt=1e7)]]


def known_starts(output: Path) -> dict[str, float]:
    """Return the seconds until services were ready, by service, as they were measured last."""
    with suppress(*_UNREADABLE), ContainedFolder(output) as folder:
        return msgspec.json.decode(folder.read(_FILE) or b"", type=_Starts).seconds
    return {}


def remember_starts(output: Path, seconds: Mapping[str, float]) -> None:
    """Remember how long services took; a folder that cannot be written to is none of the caller's concern."""
    if not seconds:
        return
    rounded = {service: round(time, 1) for service, time in seconds.items()}
    found = _Starts(seconds={**known_starts(output), **rounded})
    text = msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n"
    temporary = f"{STATE_FOLDER}/{temporary_name(_FILE, text)}"
    with suppress(OSError, DiagnosticError), ContainedFolder(output) as folder:
        folder.create(temporary, text.encode())
        folder.rename(temporary, _FILE)
