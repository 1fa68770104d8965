"""The order in which a tree's files are replaced, so that Compose accepts what is there at any instant."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from anvil_gen.deploy.contained_folder import temporary_name
from anvil_gen.patterns import lazy_pattern
from anvil_gen.resolve.root_files import included

_ROOT = lazy_pattern(r"docker-compose(?:\.[^/]+)?\.yml")


class Step(NamedTuple):
    """One file replaced as a whole, or removed where ``text`` is None."""

    path: str
    text: str | None


def write_steps(
    files: Mapping[str, str], *, created: Collection[str], updated: Collection[str], removed: Collection[str]
) -> Iterator[Step]:
    """Yield the steps from what is on disk to ``files``.

    New files come first, then changed ones, the root files after all that they include, removals last. Where a root
    file and what it includes change in more than one place, no order would do: two tiers may have to say the same of a
    volume, or name each other. Such a root first becomes one that includes copies of the changed files.
    """
    roots = {path for path in {*files, *removed} if _ROOT.fullmatch(path)}
    bridges = dict(_bridges(files, (roots & files.keys()) - {*created}, {*updated}))
    copies = {copy: files[path] for copied in bridges.values() for path, copy in copied.items()}
    yield from (Step(path, files[path]) for path in sorted({*created} - roots))
    yield from (Step(path, text) for path, text in sorted(copies.items()))
    yield from (Step(path, None) for path in sorted({*removed} & roots))
    yield from (Step(root, _bridge(files[root], root, copied)) for root, copied in bridges.items())
    yield from (Step(path, files[path]) for path in sorted({*updated} - roots))
    yield from (Step(path, files[path]) for path in sorted(({*created, *updated} & roots) | bridges.keys()))
    yield from (Step(path, None) for path in sorted({*removed} - roots))
    yield from (Step(path, None) for path in sorted(copies))


def _bridges(files: Mapping[str, str], roots: set[str], updated: set[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each root file in whose project several files change, with the copies of these by their paths."""
    for root in sorted(roots) if len(updated) > 1 else ():
        changed = sorted(updated.intersection(path for path, _ in included(_data(files[root], root))))
        if len(changed) + (root in updated) > 1:
            yield root, {path: _copy_of(path, files[path]) for path in changed}


def _copy_of(path: str, text: str) -> str:
    """Return the path of a copy in the same folder, from where Compose finds what the file mounts."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{temporary_name(name, text, 'yml')}"


def _bridge(text: str, root: str, copies: Mapping[str, str]) -> str:
    """Return a root file that includes copies instead, below the comment that says whose it is."""
    data = _data(text, root)
    comment = "".join(line for line in text.splitlines(keepends=True)[:2] if line.startswith("#"))
    entries = [_copied(entry, copies) for entry in data.get("include", ())]
    return f"{comment}{msgspec.json.encode({**data, 'include': entries}).decode()}\n"


def _copied(entry: Any, copies: Mapping[str, str]) -> Any:
    """Return an entry of `include` with the copy of its file, where there is one."""
    if isinstance(entry, dict):
        return {**entry, "path": copies.get(entry["path"], entry["path"])}
    return copies.get(entry, entry)


def _data(text: str, path: str) -> dict[str, Any]:
    from anvil_gen.render.syntaxes import parse  # noqa: PLC0415  only where several files change

    data: dict[str, Any] = parse(text, path)
    return data
