"""Relative paths of an inventory: they mean the inventory's folder, and a compose file takes them from its own."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from msgspec import Struct

from anvil_gen.host_paths import is_absolute
from anvil_gen.inventory.compose_decode import added_items
from anvil_gen.inventory.env_references import env_reference, reference
from anvil_gen.inventory.schema_own_keys import own_keys
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.layers import Layer, set_fields
from anvil_gen.text.interpolation import fill_variables
from anvil_gen.values import Interpolation, KeyPath, compose_text, split_compose_text

Move = Callable[[str], str]
"""From a text with a path of the inventory to that text with the path as the compose file has it."""

PLACED = ("tiers", "services")
"""Folders of the tree whose files may have their relative paths from another folder: `project_directory`."""
_REMOTE = ("git@", "github.com/", "service:", "target:")


def move_to(context: ResolveContext, folder: str = "") -> Move:
    """Return how a path that is relative to the inventory's folder is written in a folder of the tree.

    Absolute paths and those of the home folder stay; what is on another drive than the tree is reported.
    """
    return _moved_from(context, context.folder, folder)


def in_tree(context: ResolveContext, folder: str) -> Move:
    """Return how a path of the tree that is relative to a folder of it is written there."""
    return _moved_from(context, context.output / folder, folder)


def project_directory(context: ResolveContext) -> str:
    """Return the folder that the host names for relative paths, as the tree's root files have it; empty for none.

    It is relative in any case: where one file's folder is absolute and another's is not, Compose takes one and the same
    volume for two.
    """
    named = context.project_directory
    return "" if named is None else _moved_from(context, context.folder / named, "")(".")


def _moved_from(context: ResolveContext, start: Path, folder: str) -> Move:
    named = context.project_directory if folder in PLACED else None
    base = context.output / folder if named is None else context.folder / named
    try:
        way = _way(str(start), str(base))
    except ValueError:
        detail = "it is on another drive than the inventory: no relative path leads from one to the other"
        context.collector.add(
            "not-a-folder-for-the-tree", ("host", "output"), detail, "name a folder on the same drive"
        )
        way = "."

    def move(written: str) -> str:
        if not written or written.startswith("~") or is_absolute(written):
            return written
        path = posixpath.normpath(posixpath.join(way, written))
        return path if path.split("/")[0] == ".." else f"./{path}"

    return move


@lru_cache(maxsize=64)
def _way(start: str, base: str) -> str:
    """Return the path from where Compose takes relative paths from to another folder; every service asks for it."""
    return PurePath(os.path.relpath(start, base)).as_posix()


def with_context(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return a whole service of which a build names its context: without one, Compose takes the folder of the file."""
    build = keys.get("build")
    if not isinstance(build, Mapping) or reference(build) is not None:
        return dict(keys)
    return {**keys, "build": {"context": ".", **build}}


def moved_keys(keys: Any, move: Move) -> Any:
    """Return Compose's own keys of a service with every relative path moved."""
    return _moved(keys, (), move)


def moved_texts(keys: Any, move: Move) -> Any:
    """Return a service of a compose file with every relative path moved, also those that are defaults of variables."""

    def moved(written: str) -> str:
        return with_moved_default(written, move) if written.startswith("$") else move(written)

    found = moved_keys(keys, moved)
    mounts = found.get("volumes") if isinstance(found, dict) else None
    if not isinstance(mounts, list):
        return found
    short = [with_moved_default(one, _unless_volume(move)) if isinstance(one, str) else one for one in mounts]
    return {**found, "volumes": short}


def with_moved_default(text: str, move: Move) -> str:
    """Return a path; one that begins with a variable, with its default moved."""
    first = next((part for part in split_compose_text(text) if part), "")
    if not isinstance(first, Interpolation) or not first.has_default:
        return text
    head, word = f"${{{first.name}{first.operator}", first.word
    if "$" in word or not text.startswith(head + word):
        return text
    return f"{head}{move(word)}{text[len(head + word) :]}"


def _unless_volume(move: Move) -> Move:
    """Move what is no volume's name: in the short form of a mount, a path has to look like one."""
    return lambda written: move(written) if written.startswith(".") else written


def placed_layers(context: ResolveContext, table: Struct, path: KeyPath, folder: str) -> Iterator[Layer]:
    """Yield what a table of the inventory says, lowest first, with the paths of its override as a folder has them.

    Compose's own keys come first: they are an override, written shorter, which the table's `override` goes on top of.
    """
    name, fields = f"[{'.'.join(map(str, path))}]", set_fields(table)
    own = own_keys(fields)
    if own:
        yield Layer(name=name, values={"override": moved_keys(own, move_to(context, folder))}, path=path)
        fields = {key: value for key, value in fields.items() if key not in own}
    if fields.get("override"):
        fields["override"] = moved_keys(fields["override"], move_to(context, folder))
    yield Layer(name=name, values=fields, path=path)


def moved_volume(keys: Mapping[str, Any], move: Move) -> Mapping[str, Any]:
    """Return Compose's own keys of a volume, its folder moved where it stands for one of the host."""
    options = keys.get("driver_opts")
    is_bind = isinstance(options, Mapping) and options.get("o") == "bind"
    return {**keys, "driver_opts": _moved(options, ("driver_opts",), move)} if is_bind else keys


def with_defaults(value: Any) -> Any:
    """Return a value of Compose's own keys; of a text with variables, what it is where none is set."""
    text = reference(value)
    return value if text is None else fill_variables(compose_text(text), {})


def written_paths(keys: Any, path: KeyPath, place: tuple[str, ...] = ()) -> Iterator[tuple[KeyPath, str]]:
    """Yield what Compose takes for a path of the host in Compose's own keys, each with its place in the inventory."""
    at_leaf = _PATHS.get(place)
    text = keys if at_leaf is None else with_defaults(keys)
    if at_leaf is not None and isinstance(text, str):
        found: list[str] = []
        at_leaf(text, lambda written: found.append(written) or written)  # type: ignore[func-returns-value]
        yield from ((path, one) for one in found)
    elif isinstance(keys, Mapping):
        added = added_items(keys)
        if added is not None:
            yield from written_paths(added, (*path, "add"), place)
        elif keys.get("type", "bind") == "bind" or place != ("volumes", "*"):
            for key, item in keys.items():
                yield from written_paths(item, (*path, key), _below(place, str(key)))
    elif isinstance(keys, list):
        for index, item in enumerate(keys):
            yield from written_paths(item, (*path, index), (*place, "*"))


def _moved(value: Any, place: tuple[str, ...], move: Move) -> Any:
    at_leaf = _PATHS.get(place)
    if at_leaf is not None and isinstance(value, str):
        return at_leaf(value, move)
    reference = env_reference(value)
    if reference is not None:
        has_path = at_leaf is not None and reference.default
        return {**value, "default": _moved(reference.default, place, move)} if has_path else value
    if isinstance(value, Mapping):
        added = added_items(value)
        if added is not None:
            return {"add": _moved(added, place, move)}
        if value.get("type", "bind") != "bind" and place == ("volumes", "*"):
            return value
        return {key: _moved(item, _below(place, str(key)), move) for key, item in value.items()}
    return [_moved(item, (*place, "*"), move) for item in value] if isinstance(value, list) else value


def _below(place: tuple[str, ...], key: str) -> tuple[str, ...]:
    """Return the place of a key, the names of what a person names being all one."""
    return (*place, "NAME" if place in _NAMED else key)


def _path(written: str, move: Move) -> str:
    return move(written)


def _context(written: str, move: Move) -> str:
    """Move the context of a build, unless it is an address or the name of a service."""
    return written if "://" in written or written.startswith(_REMOTE) else move(written)


def _assigned(written: str, move: Move) -> str:
    """Move the path of ``name=path``."""
    name, equals, path = written.partition("=")
    return f"{name}={_context(path, move)}" if equals else written


def _short_mount(written: str, move: Move) -> str:
    """Move the source of a mount in the short form; else it is a volume, or absolute."""
    source, colon, rest = written.partition(":")
    return f"{move(source)}:{rest}" if colon and source.startswith((".", "~")) else written


_PATHS: dict[tuple[str, ...], Callable[[str, Move], str]] = {
    ("volumes", "*"): _short_mount,
    ("volumes", "*", "source"): _path,
    ("env_file",): _path,
    ("env_file", "*"): _path,
    ("env_file", "*", "path"): _path,
    ("label_file",): _path,
    ("label_file", "*"): _path,
    ("extends", "file"): _path,
    ("build",): _context,
    ("build", "context"): _context,
    ("build", "additional_contexts", "NAME"): _context,
    ("build", "additional_contexts", "*"): _assigned,
    ("build", "ssh", "NAME"): _path,
    ("build", "ssh", "*"): _assigned,
    ("develop", "watch", "*", "path"): _path,
    ("driver_opts", "device"): _path,
    ("file",): _path,
}
"""Where Compose takes a text for a path that is relative to the file which has it."""
_NAMED = {("build", "additional_contexts"), ("build", "ssh")}
"""Tables whose keys are names; as lists, they hold ``name=path``."""
