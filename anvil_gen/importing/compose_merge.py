"""How Compose puts two mappings of services together: of several files, of `extends`, and of `include`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from anvil_gen.importing.yaml_reader import Tagged
from anvil_gen.resolve.override_merge import as_mapping, merge

_REPLACED = ("command", "entrypoint", "test")
"""Keys whose lists replace those below; all other lists are appended."""
_NAMED = ("additional_contexts", "annotations", "args", "depends_on", "environment", "labels", "networks", "sysctls")
"""Keys that are one mapping, whether they are written as one or as a list."""


def merged(below: Any, above: Any, key: str = "") -> Any:
    """Return a value with one of a later file on top."""
    if isinstance(above, Tagged):
        return untagged(above.value) if above.tag == "!override" else None
    if below is None or (above is None and key not in _REPLACED):
        return untagged(above) if above is not None else below
    if key in _NAMED:
        below, above = _as_mapping(key, below), _as_mapping(key, above)
    if key == "build":
        below, above = ({"context": value} if isinstance(value, str) else value for value in (below, above))
    if isinstance(below, dict) and isinstance(above, dict):
        return _tables(below, above, key)
    if isinstance(below, list) and isinstance(above, list) and key not in _REPLACED:
        if key == "volumes":
            return merge(below, untagged(above), key="volumes")
        return [*below, *(item for item in untagged(above) if item not in below)]
    return untagged(above)


def _as_mapping(key: str, value: Any) -> Any:
    found = as_mapping(key, value)
    return dict(found) if isinstance(found, Mapping) else value


def _tables(below: dict[str, Any], above: dict[str, Any], key: str) -> dict[str, Any]:
    if key == "logging" and "driver" in above and above["driver"] != below.get("driver"):
        below = {name: value for name, value in below.items() if name != "options"}
    found = dict(below)
    for name, value in above.items():
        if isinstance(value, Tagged) and value.tag == "!reset":
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value, name)
    return found


def untagged(value: Any) -> Any:
    """Return a value with nothing below it: what `!reset` removes is not there."""
    if isinstance(value, Tagged):
        return untagged(value.value) if value.tag == "!override" else None
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if not (isinstance(item, Tagged) and item.tag == "!reset")}
        return {key: untagged(item) for key, item in kept.items()}
    return [untagged(item) for item in value] if isinstance(value, list) else value


def extended(
    services: Mapping[str, Any], name: str, other: Callable[[str, str], Mapping[str, Any]], seen: tuple[str, ...] = ()
) -> Any:
    """Return a service with what it extends below it; ``other`` reads a service of another file.

    Raises:
        LookupError: what it extends is not there, or is itself; says which.
    """
    service = services.get(name)
    if not isinstance(service, dict) or "extends" not in service:
        return service
    reference = service["extends"]
    table = {"service": reference} if isinstance(reference, str) else reference
    base = table.get("service") if isinstance(table, dict) else None
    if not isinstance(base, str) or (base in (*seen, name) and "file" not in table):
        raise LookupError(f'"{name}" extends {base or "nothing"}')
    if "file" in table:
        below: Any = other(str(table["file"]), base)
    else:
        below = extended(services, base, other, (*seen, name))
    if not isinstance(below, Mapping):
        raise LookupError(f'"{name}" extends "{base}", which is not there')  # noqa: TRY004  of the source, not of ours
    return merged(dict(below), {key: value for key, value in service.items() if key != "extends"})
