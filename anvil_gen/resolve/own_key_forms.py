"""What Compose refuses in its own keys although the types are right: forms of texts, keys that exclude each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from anvil_gen.inventory.compose_decode import added_items
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.compose_keys import NAMED_VOLUME, long_mount
from anvil_gen.text.interpolation import looks_interpolated
from anvil_gen.values import KeyPath

Found = Iterator[tuple[KeyPath, str, str]]
"""Places of a table, each with what is wrong and what to write."""

_NUMBERS = "[0-9]{1,10}(?:-[0-9]{1,10})?"
_PORT = lazy_pattern(
    rf"(?:(?:(?P<bind>[^:\[\]]*|\[[^\]]*\]):)?(?P<host>{_NUMBERS})?:)?(?P<target>{_NUMBERS})(?:/(?P<protocol>.*))?"
)
_PROTOCOLS = ("", "tcp", "udp", "sctp")
_PORT_REMEDY = 'write "127.0.0.1:8080:80": address, port of the host, port of the container'
_DRIVE = lazy_pattern(r"(?:(?<=^)|(?<=:))[A-Za-z]:(?=[\\/])")
_UNIQUE = frozenset(
    {
        *("capabilities", "depends_on", "device_cgroup_rules", "device_ids", "external_links", "extra_hosts"),
        *("group_add", "networks", "options", "security_opt", "ssh", "volumes_from"),
    }
)
"""Keys whose lists Compose refuses with an item that is there twice."""


def form_errors(table: Mapping[str, Any]) -> Found:
    """Yield what is wrong in a service's own keys, whose types are right."""
    for key, rule in _RULES.items():
        if key in table:
            for path, item in _items(key, table[key]):
                for detail, remedy in rule(item):
                    yield path, detail, remedy
    for key in ("command", "entrypoint"):
        detail = shell_error(table[key]) if isinstance(table.get(key), str) else ""
        if detail:
            yield (key,), detail, "quote it, or write a list: one argument an item"
    yield from _excluding(table)
    yield from _repeated(table, ())


def declared_errors(section: str, table: Mapping[str, Any]) -> Found:
    """Yield what is wrong in a volume's own keys, whose types are right: of an external one, Compose takes the name."""
    if section == "volumes" and table.get("external") is True:
        for key in table:
            if key not in ("external", "name") and not key.startswith("x-"):
                yield (key,), "an external volume has all of it already", "remove it, or external"


def _items(key: str, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the items of a list, also of one that is added to another."""
    added = added_items(value)
    path: KeyPath = (key,) if added is None else (key, "add")
    items = value if added is None else added
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if not (isinstance(item, str) and looks_interpolated(item)):  # which is reported for what it is
            yield (*path, index), item


def _port(port: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(port, str):
        return
    match = _PORT.fullmatch(port)
    problem = f'"{port}" is no port' if match is None else _port_problem(match)
    if problem:
        yield problem, _PORT_REMEDY


def _port_problem(match: re.Match[str]) -> str:
    bind, protocol = match["bind"], (match["protocol"] or "").lower()
    if bind and not _is_address(bind):
        return f'"{bind}" is no IP address'
    if protocol not in _PROTOCOLS:
        return f'"{protocol}" is no protocol: tcp, udp or sctp'
    target, host = _range(match["target"]), _range(match["host"] or "")
    if target is None or host is None or target[0] == 0:
        return f'"{match[0]}" has no port from 1 to 65535'
    sizes = [last - first for first, last in (target, host)]
    return f'"{match[0]}" has ranges of two lengths' if match["host"] and sizes[0] and sizes[0] != sizes[1] else ""


def _range(text: str) -> tuple[int, int] | None:
    """Return the first and last port of a range; None where it is none."""
    first, _, last = text.partition("-")
    start, end = int(first or 0), int(last or first or 0)
    return (start, end) if start <= end <= 65535 else None


def _is_address(text: str) -> bool:
    from ipaddress import ip_address  # noqa: PLC0415  costs 2 ms, and most ports need it not

    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return "%" not in text


def _volume(mount: Any) -> Iterator[tuple[str, str]]:
    if isinstance(mount, str):
        parts = _DRIVE.sub("", mount).split(":")
        if len(parts) > 3 or not all(parts):
            yield f'"{mount}" is no mount', 'write "source:/target", or "source:/target:ro"'
            return
    elif not isinstance(mount, Mapping) or (mount.get("type") == "bind" and "source" not in mount):
        yield "a bind mount has no source", 'write source = "/a/folder/of/the/host"'
        return
    long = long_mount(mount)
    source = long["source"]
    if long["type"] == "volume" and isinstance(source, str) and source and not NAMED_VOLUME.fullmatch(source):
        yield f'"{source}" is no name of a volume', "write letters, digits, -, _ and ., at least two; or a path"


def _device(device: Any) -> Iterator[tuple[str, str]]:
    if isinstance(device, str) and device.count(":") > 2:
        yield f'"{device}" is no device', 'write "/dev/a:/dev/b:rwm"'


def _gpu_request(request: Any) -> Iterator[tuple[str, str]]:
    if isinstance(request, Mapping) and "count" in request and "device_ids" in request:
        yield '"count" and "device_ids" exclude each other', "keep one of them"


def _watch(rule: Any) -> Iterator[tuple[str, str]]:
    if isinstance(rule, Mapping) and rule.get("action") != "rebuild" and not rule.get("target"):
        yield f'"{rule.get("action")}" has no target', 'write target = "/a/folder/of/the/container"'


_RULES: dict[str, Callable[[Any], Iterator[tuple[str, str]]]] = {
    "ports": _port,
    "volumes": _volume,
    "devices": _device,
    "gpus": _gpu_request,
}


def _excluding(table: Mapping[str, Any]) -> Found:
    """Yield what is wrong in the mappings of a service."""
    for path, rule in (
        (("deploy", "resources", "reservations", "devices"), _gpu_request),
        (("develop", "watch"), _watch),
    ):
        value = _at(table, path)
        for (_, *where), item in _items("", value) if value is not None else ():
            yield from (((*path, *where), detail, remedy) for detail, remedy in rule(item))
    test = _at(table, ("healthcheck", "test"))
    if isinstance(test, list) and test and isinstance(test[0], str) and test[0] not in ("CMD", "CMD-SHELL", "NONE"):
        yield ("healthcheck", "test"), f'it begins with "{test[0]}"', 'begin it with "CMD", "CMD-SHELL" or "NONE"'
    extends = table.get("extends")
    if isinstance(extends, str) or (isinstance(extends, Mapping) and "file" not in extends):
        yield ("extends",), "each service is in a file of its own", "write file too, or [defaults] for all tiers"
    build = table.get("build")
    if isinstance(build, Mapping) and build.get("dockerfile") and build.get("dockerfile_inline"):
        yield ("build", "dockerfile"), '"dockerfile_inline" is set too', "keep one of them"
    platforms, platform = _at(table, ("build", "platforms")), table.get("platform")
    if isinstance(platforms, list) and platforms and isinstance(platform, str) and platform not in ("", *platforms):
        yield ("build", "platforms"), f'"{platform}" is not among them', "add the service's own platform"


def _at(table: Any, path: KeyPath) -> Any:
    for key in path:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table


def _repeated(value: Any, path: KeyPath) -> Found:
    """Yield items that are twice in a list which may have each only once."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not str(key).startswith("x-"):
                yield from _repeated(item, (*path, key))
    elif isinstance(value, list):
        keys = [key for key in path if isinstance(key, str) and key != "add"]
        once = bool(keys) and (keys[-1] in _UNIQUE or (keys[-1] == "environment" and len(path) > 2))
        for index, item in enumerate(value):
            if once and item in value[:index]:
                yield (*path, index), f'"{item}" is there twice', "remove one"
            yield from _repeated(item, (*path, index))


def shell_error(line: str) -> str:
    """Return what is wrong with a command in one text, as Compose splits it; empty where nothing is."""
    quote, word, escaped = "", "", False
    for char in line:
        if escaped or (char == "\\" and quote != "'"):
            escaped = not escaped
            word += char
        elif char in "'\"`" and quote in ("", char):
            quote = "" if quote else char
        elif quote in ("'", '"', "`"):
            continue
        elif char == "(" and not (not quote and word.endswith("$")):
            return "a parenthesis stands outside of quotes"
        elif char in "()":
            quote = "" if quote else ")"
        elif char in ";&|<>" and not quote:
            return f'Compose drops what follows "{char}" outside of quotes: no shell runs it'
        word = "" if char.isspace() else word + char
    return "a quote is not closed" if quote or escaped else ""
