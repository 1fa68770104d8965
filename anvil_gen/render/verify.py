"""Proof that a rendered file says what the model says, whatever its template does.

Each file is compared with its twin: what its template makes of a model of the same shape whose texts and numbers are
harmless tokens, with the values put in as parsed data. A value that changed the structure, was quoted wrongly or was
cut off shows as a difference. What a template leaves out shows in the twin by itself: it is compared with the model's
own fields.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Callable, Collection
from itertools import count
from typing import Any

from msgspec import Struct

from anvil_gen.diagnostics import InternalError
from anvil_gen.render.cfg_words import COMMENT, load_cfg
from anvil_gen.render.quoting import comment
from anvil_gen.render.renderer import RenderedFile, Renderer
from anvil_gen.render.stand_ins import Reading, Recorder, Tokens
from anvil_gen.render.syntaxes import syntax_of
from anvil_gen.render.twins import Escape, Twin, Twins, Values
from anvil_gen.render.verify_service import missing_keys
from anvil_gen.render.yaml_loader import load_yaml
from anvil_gen.resolve.model import Stack
from anvil_gen.values import KeyPath, address, escape_dollars


class _Syntax(Struct, frozen=True, kw_only=True):
    """How a rendered file is read, and what its syntax makes of values."""

    parse: Callable[[str, str], Any]
    escape: Escape


def _load_toml(text: str, path: str) -> Any:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InternalError(f"{path} does not parse: {error}") from None


_SYNTAXES = {
    "yaml": _Syntax(
        parse=load_yaml,
        escape=Escape(applies=lambda _: True, change=lambda text, ready: text if ready else escape_dollars(text)),
    ),
    "data": _Syntax(
        parse=load_yaml,
        escape=Escape(applies=lambda _: False, change=lambda text, _: text),
    ),
    "toml": _Syntax(parse=_load_toml, escape=Escape(applies=lambda _: False, change=lambda text, _: text)),
    "cfg": _Syntax(
        parse=load_cfg,
        escape=Escape(applies=lambda word: word.startswith(COMMENT), change=lambda text, _: comment(text)),
    ),
    "map": _Syntax(
        parse=lambda text, _: [line if line.startswith("#") else line.split() for line in text.split("\n")],
        escape=Escape(applies=lambda word: word.startswith("#"), change=lambda text, _: comment(text)),
    ),
    # Without quotes, there is nothing to parse but lines.
    "words": _Syntax(
        parse=lambda text, _: text.split("\n"),
        escape=Escape(applies=lambda line: line.startswith("#"), change=lambda text, _: comment(text)),
    ),
}


def parse(text: str, path: str) -> Any:
    """Return the data of a rendered file.

    Raises:
        InternalError: the text is not of its syntax.
    """
    syntax = syntax_of(path)
    return text if syntax == "raw" else _SYNTAXES[syntax].parse(text, path)


class Prover:
    """Renders stacks and proves what was rendered; twins are shared between stacks."""

    def __init__(self, renderer: Renderer) -> None:
        """Render by ``renderer``."""
        self.renderer = renderer
        self._twins: defaultdict[str, Twins] = defaultdict(Twins)

    def render(self, stack: Stack) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the texts of the tree, and their data, by path.

        Raises:
            InternalError: a file does not say what the stack says.
            DiagnosticError: likewise, where a user's template took part; or a template is at fault.
        """
        files, pieces = self.renderer.render(stack)
        marks = _unused_marks(files.values())
        data: dict[str, Any] = dict(files)
        for piece in pieces:
            try:
                data[piece.path] = self._proven(piece, files[piece.path], marks)
            except InternalError as error:
                raise self.renderer.diagnostic(piece, str(error)) from None
        return files, data

    def _proven(self, piece: RenderedFile, text: str, marks: tuple[str, str]) -> Any:
        """Return the data of a rendered file that is equal to its twin."""
        syntax = _SYNTAXES[syntax_of(piece.path)]
        got = syntax.parse(text, piece.path)
        twins = self._twins[piece.template]
        reading = Reading()
        start = (marks, reading.context(piece.context))
        twin = twins.find(start, reading)
        if twin is None:
            recorder, twin = self._new_twin(piece, syntax, Tokens(*marks))
            twins.keep(start, recorder.steps, twin)
            reading = recorder.reading
        difference = twin.difference(got, Values(reading.values, syntax.escape))
        if difference is not None:
            raise _not_said(piece.path, difference)
        return got

    def _new_twin(self, piece: RenderedFile, syntax: _Syntax, tokens: Tokens) -> tuple[Recorder, Twin]:
        """Return a file's twin, and what was read for it: by its template, and to tell that nothing is left out."""
        recorder = Recorder(tokens)
        try:
            context = recorder.context(piece.context)
            data = syntax.parse(self.renderer.text(piece, context), piece.path)
            if piece.owner:
                for key in missing_keys(self.renderer.catalog, piece.owner, context[piece.owner], data):
                    raise _not_said(piece.path, ("services", piece.service, *key))
            return recorder, Twin(data, tokens, len(recorder.reading.values), syntax.escape)
        finally:
            recorder.close()


def _unused_marks(texts: Collection[str]) -> tuple[str, str]:
    """Return beginnings for tokens that stand in no rendered file, so that no template can make one up."""
    letters = (f"zq{'x' * more}" for more in count())
    digits = (str(more) for more in count(709_314_285_000))
    first, second = (
        next(mark for mark in marks if not any(mark in text for text in texts)) for marks in (letters, digits)
    )
    return first, second


def _not_said(path: str, key: KeyPath) -> InternalError:
    return InternalError(f"{path} does not say what the model says, at {address(key) or 'its top'}")
