"""What an import says: how each service is written, and everything that differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from anvil_gen.diagnostics import ExitCode, display_path, join_words, printable
from anvil_gen.importing.adoption import TITLES
from anvil_gen.importing.assemble import Choice
from anvil_gen.importing.compare import Difference
from anvil_gen.importing.importer import Import
from anvil_gen.importing.run import ImportResult
from anvil_gen.text.masking import may_hold_secret
from anvil_gen.values import address

_FORMS = {
    "fields": "a tier of {engine}",
    "words": "a tier of {engine}, its command as it was written",
    "bare": "a tier of a custom image",
    "service": "a service in Compose's own keys",
    "left out": "left out",
}
_MASK = "…"


def show_result(result: ImportResult, output: str | None) -> ExitCode:
    """Print the findings of an import, and return its exit code."""
    imported = result.imported
    for choice in imported.choices:
        form = _FORMS[choice.form].format(engine=choice.engine)
        _say(f"{choice.service}: {form}{_verdict(imported, choice.service)}{_reason(choice, imported)}")
    for note in result.notes:
        _say(f"note: {printable(note)}")
    for group in result.groups:
        _say("\n".join(["the group, written once:", "", *(f"    {line}".rstrip() for line in group.splitlines()), ""]))
    for lost in result.project.lost:
        _say(f"lost: {printable(imported.hidden.shown(lost))}")
    _show_offers(imported)
    for difference in imported.residue or ():
        _say(_difference(difference, imported, "differs"))
    _say(_summary(imported, output))
    if imported.residue is None:
        return ExitCode.NOT_PROVED
    return ExitCode.DIFFERS if imported.residue or result.project.lost else ExitCode.OK


def _say(line: str) -> None:
    click.echo(line, err=True)


def _verdict(imported: Import, service: str) -> str:
    if imported.residue is None:
        return ""
    count = len(imported.residue_of(service))
    return ", identical" if count == 0 else f", {_differences(count)}"


def _reason(choice: Choice, imported: Import) -> str:
    """Say why an inventory cannot hold a service at all."""
    if choice.form != "left out" or choice.refused is None:
        return ""
    refused = choice.refused
    said = ": ".join(part for part in (refused.address, refused.summary, refused.detail) if part)
    return f", since the inventory refuses it: {printable(imported.hidden.shown(said))}"


def _differences(count: int) -> str:
    return f"{count} difference{'' if count == 1 else 's'}"


def _show_offers(imported: Import) -> None:
    """Print what rendering adds by default: what was adopted of it with what it changes, and what is off."""
    for difference in imported.adopted:
        _say(_difference(difference, imported, "adopted"))
    for offer in (imported.taken or ()) if imported.residue is None else ():
        _say(f"adopted: {TITLES[offer.key]}, for {join_words(offer.tiers)}")
    verb = "off" if imported.taken is None else "not adopted, since the inventory refuses it"
    for offer in imported.offers:
        _say(f"{verb}: {TITLES[offer.key]}, for {join_words(offer.tiers)}")
    if imported.offers and imported.taken is None:
        _say("Add --adopt to have what is off, or remove its key.")


def _difference(difference: Difference, imported: Import, verb: str) -> str:
    if len(difference.path) == 2 and difference.source is None:
        return f"{verb}: {printable(address(difference.path))}: a new service"
    secret = any(isinstance(part, str) and may_hold_secret(part) for part in difference.path)
    both = (_shown(side, imported, secret=secret) for side in (difference.source, difference.result))
    return f"{verb}: {printable(address(difference.path))}: " + " -> ".join(both)


def _shown(value: Any, imported: Import, *, secret: bool) -> str:
    if value is None:
        return "nothing"
    if secret:
        return _MASK
    return printable(imported.hidden.shown(json.dumps(value, ensure_ascii=False)))


def _summary(imported: Import, output: str | None) -> str:
    where = f"wrote {display_path(Path(output))}; " if output is not None else ""
    if imported.residue is None:
        return f"{where}not proved: there is no docker compose or docker-compose here to read source and result"
    if not imported.residue:
        adopted = ", but for what is adopted" if imported.adopted else ""
        return f"{where}proved: Docker Compose reads source and result alike{adopted}, whatever the variables are"
    return f"{where}{_differences(len(imported.residue))} between source and result, as Docker Compose reads them"
