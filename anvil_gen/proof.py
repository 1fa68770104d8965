"""Proof that a rendered file says what the model says, whatever its template does.

The stack is rendered a second time with numbered harmless tokens in place of its texts. Both results are parsed; the
tokens' values are put into the second, as parsed data; then both must be equal. A value that changed the structure, was
quoted wrongly or was cut off shows as a difference.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

import yaml
from msgspec import Struct

from anvil_gen.diagnostics import InternalError
from anvil_gen.model import Interpolated, KeyPath, Options, Ready, Stack, Symbol, address
from anvil_gen.overrides import YAML_LOADER
from anvil_gen.quoting import dollar, interpolated
from anvil_gen.render import Renderer
from anvil_gen.templating import syntax_of

_TOKEN = re.compile(r"zq[0-9]+qz")


class Tokens:
    """Numbered stand-ins for texts. Equal texts have one token, so that templates may compare them."""

    def __init__(self) -> None:
        """Start with no token given out."""
        self._by_text: dict[tuple[bool, str], str] = {}
        self._texts: dict[str, tuple[bool, str]] = {}

    def put(self, value: Any) -> Any:
        """Return ``value`` with a token in place of every text in it."""
        if isinstance(value, Symbol):
            return value
        if isinstance(value, str):
            return self._token(isinstance(value, Ready), value) if value else value
        if isinstance(value, Interpolated):
            return self._token(True, interpolated(value))
        if isinstance(value, Options):
            return Options({})  # no template reads them: what they say stands in the model's own fields
        if isinstance(value, Struct):
            return type(value)(**{name: self.put(getattr(value, name)) for name in value.__struct_fields__})
        if isinstance(value, tuple | list):
            return type(value)(self.put(item) for item in value)
        if isinstance(value, Mapping):
            return {key: self.put(item) for key, item in value.items()}
        return value

    def text(self, written: str, *, compose: bool) -> str:
        """Return a parsed text with the tokens' values in it; with ``compose``, as Compose interpolates them."""

        def value(match: re.Match[str]) -> str:
            ready, text = self._texts[match[0]]
            return dollar(text) if compose and not ready else text

        return _TOKEN.sub(value, written)

    def data(self, parsed: Any, *, compose: bool) -> Any:
        """Return parsed data with the tokens' values in it. Keys are not interpolated."""
        if isinstance(parsed, str):
            return self.text(parsed, compose=compose)
        if isinstance(parsed, list):
            return [self.data(item, compose=compose) for item in parsed]
        if isinstance(parsed, dict):
            return {self.data(key, compose=False): self.data(item, compose=compose) for key, item in parsed.items()}
        return parsed

    def _token(self, ready: bool, text: str) -> str:
        token = self._by_text.get((ready, text))
        if token is None:
            token = self._by_text[ready, text] = f"zq{len(self._by_text)}qz"
            self._texts[token] = (ready, text)
        return token


def prove(renderer: Renderer, stack: Stack, files: Mapping[str, str], digests: Mapping[str, str]) -> dict[str, Any]:
    """Check rendered files against the stack that they were rendered from, and return their data by path.

    Raises:
        InternalError: a file does not say what the stack says.
    """
    tokens = Tokens()
    expected, _ = renderer.render(
        tokens.put(stack), digests={path: tokens.put(value) for path, value in digests.items()}
    )
    if len(expected) != len(files):
        raise InternalError("the names of the rendered files depend on a value's text")
    parsed: dict[str, Any] = {}
    got: Any
    want: Any
    for (path, text), with_tokens in zip(files.items(), expected.values(), strict=True):
        syntax = syntax_of(path)
        if syntax == "raw":
            got, want = text, tokens.text(with_tokens, compose=False)
        elif syntax == "words":
            got = _lines(text)
            want = tokens.data(_lines(with_tokens), compose=False)
        else:
            got = parse(text, path)
            want = tokens.data(parse(with_tokens, path), compose=syntax == "yaml")
        _equal(path, got, want)
        parsed[path] = got
    return parsed


def parse(text: str, path: str) -> Any:
    """Return the data of a rendered file.

    Raises:
        InternalError: the text is not of its syntax.
    """
    try:
        if syntax_of(path) == "toml":
            return tomllib.loads(text)
        return yaml.load(text, YAML_LOADER)  # noqa: S506  a safe loader, in either form
    except (yaml.YAMLError, tomllib.TOMLDecodeError) as error:
        raise InternalError(f"{path} does not parse: {error}") from None


def _lines(text: str) -> list[str]:
    """Return the lines of a file without quotes that are not comments."""
    return [line for line in text.split("\n") if not line.startswith("#")]


def _equal(path: str, got: Any, want: Any) -> None:
    difference = _difference(got, want, ())
    if difference is not None:
        raise InternalError(f"{path} does not say what the model says, at {address(difference) or 'its top'}")


def _difference(got: Any, want: Any, path: KeyPath) -> KeyPath | None:
    if type(got) is not type(want):
        return path
    if isinstance(got, dict):
        if got.keys() != want.keys():
            return path
        children: Any = ((key, got[key], want[key]) for key in got)
    elif isinstance(got, list):
        if len(got) != len(want):
            return path
        children = ((index, one, other) for index, (one, other) in enumerate(zip(got, want, strict=True)))
    else:
        return None if got == want else path
    for key, one, other in children:
        found = _difference(one, other, (*path, key))
        if found is not None:
            return found
    return None
