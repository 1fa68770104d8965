"""What a person changed in a rendered compose file: whether the inventory says it too, and how it could."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from anvil_gen.deploy.compose_diff import by_name
from anvil_gen.diagnostics import may_hold_secret
from anvil_gen.inventory.schema import TierTable
from anvil_gen.inventory.schema_router import RouterTable
from anvil_gen.render.quoting import toml_string
from anvil_gen.values import KeyPath, address, canonical_flag

_LONGEST = 8
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}$]*))?\}")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_DROPPED = object()


def same_meaning(before: Any, after: Any, *, free_flags: bool) -> bool:
    """Tell whether two parsed compose files say the same to Compose.

    Args:
        before: the one.
        after: the other.
        free_flags: their commands are flags, whose order means nothing (but that of one that is repeated).
    """
    try:
        return bool(_frozen(_canonical(before, free_flags)) == _frozen(_canonical(after, free_flags)))
    except RecursionError:  # an alias of YAML may hold itself
        return False


def lost_lines(before: str, after: str) -> list[str]:
    """Return the lines with a `#` that a person's file has and another has not: what they say is lost with them."""
    kept = Counter(line.strip() for line in after.split("\n"))
    lost = []
    for line in (line.strip() for line in before.split("\n")):
        kept[line] -= 1
        if "#" in line and kept[line] < 0:
            lost.append(line)
    return lost


def suggestion(path: str, before: Any, after: Any, *, fields: Mapping[str, str] | None) -> list[str]:
    """Return lines for the inventory that say what ``before`` has and ``after`` has not; none where that is not clear.

    Args:
        path: the file's path in the tree.
        before: the data of the edited file.
        after: the data of the rendered one.
        fields: of a file whose command is flags, the fields of a tier by the flags that they set.
    """
    match = re.fullmatch(r"(tiers|services)/(.+)\.yml|router/compose\.yml", path)
    one, other = _only_service(before), _only_service(after)
    if match is None or one is None or other is None:
        return []
    table: KeyPath = (match[1], match[2]) if match[1] else ("router",)
    struct = RouterTable if match[1] is None else TierTable
    known = set(one) if match[1] == "services" else set(struct.__struct_fields__)
    # Whose command is made of flags takes none of Compose's own.
    known -= {"entrypoint", "command", "healthcheck"} if fields is not None else set()
    lines: list[str] = []
    for key, value in _more(one, other, ()):
        if key == ("command",) and fields is not None:
            lines += _flags(value, other.get("command"), fields)
        elif (text := _toml(key, value)) is not None:
            lines.append(f"{address(key if key[0] in known else ('override', *key))} = {text}")
    return [f"[{address(table)}]", *lines] if 0 < len(lines) <= _LONGEST else []


def _only_service(data: Any) -> dict[str, Any] | None:
    """Return the service of a file that has no more than one."""
    services = data.get("services") if isinstance(data, dict) else None
    (service,) = services.values() if isinstance(services, dict) and len(services) == 1 else (None,)
    return service if isinstance(service, dict) else None


def _canonical(data: Any, free_flags: bool) -> Any:
    """Return a compose file with one form for what Compose takes in several."""
    services = data.get("services") if isinstance(data, dict) else None
    if not isinstance(services, dict):
        return data
    told = {name: _service(entry, free_flags) if isinstance(entry, dict) else entry for name, entry in services.items()}
    return {**data, "services": told}


def _service(service: Mapping[str, Any], free_flags: bool) -> dict[str, Any]:
    named = {key: _named(service[key]) for key in ("environment", "labels") if key in service}
    if free_flags and _is_words(service.get("command")):
        named["command"] = _groups(service["command"])
    return {**service, **named}


def _named(entries: Any) -> Any:
    named = by_name(entries)
    if not isinstance(named, dict):
        return named
    return {name: str(value) if type(value) is int else value for name, value in named.items()}


def _is_words(command: Any) -> bool:
    return isinstance(command, list) and all(isinstance(word, str) for word in command)


def _groups(command: list[str]) -> list[list[str]]:
    """Return a command as its first words, and then each flag with its values, by the flags' names."""
    groups: list[list[str]] = [[]]
    for word in command:
        if word.startswith("--"):
            groups.append([word])
        else:
            groups[-1].append(word)
    return [groups[0], *sorted(groups[1:], key=lambda group: group[0].partition("=")[0])]


def _frozen(value: Any) -> Any:
    """Return a value that is equal to another only where the types of both are equal too."""
    if isinstance(value, dict):
        return frozenset((key, _frozen(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return type(value), repr(value)


def _more(one: Mapping[str, Any], other: Mapping[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Yield what a mapping has and another has not, or has otherwise."""
    for key, value in one.items():
        there = other.get(key, _DROPPED)
        if isinstance(value, dict) and isinstance(there, dict):
            yield from _more(value, there, (*path, str(key)))
        elif there is _DROPPED or _frozen(value) != _frozen(there):
            yield (*path, str(key)), value


def _flags(one: Any, other: Any, fields: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each flag that a command has and another has not."""
    if not _is_words(one) or not _is_words(other):
        return
    known = _groups(other)
    for word, *values in (group for group in _groups(one)[1:] if group not in known):
        name, equals, value = word.removeprefix("--").partition("=")
        written = [value] if equals else values
        field = fields.get(canonical_flag(name))
        texts = [text for text in (_text(name, value) for value in written) if text is not None]
        if field in TierTable.__struct_fields__ and len(texts) == 1:
            yield f"{field} = {written[0] if _NUMBER.fullmatch(written[0]) else texts[0]}"
        elif field is None and len(texts) == len(written):
            yield f"{address(('flags', name))} = {_several(texts)}"


def _several(texts: list[str]) -> str:
    if not texts:
        return "true"
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _toml(path: KeyPath, value: Any) -> str | None:
    """Return a value as an inventory spells it; None for what it would have to say in another way."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _text(str(path[-1]), value)
    if isinstance(value, list):
        items = [_toml(path, item) for item in value]
        return None if None in items else f"[{', '.join(item for item in items if item is not None)}]"
    if isinstance(value, dict):
        entries = [(address((str(key),)), _toml((*path, str(key)), item)) for key, item in value.items()]
        return None if None in dict(entries).values() else f"{{ {', '.join(f'{k} = {v}' for k, v in entries)} }}"
    return None


def _text(name: str, text: str) -> str | None:
    """Return a text of a compose file as an inventory spells it, a variable as a reference."""
    variable = _VARIABLE.fullmatch(text)
    if variable is not None:
        default = "" if variable[2] is None else f", default = {toml_string(variable[2])}"
        return f'{{ env = "{variable[1]}"{default} }}'
    if may_hold_secret(name):
        return f'{{ env = "{re.sub("[^A-Z0-9]+", "_", name.upper()).strip("_")}" }}'
    plain = text.replace("$$", "")
    return None if "$" in plain else toml_string(text.replace("$$", "$"))
