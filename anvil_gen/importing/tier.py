"""A compose service as a tier: the fields that say it, with the tool's defaults off where the source has none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.image_kind import kind_of
from anvil_gen.importing.engine_facts import usual_vendor
from anvil_gen.importing.service_gpus import take_reservation
from anvil_gen.importing.service_mounts import MountRead, mount_value, read_mount
from anvil_gen.importing.service_ports import take_ports
from anvil_gen.importing.texts import env_text, has_variable, is_readable, plain, typed, value_of, whole, without_nulls
from anvil_gen.importing.tier_command import CommandTaker, Shared, TierRequest
from anvil_gen.inventory import fields as t
from anvil_gen.inventory.schema_own_keys import OWN_KEYS
from anvil_gen.resolve.compose_keys import by_name
from anvil_gen.resolve.relative_paths import moved_keys, with_context


def tier_of(catalog: Catalog, request: TierRequest, shared: Shared) -> dict[str, Any]:
    """Return the table of the tier that says a service."""
    return _Builder(catalog, request, shared).table()


class _Builder(CommandTaker):
    def table(self) -> dict[str, Any]:
        request = self.request
        if request.service_name != request.name:
            self.written["service"] = request.service_name
        self._take_image()
        self._take_plain_keys()
        mounts = [read_mount(one, request.move) for one in _list(self.service.pop("volumes", None))]
        gpus = take_reservation(self.service, request.name, self.shared.gpus) if "gpus" not in request.banned else {}
        self.written |= gpus
        listens = self.take_command(mounts)
        self._take_ports(listens)
        self._take_environment()
        self._take_mounts(mounts)
        self._take_networks()
        self._take_health()
        self._take_rest()
        self._switch_off()
        order = [*_ORDER, *(key for key in self.written if key not in _ORDER)]
        return {key: self.written[key] for key in order if key in self.written}

    def _take_image(self) -> None:
        image, build = self.service.pop("image", None), self.service.pop("build", None)
        if image is not None:
            self.written["image"] = value_of(image)
        if build is not None:
            moved_build = moved_keys(with_context({"build": build}), self.request.move)["build"]
            self.written["build"] = value_of(moved_build)

    def _take_plain_keys(self) -> None:
        """Take the keys whose field has Compose's own form; without one, the tool's default is off."""
        for key, pattern, off in _PLAIN:
            value = self.service.pop(key, None)
            if value is None or value is False:
                self.written[key] = off
            elif self._fits(key, value, pattern):
                self.written[key] = value_of(value) if key != "container_name" else typed(value, str)
            else:
                self.written[key] = off
                self.override[key] = value_of(value)
        for key in ("ipc", "shm_size"):
            value = self.service.pop(key, None)
            if value is None and key in self.engine.defaults and self.engine.defaults[key] is not False:
                self.written[key] = False
            elif value is not None and self._fits(key, value, _FORMS[key]):
                self.written[key] = value_of(value)
            elif value is not None:
                self.written |= {key: False} if key in self.engine.defaults else {}
                self.override[key] = value_of(value)
        init = self.service.pop("init", False)
        self.written["init"] = init if isinstance(init, bool) else False
        if not isinstance(init, bool):
            self.override["init"] = value_of(init)
        self._take_logging()

    def _fits(self, key: str, value: Any, pattern: str) -> bool:
        if key in self.request.banned or not isinstance(value, str):
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
        logging = self.service.pop("logging", None)
        options = logging.get("options") if isinstance(logging, dict) else None
        simple = isinstance(logging, dict) and all(isinstance(one, str | int) for one in (options or {}).values())
        if logging is None:
            self.written["logging"] = False
        elif simple and "logging" not in self.request.banned:
            self.written["logging"] = {key: value_of(value) for key, value in logging.items() if value}
        else:
            self.written["logging"] = False
            self.override["logging"] = value_of(logging)

    def _take_ports(self, listens: int | None) -> None:
        recognise = self.engine.recognise
        usual = recognise.port if recognise is not None else int(self.engine.defaults.get("port", 8000))
        written = self.service.pop("ports", None)
        if "port" in self.request.banned:
            fields, rest = take_ports([], listens, usual)
            rest = [value_of(port) for port in _list(written)]
        else:
            fields, rest = take_ports(written, listens, usual)
        self.written |= fields
        if rest:
            self.override["ports"] = rest

    def _take_environment(self) -> None:
        written = by_name(self.service.pop("environment", None)) or {}
        if isinstance(written, list):  # of entries that name no variable
            self.override["environment"] = value_of(written)
            written = {}
        environment: dict[str, Any] = {}
        passed = [name for name, value in written.items() if value is None]
        by_variable = {name: field for field, name in self.engine.field_env.items()}
        for name, value in written.items():
            if value is None or self._take_field(by_variable.get(name, ""), value):
                continue
            environment[name] = value_of(env_text(value))
        for name in self._added_variables():
            if name not in written:
                environment[name] = False
        if passed and all(re.fullmatch(t.VARIABLE_PATTERN, name) for name in passed):
            self.written["pass"] = passed
        elif passed:
            self.override["environment"] = dict.fromkeys(passed)
        self.written |= {"environment": environment} if environment else {}
        env_file = self.service.pop("env_file", None)
        if env_file is not None:
            self._take_env_file(env_file)

    def _take_field(self, field: str, value: Any) -> bool:
        """Take a variable that a field of the tier says, if its value fits."""
        if not field or field in self.request.banned or self.request.form != "fields" or field in self.written:
            return False
        try:
            if field in ("context_length", "max_sequences"):
                self.written[field] = typed(env_text(value), whole)
            elif field == "served_name":
                self.written[field] = typed(env_text(value), str)
            else:
                return False
        except ValueError:
            return False
        return True

    def _added_variables(self) -> Iterator[str]:
        """Yield the variables that the tool would add."""
        engine = self.engine
        for name, value in engine.environment.items():
            if "{hub_cache}" not in value or self.model_from_hub:
                yield name
        if self.model_from_hub:
            yield from engine.hub_environment
        named = engine.field_env.get("served_name")
        if named is not None and "served_name" not in self.written:
            yield named
        if "gpus" in self.written:
            yield from usual_vendor(self.catalog).environment

    def _take_env_file(self, written: Any) -> None:
        entries = [written] if isinstance(written, str) else _list(written)
        found: list[Any] = []
        for entry in entries:
            table = entry if isinstance(entry, dict) else {"path": entry}
            if table.keys() <= {"path", "required"} and not has_variable(table.get("path")):
                path = self.request.move(str(table["path"]))
                found.append({"path": path, "required": False} if table.get("required") is False else path)
            else:
                self.override["env_file"] = value_of(moved_keys({"env_file": written}, self.request.move)["env_file"])
                return
        self.written |= {"env_file": found} if found else {}

    def _take_mounts(self, mounts: list[MountRead]) -> None:
        if self.engine.caches:
            self.written["caches"] = False
        found: dict[str, Any] = {}
        rest = []
        for mount in mounts:
            if mount.fields is None or "mounts" in self.request.banned or mount.target in found:
                rest.append(mount.written)
            else:
                found[mount.target] = mount_value(mount.fields)
        self.written |= {"mounts": found} if found else {}
        if rest:
            self.override["volumes"] = rest

    def _take_networks(self) -> None:
        written = self.service.pop("networks", None)
        if isinstance(written, dict):
            empty = not any(written.values())
            written = [*written] if empty else {name: value_of(table or {}) for name, table in written.items()}
        if written:
            self.written["networks"] = written

    def _take_health(self) -> None:
        written = self.service.pop("healthcheck", None)
        if not isinstance(written, dict) or not written:
            self.written["healthcheck"] = False
            return
        disabled = written.get("disable") in (True, "true")
        fits = "healthcheck" not in self.request.banned and (disabled or written.get("test"))
        table = {"disable": True} if disabled else health_of(written)
        if not fits or table is None:
            self.written["healthcheck"] = False
            self.override["healthcheck"] = value_of(written)
            return
        self.written["healthcheck"] = table
        if "start_period" not in written and not disabled:
            self.written["start_period"] = False

    def _take_rest(self) -> None:
        """Take the other keys as Compose has them."""
        keys = {key: value for key, value in self.service.items() if not key.startswith("x-") and value is not None}
        for key in keys.keys() & {"labels", "annotations", "sysctls"}:
            named = by_name(keys[key])
            keys[key] = without_nulls(named, key) if isinstance(named, dict) else named
        for key, value in value_of(moved_keys(keys, self.request.move)).items():
            place = self.written if key in OWN_KEYS and key not in self.request.banned else self.override
            place[key] = value
        for key, value in self._needs().items():
            self.written.setdefault(key, [] if isinstance(value, list) else False)
        if "image" in self.request.banned and "devices" not in self.written:
            self.written["devices"] = []  # its GPUs are nobody's to name: Docker's own runtime gives them to it
        if self.override:
            self.written["override"] = self.override

    def _needs(self) -> dict[str, Any]:
        """Return the keys of Compose that the tool adds for the image, and for some flags."""
        kind = kind_of(self.engine.image_kinds, plain(self.request.service.get("image") or ""))
        found = dict(kind.needs) if kind is not None else {}
        for name, value in self.flags.items():
            for key in (name, f"{name}={value}") if value is not False else ():
                found |= self.engine.flag_needs.get(key, {})
        return {key: value for key, value in found.items() if key not in self.override}

    def _switch_off(self) -> None:
        if self.flags:
            self.written["flags"] = self.flags
        if self.written.get("container_name") == self.request.name:
            del self.written["container_name"]


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
