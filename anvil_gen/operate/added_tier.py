"""An inventory with one more tier, which is resolved before anything is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from anvil_gen.deploy.atomic_write import replace_file
from anvil_gen.deploy.deploy_tree import FileChange
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, Location, display_path, printable
from anvil_gen.inventory.edit import tier_section, with_tier
from anvil_gen.inventory.fields import NAME_LENGTH, NAME_PATTERN
from anvil_gen.resolve.compose_keys import published_ports
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.model import Stack, Tier

_SHARING = ("gpu-shared-without-shares", "shares-above-the-whole-gpu")


class AddedTier(Struct, frozen=True, kw_only=True):
    """A tier that is put into an inventory, not yet written: every other byte of the file stays."""

    host: Host
    """As it would be."""
    tier: Tier
    table: Mapping[str, Any]
    text: str
    change: FileChange
    _before: bytes

    def write(self) -> None:
        """Write the inventory.

        Raises:
            DiagnosticError: it has changed in the meantime, or cannot be written.
        """
        replace_file(self.host.path, self._before, self.text.encode("utf-8"))


def add_tier(host: Host, name: str, table: Mapping[str, Any], *, standby: bool = False) -> AddedTier:
    """Return an inventory with one more tier.

    Raises:
        DiagnosticError: it cannot be added, or the inventory would have errors.
    """
    before = host.path.read_bytes()
    text = before.decode("utf-8")
    after = with_tier(text, name, table)
    if after is None:
        raise DiagnosticError([_cannot_add(host, name, table)])
    edited = _resolve_edited(host, after, name, standby=standby)
    path = display_path(host.path)
    return AddedTier(
        host=edited,
        tier=next(tier for tier in edited.stack.tiers if tier.name == name),
        table=table,
        text=after,
        change=FileChange(path=path, action="update", before=_lines(text), after=_lines(after)),
        _before=before,
    )


def name_diagnostics(host: Host, name: str) -> Iterator[Diagnostic]:
    """Yield why a tier cannot have a name."""
    if not re.search(NAME_PATTERN, name) or len(name) > NAME_LENGTH:
        detail = f'"{printable(name)}": a tier name is also a file name: lower-case letters, digits, "-", "_", "."'
        yield Diagnostic(code="invalid-name", detail=detail, remedy="write another name")
    elif any(tier.name == name for tier in host.stack.tiers):
        yield Diagnostic(
            code="tier-exists",
            detail=f'"{name}" is a tier of {host.name} already',
            remedy="write another name, or remove that tier from the inventory first",
            location=Location(file=display_path(host.path)),
        )


def ports_in_use(stack: Stack) -> dict[int, str]:
    """Return the ports that an inventory assigns, each with what uses it."""
    taken = {tier.port: f'the tier "{tier.name}"' for tier in stack.tiers}
    if stack.router is not None:
        taken[stack.router.port] = "the router"
    if stack.experiment is not None:
        taken[stack.experiment.port] = "the slot"
    for extra in stack.services:
        taken |= {port: f'the service "{extra.name}"' for _, _, port in published_ports(extra.mapping.get("ports"))}
    return taken


def _lines(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _cannot_add(host: Host, name: str, table: Mapping[str, Any]) -> Diagnostic:
    section = "\n".join(f"    {line}" for line in tier_section(name, table).splitlines())
    return Diagnostic(
        code="tier-cannot-be-added-to-the-inventory",
        detail="its tiers are written in such a way that adding one would change existing lines",
        remedy=f"add the tier manually:\n\n{section}",
        location=Location(file=display_path(host.path)),
    )


def _resolve_edited(host: Host, text: str, name: str, *, standby: bool) -> Host:
    """Return a host with another text, resolved.

    Raises:
        DiagnosticError: with the errors that it would have.
    """
    try:
        edited = Host(host.path, host.catalog, text=text.removeprefix("\ufeff"))
        _ = edited.stack
    except DiagnosticError as error:
        shares = any(diagnostic.code in _SHARING for diagnostic in error.diagnostics) and not standby
        remedy = "use --standby to keep the tier out of the default mode, and add it to another mode"
        note = Diagnostic(
            code="nothing-was-written",
            detail=f'the lines above refer to the inventory with the tier "{name}" added',
            remedy=remedy if shares else "",
        )
        raise DiagnosticError([*error.diagnostics, note]) from None
    return edited
