"""Hold the dashboards of `[monitoring]` against Grafana's own types, and record the keys that it knows.

python tools/check_dashboards.py

Needs `pip install 'grafana-foundation-sdk==1769699379!11.6.0'`, which has Grafana's published schema as types of
Python, next to what `pip install -e .[dev]` installs. Where a key is not known, or a value is of another type, nothing
is written. `tests/unit/tools/test_dashboard_keys.py` compares the record with what is rendered now.
"""

from __future__ import annotations

import enum
import json
import sys
import tempfile
import types
import typing
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RECORD = HERE.parent / "tests" / "unit" / "tools" / "dashboard_keys.json"
PACKAGE = "grafana-foundation-sdk"
_INVENTORY = """schema = 1
[paths]
models = "/m"
[gpus.one]
uuid = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
[tiers.one]
engine = "vllm"
gpus = ["one"]
model = { path = "one" }
[tiers.two]
engine = "llamacpp"
model = { file = "two.gguf" }
[router]
[monitoring]
"""
Place = tuple[str, ...]


def main() -> int:
    """Check all dashboards, and write the record; 1 where Grafana does not know something."""
    with tempfile.TemporaryDirectory() as folder:
        found = dashboards(Path(folder))
    problems = [f"{name}: {problem}" for name, data in found.items() for problem in unknown(data)]
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    if not problems:
        keys = sorted({key for data in found.values() for key in keys_of(data)})
        record = {PACKAGE: version(PACKAGE), "checked": f"{datetime.now(UTC):%Y-%m-%d}", "keys": keys}
        RECORD.write_text(json.dumps(record, indent=1) + "\n", "utf-8", newline="\n")
    return 1 if problems else 0


def dashboards(folder: Path) -> dict[str, Any]:
    """Return the dashboards of a host with a GPU, tiers of two engines and a router."""
    sys.path.insert(0, str(HERE.parent))
    from anvil_gen.deploy.pipeline import Generator  # noqa: PLC0415

    (folder / "hosts").mkdir()
    (folder / "hosts" / "box.toml").write_text(_INVENTORY, "utf-8")
    tree = Generator().render(folder / "hosts" / "box.toml").tree
    return {path: tree.data[path] for path in tree.files if path.startswith("monitoring/dashboards/")}


def keys_of(value: Any, place: Place = ()) -> Iterator[str]:
    """Yield each key of a dashboard, by its path and the type of its value; `[]` stands for any place of a list."""
    if value in ({}, []):
        yield f"{'.'.join(place)}: empty {type(value).__name__}"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from keys_of(item, (*place, key))
    elif isinstance(value, list):
        for item in value:
            yield from keys_of(item, (*place, "[]"))
    else:
        yield f"{'.'.join(place)}: {type(value).__name__}"


def unknown(data: dict[str, Any]) -> Iterator[str]:
    """Yield what Grafana's types do not have, or have of another type."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: PLC0415
    from grafana_foundation_sdk.cog.plugins import register_default_plugins  # noqa: PLC0415
    from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: PLC0415

    register_default_plugins()
    read = Dashboard.from_json(data)
    back = json.loads(json.dumps(read, cls=JSONEncoder))
    yield from _lost(data, back, ())
    yield from _mistyped(read, Dashboard, ())


def _lost(written: Any, back: Any, place: Place) -> Iterator[str]:
    """Yield what is not in a dashboard any more once the types have read it and written it again."""
    if isinstance(written, dict) and isinstance(back, dict):
        for key, value in written.items():
            if key not in back:
                yield f"{'.'.join((*place, key))} is not known"
            else:
                yield from _lost(value, back[key], (*place, key))
    elif isinstance(written, list) and isinstance(back, list) and len(written) == len(back):
        for index, pair in enumerate(zip(written, back, strict=True)):
            yield from _lost(*pair, (*place, str(index)))
    elif written != back:
        yield f"{'.'.join(place)}: {written!r} is read as {back!r}"


def _mistyped(value: Any, hint: Any, place: Place) -> Iterator[str]:
    """Yield values that are not of the types that Grafana's classes declare."""
    choices = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    found = [list(_problems(value, one, place)) for one in choices]
    yield from min(found, key=len)


def _problems(value: Any, hint: Any, place: Place) -> Iterator[str]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object):  # the options of a kind of panel have a class of their own
        hint = type(value)
    if origin is list and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _mistyped(item, arguments[0], (*place, str(index)))
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from _mistyped(item, arguments[1], (*place, key))
    elif not _is_of(value, hint, origin, arguments):
        yield f"{'.'.join(place)}: {value!r} is not {hint}"
    elif hasattr(value, "to_json"):
        hints = typing.get_type_hints(type(value))
        for name, item in vars(value).items():
            yield from _mistyped(item, hints.get(name, Any), (*place, name))


def _is_of(value: Any, hint: Any, origin: Any, arguments: tuple[Any, ...]) -> bool:
    if origin is typing.Literal:
        return value in arguments
    if hint is None or hint is type(None):
        return value is None
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return value in [one.value for one in hint] or isinstance(value, hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint if isinstance(hint, type) else origin or object)


if __name__ == "__main__":
    sys.exit(main())
