"""A compose service as a tier: the fields that say it, with the tool's defaults off where the source has none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.image_kind import kind_of
from anvil_gen.importing.command import CommandRead, EngineFacts, read_command, until_vanishing
from anvil_gen.importing.service_gpus import GpuNames, take_reservation
from anvil_gen.importing.service_mounts import MountRead, Move, mount_value, read_mount
from anvil_gen.importing.service_ports import take_ports
from anvil_gen.importing.shell_words import Word, words_of
from anvil_gen.importing.texts import has_variable, is_readable, plain, typed, value_of, whole
from anvil_gen.inventory import fields as t
from anvil_gen.inventory.schema_own_keys import OWN_KEYS
from anvil_gen.resolve.compose_keys import by_name
from anvil_gen.resolve.flag_check import flag_rules
from anvil_gen.resolve.image_kinds import entrypoint_of
from anvil_gen.resolve.relative_paths import moved_keys

Form = Literal["fields", "words", "custom"]
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


def facts_of(catalog: Catalog, name: str, image: Any) -> EngineFacts:
    """Return an engine as the version of an image has it."""
    engine = catalog.engine(name)
    if engine is None:
        raise LookupError(name)
    timeline = catalog.flag_timeline(name)
    rules = flag_rules(timeline, engine, plain(image or ""))
    return EngineFacts(name=name, engine=engine.at(rules.release.version) if rules else engine, rules=rules)


def tier_of(catalog: Catalog, request: TierRequest, shared: Shared) -> dict[str, Any]:
    """Return the table of the tier that says a service."""
    return _Builder(catalog, request, shared).table()


class _Builder:
    def __init__(self, catalog: Catalog, request: TierRequest, shared: Shared) -> None:
        self._request, self._shared = request, shared
        self._service = dict(request.service)
        self._facts = facts_of(catalog, request.engine, request.service.get("image"))
        self._engine = self._facts.engine
        self._catalog = catalog
        self._table: dict[str, Any] = {"engine": request.engine}
        self._override: dict[str, Any] = {}
        self._flags: dict[str, Any] = {}
        self._model_from_hub = False

    def table(self) -> dict[str, Any]:
        request = self._request
        if request.service_name != request.name:
            self._table["service"] = request.service_name
        self._take_image()
        self._take_plain_keys()
        mounts = [read_mount(one, request.move) for one in _list(self._service.pop("volumes", None))]
        gpus = take_reservation(self._service, request.name, self._shared.gpus) if "gpus" not in request.banned else {}
        self._table |= gpus
        listens = self._take_command(mounts)
        self._take_ports(listens)
        self._take_environment()
        self._take_mounts(mounts)
        self._take_networks()
        self._take_health()
        self._take_rest()
        self._switch_off()
        order = [*_ORDER, *(key for key in self._table if key not in _ORDER)]
        return {key: self._table[key] for key in order if key in self._table}

    def _take_image(self) -> None:
        image, build = self._service.pop("image", None), self._service.pop("build", None)
        if image is not None:
            self._table["image"] = value_of(image)
        if build is not None:
            moved_build = moved_keys({"build": build}, self._request.move)["build"]
            self._table["build"] = value_of(moved_build)

    def _take_plain_keys(self) -> None:
        """Take the keys whose field has Compose's own form; without one, the tool's default is off."""
        for key, pattern, off in _PLAIN:
            value = self._service.pop(key, None)
            if value is None or value is False:
                self._table[key] = off
            elif self._fits(key, value, pattern):
                self._table[key] = value_of(value) if key != "container_name" else typed(value, str)
            else:
                self._table[key] = off
                self._override[key] = value_of(value)
        for key in ("ipc", "shm_size"):
            value = self._service.pop(key, None)
            if value is None and key in self._engine.defaults and self._engine.defaults[key] is not False:
                self._table[key] = False
            elif value is not None and self._fits(key, value, _FORMS[key]):
                self._table[key] = value_of(value)
            elif value is not None:
                self._table |= {key: False} if key in self._engine.defaults else {}
                self._override[key] = value_of(value)
        init = self._service.pop("init", False)
        self._table["init"] = init if isinstance(init, bool) else False
        if not isinstance(init, bool):
            self._override["init"] = value_of(init)
        self._take_logging()

    def _fits(self, key: str, value: Any, pattern: str) -> bool:
        if key in self._request.banned or not isinstance(value, str):
            return False
        if has_variable(value) and not is_readable(value):
            return False
        literal = plain(value)
        if has_variable(value) and key == "container_name":
            try:
                typed(value, str)
            except ValueError:
                return False
        return re.fullmatch(pattern, literal) is not None or (has_variable(value) and not literal)

    def _take_logging(self) -> None:
        logging = self._service.pop("logging", None)
        options = logging.get("options") if isinstance(logging, dict) else None
        simple = isinstance(logging, dict) and all(isinstance(one, str | int) for one in (options or {}).values())
        if logging is None:
            self._table["logging"] = False
        elif simple and "logging" not in self._request.banned:
            self._table["logging"] = {key: value_of(value) for key, value in logging.items() if value}
        else:
            self._table["logging"] = False
            self._override["logging"] = value_of(logging)

    # The command

    def _take_command(self, mounts: list[MountRead]) -> int | None:
        """Take entrypoint and command; return the port that they name."""
        entrypoint = words_of(self._service.pop("entrypoint", None))
        command = words_of(self._service.pop("command", None))
        if self._engine.own_command:
            self._as_own_command(entrypoint, command)
            return self._named_port(command or [])
        own = [word.text for word in entrypoint] if entrypoint is not None else None
        self._own_program = own_program = True
        usual = entrypoint_of(self._engine, plain(self._request.service.get("image") or ""))
        if own is None or own == []:
            own_program = bool(usual)
            self._table |= {"entrypoint": False} if own_program else {}
        elif tuple(own) == usual:
            own_program = False
        else:
            self._table["entrypoint"] = [value_of(text) for text in own]
        self._own_program = own_program
        words = command or []
        if self._request.form == "words":
            self._as_words(words, own_program=own_program)
            return self._named_port(words)
        read = read_command(self._facts, words, own_program=own_program, banned=self._request.banned)
        self._use(read, mounts)
        return read.fields.get("port") or self._named_port(words)

    def _as_own_command(self, entrypoint: list[Word] | None, command: list[Word] | None) -> None:
        if entrypoint is not None:
            self._table["entrypoint"] = [value_of(word.text) for word in entrypoint]
        if command is not None:
            kept, extra = until_vanishing(command)
            self._table["command"] = [value_of(text) for text in kept]
            self._table |= {"extra_arguments": value_of(extra)} if extra else {}

    def _as_words(self, words: list[Word], *, own_program: bool) -> None:
        """Keep a command as it is: nothing is known of it but its engine."""
        kept, extra = until_vanishing(words)
        self._table |= {"extra_arguments": value_of(extra)} if extra else {}
        self._table |= {} if "chat" in self._engine.tasks else {"task": next(iter(self._engine.tasks))}
        self._no_flags(set())
        self._table["model"] = False
        if kept or self._engine.arguments_for(own_program=own_program):
            self._table["command"] = [value_of(text) for text in kept]

    def _named_port(self, words: Iterable[Word]) -> int | None:
        """Return the port that a command names by the engine's flag for it, or by the usual one."""
        flag = self._engine.fields.get("port", "port")
        line = " ".join(word.text for word in words)
        match = re.search(rf"--(?:{flag}|port)[= ]([0-9]{{1,5}})(?![0-9.])", line)
        return int(match[1]) if match is not None else None

    def _use(self, read: CommandRead, mounts: list[MountRead]) -> None:
        fields = {key: value for key, value in read.fields.items() if key not in ("port", "revision")}
        self._table |= fields
        if read.words or "words" in read.given:
            self._table["command"] = read.words
        self._table |= {"extra_arguments": value_of(read.extra)} if read.extra else {}
        self._flags |= read.flags
        if read.model is not None:
            self._take_model(read, mounts)
        else:
            self._table["model"] = False
        self._take_task()
        self._no_flags(read.given)
        self._name_what_is_served(read)

    def _take_model(self, read: CommandRead, mounts: list[MountRead]) -> None:
        self._model_from_hub = True
        model = {"repo": read.model, **({"revision": read.fields["revision"]} if "revision" in read.fields else {})}
        at_cache = next((one for one in mounts if one.target == self._engine.hub_cache), None)
        is_shared = (
            at_cache is not None
            and at_cache.fields is not None
            and at_cache.volume
            and not at_cache.read_only
            and at_cache.source == (self._shared.hub_volume or at_cache.source)
        )
        if at_cache is not None and is_shared:
            self._shared.hub_volume = at_cache.source
            mounts.remove(at_cache)
        else:
            model["cache"] = False
        self._table["model"] = model

    def _take_task(self) -> None:
        """Take the task whose flags are there; without any, the first that the engine serves, or chat."""
        tasks = self._engine.tasks
        found = next(
            (task for task, flags in tasks.items() if flags and all(self._flags.get(f) == v for f, v in flags.items())),
            "chat" if "chat" in tasks else next(iter(tasks)),
        )
        self._flags = {name: value for name, value in self._flags.items() if name not in tasks[found]}
        if found != "chat":
            self._table["task"] = found

    def _no_flags(self, given: set[str]) -> None:
        """Switch off the flags that the engine's data would add."""
        engine = self._engine
        task = () if "task" in self._table else engine.tasks.get("chat", {})
        quirks = [flag for quirk in engine.quirks if self._is_hit(quirk.gpus_from) for flag in quirk.flags]
        for flag in (*engine.flags, *task, *quirks):
            if flag not in given and flag not in self._flags and self._would_add(flag):
                self._flags[flag] = False
        for field in ("port", "served_name"):
            named = engine.fields.get(field)
            names = self._table.get("served_names") if field == "served_name" else None
            if isinstance(named, str) and field not in given and not names:
                self._flags[named] = False
        if "tensor_parallel" not in given and isinstance(flag := engine.fields.get("tensor_parallel"), str):
            sizes = ("pipeline_parallel", "data_parallel")
            gpus = self._table.get("gpus", [])
            several = isinstance(gpus, dict) or (gpus if isinstance(gpus, int) else len(gpus)) > 1
            if gpus != "all" and several and not any(size in self._table for size in sizes):
                self._flags[flag] = False

    def _would_add(self, flag: str) -> bool:
        value = self._engine.flags.get(flag)
        return value != "{drain_seconds}" or self._table.get("stop_grace_period") is not False

    def _is_hit(self, gpus_from: int) -> bool:
        gpus = self._table.get("gpus", [])
        count = gpus if isinstance(gpus, int) else len(gpus) if isinstance(gpus, list) else None
        return (1 if count is None else count) >= gpus_from

    def _name_what_is_served(self, read: CommandRead) -> None:
        """Name the model as the engine does, where no flag gives it another name."""
        if self._engine.served_names == "any" or "served_name" in read.given:
            return
        if "served_name" not in self._engine.fields or read.model is None:
            return
        value = read.model
        if isinstance(value, dict) and "default" not in value:
            text = str(value.get("interpolate", ""))
            if not plain(text):  # nobody can say its name
                self._table["model"] = False
                self._put_back(value)
                return
        self._table["served_name"] = value

    def _put_back(self, value: Any) -> None:
        self._model_from_hub = False
        usual = [*self._engine.arguments_for(own_program=self._own_program)]
        words = [value if word == "{model}" else word for word in self._table.get("command", usual)]
        if any(isinstance(word, str) and "{model}" in word for word in words):
            text = value.get("interpolate") or f"${{{value['env']}}}"
            words = [
                value_of(word.replace("{model}", text)) if isinstance(word, str) and "{model}" in word else word
                for word in words
            ]
        self._table["command"] = words

    # Everything else

    def _take_ports(self, listens: int | None) -> None:
        recognise = self._engine.recognise
        usual = recognise.port if recognise is not None else int(self._engine.defaults.get("port", 8000))
        written = self._service.pop("ports", None)
        if "port" in self._request.banned:
            fields, rest = take_ports([], listens, usual)
            rest = [value_of(port) for port in _list(written)]
        else:
            fields, rest = take_ports(written, listens, usual)
        self._table |= fields
        if rest:
            self._override["ports"] = rest

    def _take_environment(self) -> None:
        written = by_name(self._service.pop("environment", None)) or {}
        environment: dict[str, Any] = {}
        passed = [name for name, value in written.items() if value is None]
        by_variable = {name: field for field, name in self._engine.field_env.items()}
        for name, value in written.items():
            if value is None or self._take_field(by_variable.get(name, ""), value):
                continue
            environment[name] = value_of(env_text(value))
        for name in self._added_variables():
            if name not in written:
                environment[name] = False
        if passed and all(re.fullmatch(t.VARIABLE_PATTERN, name) for name in passed):
            self._table["pass"] = passed
        elif passed:
            self._override["environment"] = dict.fromkeys(passed)
        self._table |= {"environment": environment} if environment else {}
        env_file = self._service.pop("env_file", None)
        if env_file is not None:
            self._take_env_file(env_file)

    def _take_field(self, field: str, value: Any) -> bool:
        """Take a variable that a field of the tier says, if its value fits."""
        if not field or field in self._request.banned or self._request.form != "fields" or field in self._table:
            return False
        try:
            if field in ("context_length", "max_sequences"):
                self._table[field] = typed(env_text(value), whole)
            elif field == "served_name":
                self._table[field] = typed(env_text(value), str)
            else:
                return False
        except ValueError:
            return False
        return True

    def _added_variables(self) -> Iterator[str]:
        """Yield the variables that the tool would add."""
        engine = self._engine
        for name, value in engine.environment.items():
            if "{hub_cache}" not in value or self._model_from_hub:
                yield name
        if self._model_from_hub:
            yield from engine.hub_environment
        named = engine.field_env.get("served_name")
        if named is not None and "served_name" not in self._table:
            yield named
        if "gpus" in self._table:
            vendor = self._catalog.vendor("nvidia")
            yield from vendor.environment if vendor is not None else ()

    def _take_env_file(self, written: Any) -> None:
        entries = [written] if isinstance(written, str) else _list(written)
        found: list[Any] = []
        for entry in entries:
            table = entry if isinstance(entry, dict) else {"path": entry}
            if table.keys() <= {"path", "required"} and not has_variable(table.get("path")):
                path = self._request.move(str(table["path"]))
                found.append({"path": path, "required": False} if table.get("required") is False else path)
            else:
                self._override["env_file"] = value_of(moved_keys({"env_file": written}, self._request.move)["env_file"])
                return
        self._table |= {"env_file": found} if found else {}

    def _take_mounts(self, mounts: list[MountRead]) -> None:
        if self._engine.caches:
            self._table["caches"] = False
        found: dict[str, Any] = {}
        rest = []
        for mount in mounts:
            if mount.fields is None or "mounts" in self._request.banned or mount.target in found:
                rest.append(mount.written)
            else:
                found[mount.target] = mount_value(mount.fields)
        self._table |= {"mounts": found} if found else {}
        if rest:
            self._override["volumes"] = rest

    def _take_networks(self) -> None:
        written = self._service.pop("networks", None)
        if isinstance(written, dict):
            empty = not any(written.values())
            written = [*written] if empty else {name: value_of(table or {}) for name, table in written.items()}
        if written:
            self._table["networks"] = written

    def _take_health(self) -> None:
        written = self._service.pop("healthcheck", None)
        if not isinstance(written, dict) or not written:
            self._table["healthcheck"] = False
            return
        disabled = written.get("disable") in (True, "true")
        fits = "healthcheck" not in self._request.banned and (disabled or written.get("test"))
        table = {"disable": True} if disabled else health_of(written)
        if not fits or table is None:
            self._table["healthcheck"] = False
            self._override["healthcheck"] = value_of(written)
            return
        self._table["healthcheck"] = table
        if "start_period" not in written and not disabled:
            self._table["start_period"] = False

    def _take_rest(self) -> None:
        """Take the other keys as Compose has them."""
        keys = {key: value for key, value in self._service.items() if not key.startswith("x-") and value is not None}
        named = {
            key: by_name(value) if key in ("labels", "annotations", "sysctls") else value for key, value in keys.items()
        }
        for key, value in value_of(moved_keys(named, self._request.move)).items():
            place = self._table if key in OWN_KEYS and key not in self._request.banned else self._override
            place[key] = value
        for key, value in self._needs().items():
            self._table.setdefault(key, [] if isinstance(value, list) else False)
        if "image" in self._request.banned and "devices" not in self._table:
            self._table["devices"] = []  # its GPUs are nobody's to name: Docker's own runtime gives them to it
        if self._override:
            self._table["override"] = self._override

    def _needs(self) -> dict[str, Any]:
        """Return the keys of Compose that the tool adds for the image, and for some flags."""
        kind = kind_of(self._engine.image_kinds, plain(self._request.service.get("image") or ""))
        found = dict(kind.needs) if kind is not None else {}
        for name, value in self._flags.items():
            for key in (name, f"{name}={value}") if value is not False else ():
                found |= self._engine.flag_needs.get(key, {})
        return {key: value for key, value in found.items() if key not in self._override}

    def _switch_off(self) -> None:
        if self._flags:
            self._table["flags"] = self._flags
        if self._table.get("container_name") == self._request.name:
            del self._table["container_name"]


def health_of(written: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a health check as a tier has it; None where it cannot be said."""
    found: dict[str, Any] = {}
    for key, value in written.items():
        if key == "retries":
            try:
                found[key] = typed(str(value), whole)
            except ValueError:
                return None
        elif key != "disable":
            found[key] = value_of(value)
    return found


def env_text(value: Any) -> str:
    """Return the value of a variable as Compose gives it to the container."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


_FORMS: Mapping[str, str] = {
    "ipc": r"host|private|shareable|none|service:[a-zA-Z0-9._-]+",
    "shm_size": t.SIZE_PATTERN,
}
_PLAIN: tuple[tuple[str, str, bool], ...] = (
    ("container_name", t.CONTAINER_PATTERN, False),
    ("restart", t.RESTART_PATTERN, False),
    ("stop_grace_period", t.DURATION_PATTERN, False),
)
_ORDER = (
    *("service", "engine", "image", "build", "container_name", "restart", "task", "model", "served_name"),
    *("served_names", "gpus", "port", "container_port", "bind", "ports"),
)
"""The order of a tier's first keys; the others are as they come."""
