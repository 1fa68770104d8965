"""Services in Compose's own keys for tests: drawn from the types that Compose takes, some of them a little wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from msgspec import inspect as types

from anvil_gen.inventory import compose_spec
from anvil_gen.inventory.struct_errors import type_info

if TYPE_CHECKING:
    from collections.abc import Iterable

SERVICE: Any = type_info(compose_spec.Service)

_TEXTS = (
    *("x", "", "a", "10", "-1", "1.5", "1g", "512m", "1.5 GiB", "30s", "1m30s", "1d", "true", "off", "maybe", "all"),
    *("80:80", "127.0.0.1:81:80", "90-92:90-92", "1-3:1-2", "99999:1", "[::1]:1:1", "localhost:1:1", "80/udp", "1/foo"),
    *("data:/data", "/a:/b", "/a:/b:ro", "./a:/b", "a b:/c", "/a:", ":", "/only", "/a:/b:c:d", "C:/a:/b"),
    *("A=1", "B", "a:1.1.1.1", "a=1.1.1.1", "CMD", "CMD-SHELL", "NONE", "service:other", "service:none", "host"),
    *("other", "none", "default", "a 'b", "a; b", "(", '"q" w', "z", "no", "linux/amd64", "service_healthy", "rebuild"),
    *("$X", "1e3", "+1", "0", "é", "a\nb"),
)
_NUMBERS = (0, 1, 2, 80, 100, 1000, 70000, -1, 2**40)

_LIKELY: dict[str, tuple[Any, ...]] = {
    "image": ("x", "x:1"),
    "depends_on": (["other"], {"other": {"condition": "service_healthy"}}),
    "networks": (["default"], {"default": {"aliases": ["a"]}}),
    "ports": (["80:80"], [80], [{"target": 80, "published": "81"}], ["1-3:1-3/udp"]),
    "volumes": (["data:/data", "/a:/b:ro"], [{"type": "bind", "source": "/a", "target": "/b"}]),
    "healthcheck": ({"test": ["CMD", "true"], "interval": "10s"},),
    "env_file": ([{"path": "/nowhere.env", "required": False}],),
}
_NOT_HERE = frozenset({"extends", "env_file", "label_file", "credential_spec"})
"""Keys that are about files which exist only on one machine."""


def values(kind: types.Type, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return values that are mostly of a type, whatever their forms."""
    if isinstance(kind, types.Metadata):
        return values(kind.type, depth)
    if isinstance(kind, types.UnionType):
        return st.one_of([values(choice, depth) for choice in kind.types if not isinstance(choice, types.NoneType)])
    if isinstance(kind, types.StructType):
        return mappings(kind, depth)
    if isinstance(kind, types.DictType):
        return st.dictionaries(
            st.sampled_from(("a", "default", "other", "nofile")), values(kind.value_type, depth + 1), max_size=2
        )
    if isinstance(kind, types.ListType):
        return st.lists(values(kind.item_type, depth + 1), max_size=2)
    if isinstance(kind, types.LiteralType):
        return st.sampled_from((*kind.values, "x"))
    plain = {types.BoolType: st.booleans(), types.IntType: st.sampled_from(_NUMBERS), types.FloatType: st.just(1.5)}
    return plain.get(type(kind), st.sampled_from(_TEXTS))


def mappings(kind: types.StructType, depth: int = 0, without: Iterable[str] = ()) -> st.SearchStrategy[dict[str, Any]]:
    """Return tables with a few of a struct's keys."""
    fields = {field.encode_name: field for field in kind.fields if field.encode_name not in without}
    required = {name: values(field.type, depth + 1) for name, field in fields.items() if field.required}
    names = st.lists(st.sampled_from(sorted(fields)), max_size=2 if depth else 3, unique=True)

    def filled(chosen: list[str]) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({**{name: values(fields[name].type, depth + 1) for name in chosen}, **required})

    return names.flatmap(filled)


def services() -> st.SearchStrategy[dict[str, Any]]:
    """Return services of an image, with a few further keys."""
    likely = st.lists(st.sampled_from(sorted(_LIKELY)), max_size=2, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: st.sampled_from(_LIKELY[name]) for name in names})
    )
    further = mappings(SERVICE, without=_NOT_HERE)
    return st.builds(lambda some, more: {"image": "x", **some, **more}, likely, further)
