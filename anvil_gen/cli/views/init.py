"""What `init` found on a machine, and what it laid down."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import click

from anvil_gen.cli.views.diagnostics import diagnostic_json, diagnostic_text
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.diagnostics import Diagnostic, display_path
from anvil_gen.onboard.copier_answers import gpu_memory
from anvil_gen.onboard.detect import DetectedMachine
from anvil_gen.onboard.scaffold import PostSetup, ScaffoldResult


class View(Protocol):
    """How the answer of `init` is shown."""

    def found(self, found: DetectedMachine, lacks: Sequence[Diagnostic]) -> None:
        """Show what the machine has and lacks."""

    def laid_down(self, laid_down: ScaffoldResult, steps: PostSetup) -> None:
        """Show what was made, and how to go on."""


class TextView:
    """Lines: what was found on stderr, before the questions; what was made on stdout."""

    def found(self, found: DetectedMachine, lacks: Sequence[Diagnostic]) -> None:
        """Print a line for each kind of thing."""
        click.echo(f"Found on {found.name}:", err=True)
        for name, text in _facts(found):
            click.echo(f"  {name:9} {text}", err=True)
        click.echo(err=True)
        for lack in lacks:
            click.echo(diagnostic_text(lack), err=True)

    def laid_down(self, laid_down: ScaffoldResult, steps: PostSetup) -> None:
        """Print the files, and the commands that follow."""
        click.echo(f"{click.style(laid_down.machine, bold=True)} -> {display_path(laid_down.inventory)}")
        for tier in laid_down.answers.get("tiers") or []:
            click.echo(f"  {tier['name']}: {_model(tier)} by {tier['engine']} on {tier.get('card', 'the processor')}")
        if laid_down.kept:
            click.echo(f"  kept: {', '.join(laid_down.kept)}")
        for made in (
            "a git repository" if steps.repository else "",
            f"a key for clients, in {display_path(steps.key)}" if steps.key is not None else "",
            f"the Docker volume {steps.volume}" if steps.volume else "",
        ):
            if made:
                click.echo(f"  made: {made}")
        click.echo("\nLook at it, change what you like, then:\n")
        for line in next_steps(laid_down, steps):
            click.echo(f"    {line}")
        click.echo()


class JsonView:
    """One JSON document at the end."""

    def __init__(self) -> None:
        """Start with nothing found."""
        self._found: dict[str, Any] = {}

    def found(self, found: DetectedMachine, lacks: Sequence[Diagnostic]) -> None:
        """Keep what was found for the end."""
        self._found = {"found": _found_json(found), "lacks": [diagnostic_json(lack) for lack in lacks]}

    def laid_down(self, laid_down: ScaffoldResult, steps: PostSetup) -> None:
        """Print all of it."""
        print_json(
            **self._found,
            machine=laid_down.machine,
            inventory=display_path(laid_down.inventory),
            written=laid_down.written,
            kept=laid_down.kept,
            repository=steps.repository,
            key_file=display_path(steps.key) if steps.key is not None else None,
            volume=steps.volume or None,
            next=list(next_steps(laid_down, steps)),
        )


def next_steps(laid_down: ScaffoldResult, steps: PostSetup) -> Iterator[str]:
    """Yield the commands from here to a running machine."""
    if display_path(laid_down.folder) != ".":
        yield f"cd {shlex.quote(display_path(laid_down.folder))}"
    if steps.missing_volume:
        yield f"docker volume create {steps.missing_volume}"
    if not laid_down.answers.get("tiers"):
        yield f"anvil-gen render {laid_down.machine}"
    yield f"anvil-gen up {laid_down.machine} --wait"
    yield from _question(laid_down)


def _question(laid_down: ScaffoldResult) -> Iterator[str]:
    """Yield the command that asks a chat model through the router, and streams the answer; else, how to ask."""
    answers = laid_down.answers
    tiers = answers.get("tiers") or []
    if not tiers:
        return
    if answers.get("router") == "none" or "task" in tiers[0]:
        yield f"anvil-gen client {laid_down.machine}"
        return
    variable = answers.get("api_key_env")
    file = f"deploy/{laid_down.machine}/.env"
    key = f""" -H "Authorization: Bearer $(sed -n 's/^{variable}=//p' {file})" """ if variable else " "
    question = json.dumps(
        {"model": tiers[0]["name"], "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    )
    url = f"http://127.0.0.1:{answers['router_port']}/v1/chat/completions"
    yield f"curl -N {url}{key}-H 'Content-Type: application/json' -d '{question}'"


def _model(tier: dict[str, Any]) -> str:
    return str(tier.get("repo") or tier.get("file") or tier.get("path"))


def _facts(found: DetectedMachine) -> Iterator[tuple[str, str]]:
    yield "platform", found.platform or "unknown"
    for card in found.cards:
        memory, reserve = gpu_memory(card, found)
        shared = ", shared with the processor" if reserve else ""
        yield "card", f"{card.name or card.vendor}, {f'{memory} MiB{shared}' if memory else 'memory unknown'}"
    if not found.cards:
        yield "cards", "none"
    yield "docker", _docker(found)
    if found.models is not None:
        count = len(found.models.models)
        yield "models", f"{found.models.path.as_posix()}, {count} {'model' if count == 1 else 'models'}"
    if found.cache_volume or found.hub_cache is not None:
        yield "hub cache", f"volume {found.cache_volume}" if found.cache_volume else str(found.hub_cache)
    yield "ports", f"free: {found.router_port} for the router, from {found.first_port} on for models"


def _found_json(found: DetectedMachine) -> dict[str, Any]:
    memory = [gpu_memory(card, found) for card in found.cards]
    return {
        "name": found.name,
        "platform": found.platform,
        "memory_mib": found.memory_mib,
        "cards": [
            {"vendor": card.vendor, "uuid": card.uuid, "name": card.name, "memory_mib": mib, "reserve_mib": reserve}
            for card, (mib, reserve) in zip(found.cards, memory, strict=True)
        ],
        "docker": {"version": found.docker.server or None, "compose": found.docker.compose or None},
        "models": found.models.path.as_posix() if found.models is not None else None,
        "hub_cache": found.cache_volume or (found.hub_cache.as_posix() if found.hub_cache is not None else None),
        "router_port": found.router_port,
        "first_port": found.first_port,
    }


def _docker(found: DetectedMachine) -> str:
    if found.docker.diagnostic is not None:
        return found.docker.diagnostic.summary
    return f"{found.docker.server}, Compose {found.docker.compose or 'missing'}"
