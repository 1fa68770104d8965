"""Compose keys that an inventory writes itself, and one form for those that Compose takes in several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from anvil_gen.host_paths import is_absolute
from anvil_gen.inventory.env_references import TABLES, reference
from anvil_gen.inventory.lock_file import Lock
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.model import Mount
from anvil_gen.values import ComposeText, compose_text, escape_dollars

_PORT = lazy_pattern("[0-9]{1,5}")
_PUBLISHED = lazy_pattern(r"(?:(?P<bind>[0-9.]+|\[[0-9a-fA-F:]+\]):)?(?P<port>[0-9]{1,5}):[0-9]{1,5}(?:/tcp)?")
EMPTY_LISTS = ("command", "entrypoint")
"""Keys for which an empty list is not the same as none; of the others, Compose refuses some in an included file."""
NAMED_VOLUME = lazy_pattern(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


def flag_value(value: Any) -> Any:
    """Return a flag's value with references to variables resolved."""
    text = reference(value)
    if text is not None:
        return text
    return [flag_value(item) for item in value] if isinstance(value, list) else value


def compose_form(value: Any, *, table: bool = True) -> Any:
    """Return a value of the inventory as a compose file holds it: every `$` literal, but for references.

    With ``table``, what ``value`` has is no reference itself. Lists that say nothing are left out.
    """
    text = None if table else reference(value)
    if text is not None:
        return ComposeText(compose_text(text))
    if isinstance(value, dict):
        kept = {str(key): item for key, item in value.items() if item != [] or key in EMPTY_LISTS}
        return {key: compose_form(item, table=key in TABLES) for key, item in kept.items()}
    if isinstance(value, list):
        return [compose_form(item, table=False) for item in value]
    return ComposeText(escape_dollars(value)) if isinstance(value, str) else value


def with_image(keys: Mapping[str, Any], lock: Lock) -> Mapping[str, Any]:
    """Return Compose's own keys with the digest that the lock holds their image to."""
    image = keys.get("image")
    if not isinstance(image, str) or "$" in image:  # a variable
        return keys
    return {**keys, "image": type(image)(lock.image(str(image)))}


def by_name(entries: Any) -> Any:
    """Return ``["NAME=value", "NAME"]`` as the mapping that it stands for; anything else as it is."""
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        return entries
    split = (entry.partition("=") for entry in entries)
    return {name: value if equals else None for name, equals, value in split}


def long_mount(mount: Any) -> dict[str, Any]:
    """Return a mount in Compose's long form."""
    if isinstance(mount, Mapping):
        return {"type": "", "source": "", "target": "", **mount}
    drive, rest = (mount[:2], mount[2:]) if mount[:1].isalpha() and is_absolute(mount) else ("", mount)
    source, _, target = rest.partition(":")
    target, _, options = target.partition(":")
    kind = "bind" if drive or source.startswith(("/", ".", "~", "\\")) else "volume"
    if not target:  # an anonymous volume
        return {"type": "volume", "source": "", "target": source}
    read_only = "ro" in options.split(",")
    bind = {"create_host_path": True}
    return {"type": kind, "source": drive + source, "target": target, "read_only": read_only, "bind": bind}


def named_volumes(mounts: Any) -> tuple[Mount, ...]:
    """Return the named volumes among a service's ``volumes``, in Compose's short or long form."""
    names: dict[str, Mount] = {}
    for mount in mounts if isinstance(mounts, list) else ():
        long = long_mount(mount if isinstance(mount, Mapping) else str(mount))
        source = str(long["source"]) if long["type"] == "volume" else ""
        if NAMED_VOLUME.fullmatch(source):
            names[source] = Mount(source=source, target="", volume=True)
    return tuple(names.values())


def named_files(keys: Mapping[str, Any], section: str) -> list[str]:
    """Return the names of the secrets or configs that a service, or its build, is given."""
    build = keys.get("build")
    lists = [keys.get(section), build.get(section) if isinstance(build, Mapping) else None]
    items = [item for entries in lists if isinstance(entries, list) for item in entries]
    return [str(item.get("source", "") if isinstance(item, Mapping) else item) for item in items]


def starts_nothing(keys: Mapping[str, Any]) -> bool:
    """Tell whether Compose starts no container of a service: it claims no port and no name then."""
    deploy = keys.get("deploy")
    replicas = deploy.get("replicas") if isinstance(deploy, Mapping) else None
    return "0" in (str(keys.get("scale")), str(replicas))


def published_ports(ports: Any) -> Iterator[tuple[int, str, int]]:
    """Yield place, host address and number of the single TCP ports that a service publishes, in either form."""
    for index, port in enumerate(ports if isinstance(ports, list) else ()):
        if isinstance(port, Mapping):
            if port.get("protocol", "tcp") == "tcp" and _PORT.fullmatch(str(port.get("published"))):
                yield index, str(port.get("host_ip", "0.0.0.0")), int(port["published"])  # noqa: S104  Compose's default
            continue
        match = _PUBLISHED.fullmatch(str(port))
        if match is not None:
            yield index, (match["bind"] or "0.0.0.0").strip("[]"), int(match["port"])  # noqa: S104  Compose's default
