"""Secrets: which names hold one, where one is written out, and texts and arguments as they may be shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from anvil_gen.flags import LONG_FLAG, split_flag
from anvil_gen.values import KeyPath, split_compose_text

MASK = "…"
"""Replaces a value that may be a secret."""

_WORD = r"(?:(?<![A-Za-z])keys?|api[_-]?keys?|token|secrets?|passphrase|passwords?|passwd|credentials?)(?![A-Za-z])"
_NAME = re.compile(_WORD, re.IGNORECASE)
# Tokens of a vocabulary.
_NO_SECRET = re.compile(r"(?i)(?<![A-Za-z])(?:bos|eos|pad|unk|sep|cls|mask|stop|start|end|image|audio|video)[_-]token$")
# Keys that say themselves what they are, URLs with a password, and what a client sends.
_SHAPE = re.compile(
    r"(?<![A-Za-z0-9])(?:sk-[\w-]{16,}|hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|xox[abprs]-[\w-]{10,}|AKIA[A-Z0-9]{16}|AIza[\w-]{30,})|-----BEGIN [A-Z ]*PRIVATE KEY.*"
    r"|(?<=://)[^/\s:@]*:[^/\s@$]+@|(?i:(?<=authorization:)\s*(?:bearer|basic|token)\s+[^\s$\"']+)"
)
_LEAST = 4  # a shorter value is in every text
# What follows the name of a secret as the value of a key, a variable or a flag.
_AFTER_FLAG = r"""(?:["']?,[ \t]*|[ \t]+|["']?\n[ \t]*-[ \t]+)"""
_VALUE = (
    rf"""(?i)({_WORD}[\w-]*["']?[ \t]*(?:\.[^:=\n]*)?[:=][ \t]*"""
    rf"""|(?<![\w.-])--?[\w.-]*{_WORD}[\w-]*{_AFTER_FLAG})"""
)
_ANY = re.compile(rf"{_VALUE}.+")
_NO_VARIABLE = re.compile(rf"""{_VALUE}(?![ \t]|["']?\$\{{|["']?--?[A-Za-z]).+""")
# In a text that is read as a command line: the name, and the value unless a shell puts it in.
_IN_COMMAND = re.compile(
    r"(?:^|[\s;&|\"'])(?P<name>--?[\w.-]+(?:=|\s+)|[A-Za-z_][\w.-]*=)[\"']?(?P<value>[^\s$\"'-][^\s\"']*)"
)
# Keys of Compose whose lists name secrets, and hold none.
_NAMING = ("secrets",)
_REFERENCE = {"env", "default"}


def may_hold_secret(name: str) -> bool:
    """Tell whether a name's value is better not shown: also ``api_key_env``, which often holds the key."""
    return _NAME.search(name) is not None


def holds_secret(name: str) -> bool:
    """Tell whether a name is that of a secret itself, not of its file, its length or its variable."""
    return _NO_SECRET.search(name) is None and any(match.end() == len(name) for match in _NAME.finditer(name))


def looks_secret(value: str) -> bool:
    """Tell whether a value is a secret by its look: a key as well-known services make it, or a URL with a password."""
    return _SHAPE.search(value) is not None


def literal_secrets(value: Any, path: KeyPath = (), *, secret: bool = False) -> Iterator[KeyPath]:
    """Yield the places in a value of an inventory at which a secret is written out, instead of its variable's name.

    With ``secret``, the value itself is one, by its name.
    """
    if isinstance(value, dict) and "env" in value and value.keys() <= _REFERENCE:
        name, default = value["env"], str(value.get("default", ""))
        if default and (secret or holds_secret(str(name)) or looks_secret(default)):
            yield (*path, "default")
    elif isinstance(value, dict) and value.keys() == {"interpolate"}:
        if _is_written_out(str(value["interpolate"]), secret=secret):
            yield (*path, "interpolate")
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _NAMING or not isinstance(item, dict | list):
                yield from literal_secrets(item, (*path, key), secret=secret or holds_secret(key))
    elif isinstance(value, list):
        yield from _secret_words(value, path, secret=secret)
    elif value != "" and not isinstance(value, bool) and (secret or _holds_in_text(value)):
        yield path


def _is_written_out(text: str, *, secret: bool) -> bool:
    """Tell whether a text with variables holds a secret itself, also as what stands where one is not set."""
    for part in split_compose_text(text):
        if isinstance(part, str):
            found = bool(part) and (secret or _holds_in_text(part))
        else:
            found = part.has_default and _is_written_out(part.word, secret=secret or holds_secret(part.name))
        if found:
            return True
    return looks_secret(text)


def _secret_words(words: Sequence[Any], path: KeyPath, *, secret: bool) -> Iterator[KeyPath]:
    """Yield the places of secrets among words: values after a flag that is secret by its name, or in one word."""
    follows = False
    for index, word in enumerate(words):
        flag, value = split_flag(word) if isinstance(word, str) else ("", None)
        if flag:
            follows = value is None and holds_secret(flag)
        is_variable = isinstance(word, str) and word.startswith("$") and not secret
        if not is_variable:
            yield from literal_secrets(word, (*path, index), secret=secret or (follows and not flag))


def _holds_in_text(text: Any) -> bool:
    if not isinstance(text, str):
        return False
    named = (found["name"].rstrip("= \t\n") for found in _IN_COMMAND.finditer(text))
    return looks_secret(text) or any(map(holds_secret, named))


def secret_forms(secrets: Iterable[str]) -> list[str]:
    """Return the forms in which secrets may be printed, longest first: quoted, escaped, and line by line."""
    found: set[str] = set()
    for secret in secrets:
        for text in (secret, secret.strip(), *secret.splitlines()):
            escaped = json.dumps(text, ensure_ascii=False)[1:-1]
            found |= {text, escaped, text.replace("$", "$$"), escaped.replace("\\", "\\\\")}
    return sorted((form for form in found if len(form) >= _LEAST), key=len, reverse=True)


def mask_values(text: str, secrets: Iterable[str]) -> str:
    """Return a text without secrets, which are known by their values."""
    for form in secret_forms(secrets):
        text = text.replace(form, MASK)
    return text


def secret_part(path: Sequence[str | int]) -> int | None:
    """Return the position of the first name in a path whose value is better not shown; None if all may be."""
    return next((at for at, part in enumerate(path) if isinstance(part, str) and may_hold_secret(part)), None)


def mask_text(text: str, *, show_variables: bool = False) -> str:
    """Return a text without what follows the name of a secret on its line, or is one by its look.

    ``show_variables``: for compose files, where ``${NAME}`` is a variable and not a value.
    """
    return _SHAPE.sub(MASK, (_NO_VARIABLE if show_variables else _ANY).sub(rf"\1{MASK}", text))


def mask_arguments(words: Iterable[str]) -> list[str]:
    """Return arguments without the values of flags that are secret by their names, and without what looks like one.

    Everything up to the next long flag may be such a value, also what looks like a short flag.
    """
    shown: list[str] = []
    secret = False
    for word in words:
        flag, value = split_flag(word)
        if secret and not LONG_FLAG.fullmatch(flag):
            shown.append(MASK)
            continue
        secret = may_hold_secret(flag)
        shown.append(f"{flag}={MASK}" if secret and value is not None else mask_text(word))
    return shown
