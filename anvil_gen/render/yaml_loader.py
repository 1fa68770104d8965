"""The data of a YAML text, read by libyaml where PyYAML has it.

A rendered file is plain: no aliases, no tags, no merged mappings. Its data are built straight from the parser's events,
in less than half of the time that PyYAML's nodes take; whatever is not plain is left to PyYAML's own safe loader. Both
refuse a key that is there twice, as Compose does; PyYAML by itself would keep the last.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any

import yaml

from anvil_gen.diagnostics import InternalError

FASTEST: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader by libyaml, ten times as fast, where PyYAML has it."""
_BASE: type[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_TEXT = "tag:yaml.org,2002:str"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_SPECIAL_KEYS = frozenset({"<<", "="})  # keys that PyYAML does not take for texts


_LONGEST_NUMBER = 400


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    """Return a number, and as a text one that nobody means: with parts to the base of 60, any length takes any time."""
    text = str(loader.construct_scalar(node))
    return text if len(text) > _LONGEST_NUMBER else _SCALARS.yaml_constructors[node.tag](loader, node)


class FastestNodes(_BASE):  # type: ignore[misc]
    """The same for who wants to know where values are, and not what they are: nobody asks for their types."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        return ""


class _NotPlainError(Exception):
    """The text holds what only the full loader reads."""


class _Loader(FASTEST):  # type: ignore[misc, valid-type]
    """A safe loader that refuses a key that is there twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        pairs = node.value  # without the merged ones, which are put into another list
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        if len(mapping) != len(pairs) or node.value is not pairs:
            seen = set()
            for key_node, _ in pairs:
                key = self.construct_object(key_node, deep=True)
                if key in seen:
                    raise _twice(key, key_node.start_mark)
                seen.add(key)
        return mapping


for _tag in _NUMBERS:
    _Loader.add_constructor(_tag, _number)


def load_yaml(text: str, path: str) -> Any:
    """Return the data of a rendered compose file; ``path`` is for the error.

    Raises:
        InternalError: it is no YAML, or not what Compose takes.
    """
    try:
        try:
            return _plain_document(text)
        except _NotPlainError:
            return yaml.load(text, _Loader)  # noqa: S506  a safe loader, in either form
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # such as a date that is none
        raise InternalError(f"{path} does not parse: {error}") from None


def _plain_document(text: str) -> Any:
    """Return the data of a text that is one document without anchors and tags."""
    following: Callable[[], Any] = FASTEST(text).get_event
    following()  # the stream's start
    if not isinstance(following(), yaml.DocumentStartEvent):
        return None
    data = _value(following(), following)
    following()  # the document's end
    if not isinstance(following(), yaml.StreamEndEvent):
        raise _NotPlainError
    return data


def _value(event: Any, following: Callable[[], Any]) -> Any:
    """Return the value that starts with an event, taking those that follow. An anchor matters only to an alias."""
    kind, scalar = type(event), yaml.ScalarEvent
    if kind is scalar:
        return _scalar(event)
    if kind is yaml.AliasEvent or not event.implicit:
        raise _NotPlainError
    if kind is yaml.SequenceStartEvent:
        items = []
        while (kind := type(event := following())) is not yaml.SequenceEndEvent:
            items.append(_scalar(event) if kind is scalar else _value(event, following))
        return items
    mapping: dict[Hashable, Any] = {}
    while type(event := following()) is not yaml.MappingEndEvent:
        if type(event) is not scalar or event.value in _SPECIAL_KEYS:
            raise _NotPlainError
        key = _scalar(event)
        if key in mapping:
            raise _twice(key, event.start_mark)
        event = following()
        mapping[key] = _scalar(event) if type(event) is scalar else _value(event, following)
    return mapping


def _twice(key: object, mark: Any) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, f"{key!r} is there twice", mark)


_SCALARS: Any = yaml.SafeLoader("")  # of which only the rules for scalars are used
_TYPED_STARTS = frozenset(_SCALARS.yaml_implicit_resolvers)
"""The characters that something else than a text can start with; empty for the scalar that is nothing."""


def _scalar(event: Any) -> Any:
    plain, quoted = event.implicit
    text = event.value
    if plain:
        return _typed(text) if text[:1] in _TYPED_STARTS else text
    if not quoted:
        raise _NotPlainError
    return text


@lru_cache(maxsize=1024)
def _typed(text: str) -> Any:
    """Return the value of a scalar without quotes: a text, or what YAML 1.1 takes it for."""
    tag = _SCALARS.resolve(yaml.ScalarNode, text, (True, False))
    if tag == _TEXT or (tag in _NUMBERS and len(text) > _LONGEST_NUMBER):
        return text
    if tag not in _SCALARS.yaml_constructors:
        raise _NotPlainError
    return _SCALARS.yaml_constructors[tag](_SCALARS, yaml.ScalarNode(tag, text))
