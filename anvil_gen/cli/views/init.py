"""What `init` detected on a host, and what it created."""

from __future__ import annotations

import json
import os
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
    """How the result of `init` is printed."""

    def found(self, found: DetectedMachine, missing: Sequence[Diagnostic]) -> None:
        """Show what was detected, and what is missing."""

    def scaffolded(self, result: ScaffoldResult, steps: PostSetup) -> None:
        """Show what was created, and the next commands."""


class TextView:
    """Lines: what was detected on stderr, before the prompts; what was created on stdout."""

    def found(self, found: DetectedMachine, missing: Sequence[Diagnostic]) -> None:
        """Print a line for each detected fact."""
        click.echo(f"Found on {found.name}:", err=True)
        for name, text in _facts(found):
            click.echo(f"  {name:9} {text}", err=True)
        click.echo(err=True)
        for diagnostic in missing:
            click.echo(diagnostic_text(diagnostic), err=True)

    def scaffolded(self, result: ScaffoldResult, steps: PostSetup) -> None:
        """Print the files, and the commands that follow."""
        click.echo(f"{click.style(result.machine, bold=True)} -> {display_path(result.inventory)}")
        for tier in result.answers.get("tiers") or []:
            click.echo(f"  {tier['name']}: {_model(tier)} by {tier['engine']} on {_place(tier)}")
        if result.kept:
            click.echo(f"  kept: {', '.join(result.kept)}")
        for created in (
            "a git repository" if steps.repository else "",
            f"a key for clients, in {display_path(steps.key)}" if steps.key is not None else "",
            f"the Docker volume {steps.volume}" if steps.volume else "",
        ):
            if created:
                click.echo(f"  created: {created}")
        for warning in steps.warnings:
            click.echo(f"\n{diagnostic_text(warning).rstrip()}", err=True)
        click.echo("\nReview the inventory, edit it as needed, then run:\n")
        for line in next_steps(result, steps):
            click.echo(f"    {line}")
        click.echo()


class JsonView:
    """One JSON document at the end."""

    def __init__(self) -> None:
        """Start with nothing detected."""
        self._found: dict[str, Any] = {}

    def found(self, found: DetectedMachine, missing: Sequence[Diagnostic]) -> None:
        """Keep what was detected for the end."""
        self._found = {"found": _found_json(found), "lacks": [diagnostic_json(one) for one in missing]}

    def scaffolded(self, result: ScaffoldResult, steps: PostSetup) -> None:
        """Print all of it."""
        print_json(
            **self._found,
            machine=result.machine,
            inventory=display_path(result.inventory),
            written=result.written,
            kept=result.kept,
            repository=steps.repository,
            key_file=display_path(steps.key) if steps.key is not None else None,
            volume=steps.volume or None,
            warnings=[diagnostic_json(one) for one in steps.warnings],
            next=list(next_steps(result, steps)),
        )


def next_steps(result: ScaffoldResult, steps: PostSetup) -> Iterator[str]:
    """Yield the commands that lead to running services."""
    if display_path(result.folder) != ".":
        yield f"cd {shlex.quote(display_path(result.folder))}"
    if steps.dotenv is not None:
        there = os.path.relpath(steps.dotenv, result.folder)
        yield shlex.join(["cp", there, f"deploy/{result.machine}/.env"])
    if steps.missing_volume:
        yield f"docker volume create {steps.missing_volume}"
    if steps.imported:
        yield f"anvil-gen plan {result.machine} --against live"
    elif not result.answers.get("tiers"):
        yield f"anvil-gen render {result.machine}"
    yield f"anvil-gen up {result.machine} --wait"
    yield from _question(result)


def _question(result: ScaffoldResult) -> Iterator[str]:
    """Yield the command that queries a chat model through the router; without one, how clients connect."""
    answers = result.answers
    tiers = answers.get("tiers") or []
    if not tiers:
        return
    if answers.get("router") == "none" or "task" in tiers[0]:
        yield f"anvil-gen client {result.machine}"
        return
    variable = answers.get("api_key_env")
    file = f"deploy/{result.machine}/.env"
    key = f""" -H "Authorization: Bearer $(sed -n 's/^{variable}=//p' {file})" """ if variable else " "
    question = json.dumps(
        {"model": tiers[0]["name"], "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    )
    host = (answers.get("address") if answers.get("lan") else "") or "127.0.0.1"
    url = f"http://{host}:{answers['router_port']}/v1/chat/completions"
    yield f"curl -N {url}{key}-H 'Content-Type: application/json' -d '{question}'"


def _place(tier: dict[str, Any]) -> str:
    return " and ".join(tier.get("gpus") or [str(tier.get("gpu", "the CPU"))])


def _model(tier: dict[str, Any]) -> str:
    return str(tier.get("repo") or tier.get("file") or tier.get("path"))


def _facts(found: DetectedMachine) -> Iterator[tuple[str, str]]:
    yield "platform", f"{found.platform or 'unknown'}, {found.architecture}"
    for gpu in found.gpus:
        memory, reserve = gpu_memory(gpu, found)
        shared = ", shared with the CPU" if reserve else ""
        yield "gpu", f"{gpu.name or gpu.vendor}, {f'{memory} MiB{shared}' if memory else 'memory unknown'}"
    if not found.gpus:
        yield "gpu", "none"
    yield "docker", _docker(found)
    if found.models is not None:
        count = len(found.models.models)
        yield "models", f"{found.models.path.as_posix()}, {count} {'model' if count == 1 else 'models'}"
    if found.cache_volume or found.hub_cache is not None:
        yield "hf cache", f"volume {found.cache_volume}" if found.cache_volume else str(found.hub_cache)
    for project in found.projects:
        yield "compose", f"{project.name}, {project.files}: {project.status}"
    yield "ports", f"free: {found.router_port} for the router, {found.first_port} and up for models"


def _found_json(found: DetectedMachine) -> dict[str, Any]:
    memory = [gpu_memory(gpu, found) for gpu in found.gpus]
    return {
        "name": found.name,
        "platform": found.platform,
        "architecture": found.architecture,
        "address": found.address or None,
        "memory_mib": found.memory_mib,
        "cards": [
            {"vendor": gpu.vendor, "uuid": gpu.uuid, "name": gpu.name, "memory_mib": mib, "reserve_mib": reserve}
            for gpu, (mib, reserve) in zip(found.gpus, memory, strict=True)
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
