"""The command of a compose service as a tier's fields, flags and words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.importing.command import CommandRead, read_command, until_vanishing
from anvil_gen.importing.engine_facts import facts_of
from anvil_gen.importing.service_gpus import GpuNames
from anvil_gen.importing.service_mounts import MountRead
from anvil_gen.importing.shell_words import Word, words_of
from anvil_gen.importing.source_paths import Move
from anvil_gen.importing.texts import plain, value_of
from anvil_gen.resolve.image_kinds import entrypoint_of

Form = Literal["fields", "words", "bare"]
"""How much of a service's command is understood: flags and fields, words alone, or nothing of its engine."""


class TierRequest(Struct, frozen=True, kw_only=True):
    """What a tier is made of. ``banned`` are fields that the inventory has refused for it."""

    name: str
    service_name: str
    service: Mapping[str, Any]
    engine: str
    form: Form
    banned: frozenset[str]
    move: Move


class Shared(Struct, kw_only=True):
    """What all tiers of an inventory have in common."""

    gpus: GpuNames
    hub_volume: str = ""  # the volume that is the shared cache


class CommandTaker:
    """Takes the command of a service into a tier's table, which grows in ``written``."""

    def __init__(self, catalog: Catalog, request: TierRequest, shared: Shared) -> None:
        self.request, self.shared = request, shared
        self.service = dict(request.service)
        self.facts = facts_of(catalog, request.engine, request.service.get("image"))
        self.engine = self.facts.engine
        self.catalog = catalog
        self.written: dict[str, Any] = {"engine": request.engine}
        self.override: dict[str, Any] = {}
        self.flags: dict[str, Any] = {}
        self.model_from_hub = False

    def take_command(self, mounts: list[MountRead]) -> int | None:
        """Take entrypoint and command; return the port that they name."""
        entrypoint = words_of(self.service.pop("entrypoint", None))
        command = words_of(self.service.pop("command", None))
        if self.engine.own_command:
            self._as_own_command(entrypoint, command)
            return self._named_port(command or [])
        own = [word.text for word in entrypoint] if entrypoint is not None else None
        self._own_program = own_program = True
        usual = entrypoint_of(self.engine, plain(self.request.service.get("image") or ""))
        if own is None or own == []:
            own_program = bool(usual)
            self.written |= {"entrypoint": False} if own_program else {}
        elif tuple(own) == usual:
            own_program = False
        else:
            self.written["entrypoint"] = [value_of(text) for text in own]
        self._own_program = own_program
        words = command or []
        if self.request.form == "words":
            self._as_words(words, own_program=own_program)
            return self._named_port(words)
        read = read_command(self.facts, words, own_program=own_program, banned=self.request.banned)
        self._use(read, mounts)
        return read.fields.get("port") or self._named_port(words)

    def _as_own_command(self, entrypoint: list[Word] | None, command: list[Word] | None) -> None:
        if entrypoint is not None:
            self.written["entrypoint"] = [value_of(word.text) for word in entrypoint]
        if command is not None:
            kept, extra = until_vanishing(command)
            self.written["command"] = [value_of(text) for text in kept]
            self.written |= {"extra_arguments": _further(extra)} if extra else {}

    def _as_words(self, words: list[Word], *, own_program: bool) -> None:
        """Keep a command as it is: nothing is known of it but its engine."""
        kept, extra = until_vanishing(words)
        self.written |= {"extra_arguments": _further(extra)} if extra else {}
        self.written |= {} if "chat" in self.engine.tasks else {"task": next(iter(self.engine.tasks))}
        self._no_flags(set())
        self.written["model"] = False
        if kept or self.engine.arguments_for(own_program=own_program):
            self.written["command"] = [value_of(text) for text in kept]

    def _named_port(self, words: Iterable[Word]) -> int | None:
        """Return the port that a command names by the engine's flag for it, or by the usual one."""
        flag = self.engine.fields.get("port", "port")
        line = " ".join(word.text for word in words)
        match = re.search(rf"--(?:{flag}|port)[= ]([0-9]{{1,5}})(?![0-9.])", line)
        return int(match[1]) if match is not None else None

    def _use(self, read: CommandRead, mounts: list[MountRead]) -> None:
        fields = {key: value for key, value in read.fields.items() if key not in ("port", "revision")}
        self.written |= fields
        if read.words or "words" in read.given:
            self.written["command"] = read.words
        self.written |= {"extra_arguments": _further(read.extra)} if read.extra else {}
        self.flags |= read.flags
        if read.model is not None:
            self._take_model(read, mounts)
        else:
            self.written["model"] = False
        self._take_task()
        self._no_flags(read.given)
        self._name_what_is_served(read)

    def _take_model(self, read: CommandRead, mounts: list[MountRead]) -> None:
        self.model_from_hub = True
        model = {"repo": read.model, **({"revision": read.fields["revision"]} if "revision" in read.fields else {})}
        at_cache = next((one for one in mounts if one.target == self.engine.hub_cache), None)
        is_shared = (
            at_cache is not None
            and at_cache.fields is not None
            and at_cache.fields.keys() <= {"volume", "read_only"}
            and at_cache.volume
            and not at_cache.read_only
            and at_cache.source == (self.shared.hub_volume or at_cache.source)
        )
        if at_cache is not None and is_shared:
            self.shared.hub_volume = at_cache.source
            mounts.remove(at_cache)
        else:
            model["cache"] = False
        self.written["model"] = model

    def _take_task(self) -> None:
        """Take the task whose flags are there; without any, the first that the engine serves, or chat."""
        tasks = self.engine.tasks
        found = next(
            (task for task, flags in tasks.items() if flags and all(self.flags.get(f) == v for f, v in flags.items())),
            "chat" if "chat" in tasks else next(iter(tasks)),
        )
        self.flags = {name: value for name, value in self.flags.items() if name not in tasks[found]}
        if found != "chat":
            self.written["task"] = found

    def _no_flags(self, given: set[str]) -> None:
        """Switch off the flags that the engine's data would add."""
        engine = self.engine
        task = () if "task" in self.written else engine.tasks.get("chat", {})
        quirks = [flag for quirk in engine.quirks if self._is_hit(quirk.gpus_from) for flag in quirk.flags]
        for flag in (*engine.flags, *task, *quirks):
            if flag not in given and flag not in self.flags and self._would_add(flag):
                self.flags[flag] = False
        for field in ("port", "served_name"):
            named = engine.fields.get(field)
            names = self.written.get("served_names") if field == "served_name" else None
            if isinstance(named, str) and field not in given and not names:
                self.flags[named] = False
        if "tensor_parallel" not in given and isinstance(flag := engine.fields.get("tensor_parallel"), str):
            sizes = ("pipeline_parallel", "data_parallel")
            gpus = self.written.get("gpus", [])
            several = isinstance(gpus, dict) or (gpus if isinstance(gpus, int) else len(gpus)) > 1
            if gpus != "all" and several and not any(size in self.written for size in sizes):
                self.flags[flag] = False

    def _would_add(self, flag: str) -> bool:
        value = self.engine.flags.get(flag)
        return value != "{drain_seconds}" or self.written.get("stop_grace_period") is not False

    def _is_hit(self, gpus_from: int) -> bool:
        gpus = self.written.get("gpus", [])
        count = gpus if isinstance(gpus, int) else len(gpus) if isinstance(gpus, list) else None
        return (1 if count is None else count) >= gpus_from

    def _name_what_is_served(self, read: CommandRead) -> None:
        """Name the model as the engine does, where no flag gives it another name."""
        if self.engine.served_names == "any" or "served_name" in read.given:
            return
        if "served_name" not in self.engine.fields or read.model is None:
            return
        value = read.model
        if isinstance(value, dict) and "default" not in value:
            text = str(value.get("interpolate", ""))
            if not plain(text):  # nobody can say its name
                self.written["model"] = False
                self._put_back(value)
                return
        self.written["served_name"] = value

    def _put_back(self, value: Any) -> None:
        self.model_from_hub = False
        usual = [*self.engine.arguments_for(own_program=self._own_program)]
        words = [value if word == "{model}" else word for word in self.written.get("command", usual)]
        if any(isinstance(word, str) and "{model}" in word for word in words):
            text = value.get("interpolate") or f"${{{value['env']}}}"
            words = [
                value_of(word.replace("{model}", text)) if isinstance(word, str) and "{model}" in word else word
                for word in words
            ]
        self.written["command"] = words


def _further(text: str) -> Any:
    """Return arguments that a variable says; an empty default says what none says."""
    value = value_of(text)
    return {"env": value["env"]} if isinstance(value, dict) and value.get("default") == "" else value
