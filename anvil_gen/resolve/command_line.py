"""Command lines: an engine's options and flags as arguments, and arguments as the one string of the experiment."""

from __future__ import annotations

import json
import shlex
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, Literal

from anvil_gen.values import (
    ComposeText,
    Number,
    Text,
    VariableText,
    VariableValue,
    compose_text,
    concat,
    escape_dollars,
    fill,
    parts_of,
    text_of,
)

FlagStyle = Literal["equals", "space"]
ListStyle = Literal["spread", "repeat"]


def flag_text(value: Any) -> Text:
    """Return a single flag value as text: tables as JSON with sorted keys, numbers as they were written."""
    if isinstance(value, VariableText | str):
        return value
    if isinstance(value, VariableValue):
        return text_of(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return _json(value)
    return str(value)


def _json(value: Any) -> Text:
    """Return compact JSON with sorted keys, and with its numbers as they were written."""
    if isinstance(value, dict):
        entries = [concat(_json(key), ":", _json(value[key])) for key in sorted(value)]
        return concat("{", *_with_commas(entries), "}")
    if isinstance(value, list):
        return concat("[", *_with_commas(map(_json, value)), "]")
    if isinstance(value, VariableValue):
        return concat('"', value.reference, '"') if isinstance(value, str) else value.reference
    if isinstance(value, Number):
        return str(value)
    # JSON has no dates: one in a flag is an error that is reported together with the others, after this.
    return json.dumps(value, ensure_ascii=False, default=str)


def _with_commas(texts: Iterable[Text]) -> list[Text]:
    return [piece for text in texts for piece in (",", text)][1:]


def flag_arguments(name: str, value: Any, style: FlagStyle, lists: ListStyle) -> Iterator[Text]:
    """Yield the arguments of one flag.

    ``True`` is a bare flag and ``False`` none. In a list each item is a value: after one flag (``spread``) or each
    after a flag of its own (``repeat``). With ``equals``, flag and value are one argument, so that a value may start
    with a dash.
    """
    flag = f"--{name}"
    if value is True:
        yield flag
    elif isinstance(value, list):
        if lists == "spread":
            if value:
                yield flag
            yield from (flag_text(item) for item in value)
        else:
            for item in value:
                yield from flag_arguments(name, flag_text(item), style, lists)
    elif value is not False:
        if style == "equals":
            yield concat(f"{flag}=", flag_text(value))
        else:
            yield flag
            yield flag_text(value)


def arguments(
    positional: tuple[Text, ...],
    values: Mapping[str, Text],
    flags: Mapping[str, Any],
    *,
    style: FlagStyle,
    lists: ListStyle,
    repeated: Container[str] = (),
) -> tuple[Text, ...]:
    """Return the whole command line: positional arguments with ``values`` filled in, then the flags in their order.

    The flags in ``repeated`` stand before each of their values, whatever the habit of the engine.
    """
    filled = [fill(argument, values) if isinstance(argument, str) else argument for argument in positional]
    forms: dict[str, ListStyle] = {name: "repeat" if name in repeated else lists for name in flags}
    return (
        *filled,
        *(argument for name, value in flags.items() for argument in flag_arguments(name, value, style, forms[name])),
    )


def shell_words(words: tuple[Text, ...], last: Text) -> tuple[ComposeText, ...]:
    """Return arguments as words of a string that Compose splits itself, after it has put the variables in.

    A variable is in double quotes, so that its value stays one argument; ``last`` is bare, so that its value
    becomes several.
    """
    quoted = [
        escape_dollars(shlex.quote(word))
        if isinstance(word, str) and not isinstance(word, VariableValue)
        else _in_double_quotes(word)
        for word in words
    ]
    return tuple(ComposeText(word) for word in (*quoted, compose_text(last)))


def _in_double_quotes(word: Text) -> str:
    flag, *rest = parts_of(word)
    # `--flag="${VALUE}"` reads better than `"--flag=${VALUE}"`.
    if isinstance(flag, str) and flag.startswith("--") and flag.endswith("=") and shlex.quote(flag) == flag:
        return f'{flag}"{_quoted_parts(rest)}"'
    return f'"{_quoted_parts(parts_of(word))}"'


def _quoted_parts(parts: Any) -> str:
    return "".join(
        escape_dollars(part.replace("\\", "\\\\").replace('"', '\\"').replace("`", "\\`"))
        if isinstance(part, str)
        else compose_text(VariableText((part,)))
        for part in parts
    )
