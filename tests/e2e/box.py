"""A machine of a test's own: an inventory under names and ports that nobody else has, its tree, and what runs of it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import running
from free_ports import free_port
from running import Result

from e2e.cards import HOSTS
from e2e.engine import Engine

# Compose waits for a check that passes, and the first one comes after an interval. On a busy machine many fail before.
SOON_AND_PATIENT = {"interval": "1s", "start_period": "10m"}


class Box:
    """A fleet folder with one inventory, `hosts/box.toml`."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        """Take the engine to use and a folder to work in."""
        self.engine = engine
        self.folder = folder
        self.prefix = f"e{secrets.token_hex(4)}"
        """In the name of whatever the test makes: what has it in its name is removed after the test."""
        self.project = f"anvil-{self.prefix}"
        """The Compose project; anvil-serving wants such a name."""
        self.tree = folder / "deploy" / "box"
        self.environment: dict[str, str] = {}
        """Variables beside the engine's, such as the router's key: add to it."""
        self._ports: dict[str, int] = {}

    def name(self, what: str) -> str:
        """Return a name with the prefix: for a container, a volume, an image."""
        return f"{self.prefix}-{what}"

    def port(self, what: str) -> int:
        """Return a port that was free when it was asked for first, the same again for the same name."""
        if what not in self._ports:
            self._ports[what] = free_port()
        return self._ports[what]

    def adapted(self, host: str) -> dict[str, Any]:
        """Return a reference inventory, with paths, ports and names of this box; change it at will, then `write` it.

        Port and container name of a tier come from the tier's name: `port("fast")`, `name("fast")`; the router's from
        `router`, the experiment's port from `experiment`, and the hub's cache is the volume `name("hfcache")`. Health
        checks run every second, instead of the engines' own intervals.
        """
        return self.adapt(tomllib.loads((HOSTS / f"{host}.toml").read_text("utf-8")))

    def adapt(self, inventory: dict[str, Any]) -> dict[str, Any]:
        """Return an inventory with paths, ports and names of this box."""
        inventory["host"] = {**inventory["host"], "project": self.project}
        inventory["host"].pop("output", None)
        inventory["paths"]["models"] = str(self.engine.model_folder)
        if "hfcache" in inventory:
            inventory["hfcache"] = {"volume": self.name("hfcache")}
        parts = [*inventory["tiers"].items(), *((key, inventory[key]) for key in ("router",) if key in inventory)]
        for name, table in parts:
            table["port"] = self.port(name)
            table["container_name"] = self.name(name)
            table["override"] = {**table.get("override", {}), "healthcheck": {"interval": "1s"}}
        if "router" in inventory:
            inventory["router"]["override"]["healthcheck"] = SOON_AND_PATIENT
        if "experiment" in inventory:
            inventory["experiment"]["port"] = self.port("experiment")
            inventory["experiment"]["project"] = self.name("experiment")
            inventory["experiment"]["container_name"] = self.name("experiment")
        return inventory

    def write(self, inventory: str | Mapping[str, Any]) -> Path:
        """Write the inventory, as text or as data, and return its path."""
        text = inventory if isinstance(inventory, str) else toml_text(inventory)
        running.fleet(self.folder, box=text)
        return self.folder / "hosts" / "box.toml"

    def anvil_gen(self, *arguments: str, check: bool = True) -> Result:
        """Run `anvil-gen` in the fleet's folder, with the engine's environment.

        Raises:
            AssertionError: it ends with another code than 0, and `check` is set.

        """
        command = (sys.executable, "-m", "anvil_gen", *arguments)
        done = self.engine.run(*command, cwd=self.folder, env=self.environment, check=False)
        assert done.code == 0 or not check, f"anvil-gen {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `anvil-gen` as a shell does: in a process group of its own, which Ctrl-C reaches as a whole."""
        return subprocess.Popen(
            [sys.executable, "-m", "anvil_gen", *arguments],
            cwd=self.folder,
            env={**os.environ, **self.engine.environment, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def render(self, inventory: str | Mapping[str, Any]) -> Path:
        """Write the inventory, render it, and return the tree's folder."""
        self.write(inventory)
        self.anvil_gen("render", "box")
        return self.tree

    def compose(self, *arguments: str, check: bool = True) -> Result:
        """Run `docker compose` in the tree.

        Raises:
            AssertionError: it fails, and `check` is set.

        """
        return self.engine.run("docker", "compose", *arguments, cwd=self.tree, env=self.environment, check=check)

    def container(self, what: str) -> dict[str, Any]:
        """Return what `docker inspect` says about the container `name(what)`."""
        return self.engine.inspect(self.name(what))

    def remove(self) -> None:
        """Remove all that the box has made in the engine."""
        self.engine.remove_all(self.prefix)


def toml_text(inventory: Mapping[str, Any]) -> str:
    """Return an inventory as TOML."""
    return "\n".join(_toml(inventory))


def _toml(table: Mapping[str, Any], *path: str) -> Iterator[str]:
    """Yield the lines of a table, and of those in it."""
    if path:
        yield f"[{'.'.join(map(json.dumps, path))}]"
    yield from (f"{json.dumps(key)} = {_value(item)}" for key, item in table.items() if not isinstance(item, dict))
    for key, item in table.items():
        if isinstance(item, dict):
            yield from _toml(item, *path, key)


def _value(value: Any) -> str:
    """Return a value as TOML, whose texts, numbers and truth values are those of JSON."""
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)
