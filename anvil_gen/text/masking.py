"""Secrets: which names hold one, where one is written out, and texts and arguments as they may be shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from anvil_gen.patterns import lazy_pattern
from anvil_gen.text.flags import LONG_FLAG, split_flag
from anvil_gen.values import KeyPath, split_compose_text

MASK = "…"
"""Replaces a value that may be a secret."""

# What is sought is bounded everywhere: an endless line costs no more than its length.
_FOLDER_OR_NOT = r"(?:(?<=[_-])|(?<![A-Za-z])(?!(?-i:PWD)))pwd"  # PWD is a folder
_WORD = (
    r"(?:(?:(?<![A-Za-z])keys?|(?-i:(?<=[a-z])Keys?)|api[_-]?keys?|token|secrets?|passphrase|passwords?|passwd"
    rf"|requirepass|credentials?)(?![A-Za-z])|(?:(?<![A-Za-z])pass|{_FOLDER_OR_NOT})(?![\w-]))"
)
_NAME = lazy_pattern(_WORD, re.IGNORECASE)
# Tokens of a vocabulary.
_NO_SECRET = lazy_pattern(
    r"(?i)(?<![A-Za-z])(?:bos|eos|pad|unk|sep|cls|mask|stop|start|end|image|audio|video)[_-]token$"
)
# Keys that say themselves what they are, URLs with a password, and what a client sends.
_SHAPE = lazy_pattern(
    r"(?<![A-Za-z0-9])(?:sk-[\w-]{16,}|[sr]k_live_\w{16,}|hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}"
    r"|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|A[KS]IA[A-Z0-9]{16}|AIza[\w-]{30,}|nvapi-[\w-]{20,}"
    r"|gsk_\w{20,}|xai-[\w-]{20,}|dckr_pat_[\w-]{20,}|npm_\w{30,}|pypi-[\w-]{30,}|tskey-[\w-]{16,}"
    r"|eyJ[\w-]{10,4000}\.eyJ[\w-]{10,}\.[\w-]+)|-----BEGIN [A-Z ]{0,40}PRIVATE KEY.*"
    r"|(?<=://)[^/\s:@]{0,200}:[^/\s@$]+@"
    r"|(?i:(?<=authorization:)\s*(?:(?:bearer|basic|token)\s+)?(?!(?:bearer|basic|token)\b)[^\s$\"'\\]+)"
    r"|\b(?i:bearer|basic)\s+(?=[^\s$\"'\d]{0,200}\d)[^\s$\"']{8,}"
    r"|\bcurl\b[^\n;|&]{0,400}?\s(?:-u|--user)[ =][\"']?[^\s:\"'$]{1,200}:[^\s\"'$]+"
)
_PLACEHOLDER = lazy_pattern(
    r"(?i)(?:sk-)?empty|none|null|unused|ignored|dummy|n/?a|<[\w -]{1,40}>"
    r"|(?:sk-)?no[-_ ]?(?:t[-_ ]?(?:needed|required|used)|key)(?:[-_ ]required)?"
)
LEAST = 4  # a shorter value is in every text
# What follows the name of a secret as the value of a key, a variable or a flag.
_AFTER_FLAG = r"""(?:["']?,[ \t]*|[ \t]+|["']?\n[ \t]*-[ \t]+)"""
_VALUE = (
    rf"""(?i)({_WORD}[\w-]{{0,80}}["']?[ \t]*(?:\.[^:=\n]{{0,80}})?[:=][ \t]*"""
    rf"""|(?<![\w.-])--?[\w.-]{{0,80}}{_WORD}[\w-]{{0,80}}{_AFTER_FLAG})"""
)
# Compiled where a text is masked, which few runs do: each takes milliseconds.
_ANY = rf"{_VALUE}.+"
_NO_VARIABLE = rf"""{_VALUE}(?![ \t]|["']?\$\{{|["']?--?[A-Za-z]).+"""
# In a text: a flag, an assignment, a key of JSON, a key of YAML or a header, and what is set by a Dockerfile.
_ASSIGNED = lazy_pattern(
    r"""(?:(?<![\w.-])(?P<flag>--?[\w.-]+)(?:=|[\s"',]+)"""
    r"""|(?<![\w.-])(?P<variable>[A-Za-z_][\w.-]*)(?:\\*["'])?="""
    r"""|(?<![\w.-])(?P<json>[A-Za-z_][\w.-]*)\\*["']\s*:\s*"""
    r"""|(?<![^\n{,"'=])[ \t]*(?P<key>[A-Za-z_][\w.-]*)(?::[ \t]+|[ \t]*=[ \t]*)"""
    r"""|(?<!\S)(?:ENV|ARG)[ \t]+(?P<set>[A-Za-z_]\w*)[ \t]+)"""
    r"""(?=["'\\]*(?P<value>(?:\$\{[^}\n]{0,400}\}|\$\([^)\n]{0,400}\)|[^\s"'`;&,})]){0,100}))"""
)
_SHELL_VARIABLE = lazy_pattern(r"\$\{[^}\n]{0,400}\}|\$\([^)\n]{0,400}\)|\$\w+|\$[@*#?]")
_SHORT_FLAG = lazy_pattern("--?[A-Za-z]")
_OF_SHELL = lazy_pattern(r"\$\$?(?:[A-Z_][A-Z0-9_]*|\{[A-Za-z_]\w*\})")
# Keys of Compose whose lists name secrets, and hold none.
_NAMING = ("secrets",)
_REFERENCE = {"env", "default"}
_REMEMBERED = 4096
"""Texts of which is known whether they are secret: names and values that every tier and every service has."""


def may_hold_secret(name: str) -> bool:
    """Tell whether a name's value is better not shown: also ``api_key_env``, which often holds the key."""
    return _NAME.search(name) is not None


@lru_cache(_REMEMBERED)
def holds_secret(name: str) -> bool:
    """Tell whether a name is that of a secret itself, not of its file, its length or its variable."""
    end = len(name.rstrip("0123456789_-"))  # one of several
    return _NO_SECRET.search(name) is None and any(match.end() == end for match in _NAME.finditer(name))


def is_placeholder(value: Any) -> bool:
    """Tell whether a value says by convention that there is no secret: clients want a key where a server has none."""
    return isinstance(value, str) and _PLACEHOLDER.fullmatch(value) is not None


@lru_cache(_REMEMBERED)
def looks_secret(value: str) -> bool:
    """Tell whether a value is a secret by its look: a key as well-known services make it, or a URL with a password."""
    if _SHAPE.search(value):
        return True
    return "$" in value and _SHAPE.search(_SHELL_VARIABLE.sub("", value).replace("$", "")) is not None


def literal_secrets(value: Any, path: KeyPath = (), *, secret: bool = False) -> Iterator[KeyPath]:
    """Yield the places in a value of an inventory at which a secret is written out, instead of its variable's name.

    With ``secret``, the value itself is one, by its name.
    """
    if isinstance(value, dict) and "env" in value and value.keys() <= _REFERENCE:
        name, default = value["env"], str(value.get("default", ""))
        named = (secret or holds_secret(str(name))) and _is_said(default)
        if default and (named or looks_secret(default)):
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
    elif value != "" and not isinstance(value, bool) and (secret or holds_in_text(value)) and not is_placeholder(value):
        yield path


def _is_said(text: str) -> bool:
    """Tell whether a text in the place of a secret is one: no separator, and no word for none."""
    return any(map(str.isalnum, text)) and not is_placeholder(text)


def _is_written_out(text: str, *, secret: bool) -> bool:
    """Tell whether a text with variables holds a secret itself, also as what stands where one is not set."""
    filled = ""
    for part in split_compose_text(text):
        if isinstance(part, str):
            found, filled = secret and _is_said(part), filled + part
        else:
            taken = part.word if part.operator.endswith(("-", "+")) else ""
            found = taken != "" and _is_written_out(taken, secret=secret or holds_secret(part.name))
            # Where nothing is written out stands a variable all the same.
            filled += taken or f"${{{part.name}}}"
        if found:
            return True
    return holds_in_text(filled) or looks_secret(text)


def _secret_words(words: Sequence[Any], path: KeyPath, *, secret: bool) -> Iterator[KeyPath]:
    """Yield the places of secrets among words: values after a flag that is secret by its name, or in one word."""
    follows, found, after = False, False, -1
    for index, word in enumerate(words):
        flag, value = split_flag(word) if isinstance(word, str) else ("", None)
        # A first value may look like a short flag; each further one is a value only where it does not.
        is_value = follows and not LONG_FLAG.fullmatch(flag) and (not flag or index == after)
        if flag and not is_value:
            follows, after = value is None and holds_secret(flag), index + 1
        is_variable = isinstance(word, str) and _OF_SHELL.fullmatch(word) is not None and not secret
        if not is_variable:
            places = [*literal_secrets(word, (*path, index), secret=secret or is_value)]
            found = found or bool(places)
            yield from places
    # What only the words before one tell.
    if not found and looks_secret(" ".join(word for word in words if isinstance(word, str))):
        yield path


def holds_in_text(text: Any) -> bool:
    """Tell whether a secret is written out in a text, which may be a command, JSON, YAML, a header or a list."""
    return isinstance(text, str) and _is_in_text(text)


@lru_cache(_REMEMBERED)
def _is_in_text(text: str) -> bool:
    return looks_secret(text) or any(map(_is_assigned, _ASSIGNED.finditer(text)))


def _is_assigned(found: re.Match[str]) -> bool:
    """Tell whether a secret is assigned in a text, and not by a shell."""
    *names, value = found.groups()
    name = next(filter(None, names))
    is_flag = found["flag"] and not found[0].endswith("=") and _SHORT_FLAG.match(value)
    return not is_flag and holds_secret(name) and any(map(str.isalnum, _SHELL_VARIABLE.sub("", value)))


def secret_looks(value: dict[Any, Any] | list[Any], path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the places of texts and keys in a value that are secrets by their look, whatever they are called."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(key, str) and looks_secret(key):
            yield (*path, key)
        if isinstance(item, str):
            if looks_secret(item):
                yield (*path, key)
        elif isinstance(item, dict | list):
            yield from secret_looks(item, (*path, key))


def mask_looks(text: str) -> str:
    """Return a text without what is a secret by its look."""
    return _SHAPE.sub(MASK, text)


def secret_forms(secrets: Iterable[str]) -> list[str]:
    """Return the forms in which secrets may be printed, longest first: quoted, escaped, and line by line."""
    found: set[str] = set()
    for secret in secrets:
        for text in (secret, secret.strip(), *secret.splitlines()):
            escaped = json.dumps(text, ensure_ascii=False)[1:-1]
            found |= {text, escaped, text.replace("$", "$$"), escaped.replace("\\", "\\\\")}
    return sorted((form for form in found if len(form) >= LEAST), key=len, reverse=True)


def mask_values(text: str, secrets: Iterable[str]) -> str:
    """Return a text without secrets, which are known by their values."""
    for form in secret_forms(secrets):
        text = text.replace(form, MASK)
    return text


def secret_part(path: Sequence[str | int]) -> int | None:
    """Return the position of the first name in a path whose value is better not shown; None if all may be."""
    named = ((at, part) for at, part in enumerate(path) if isinstance(part, str) and part not in _NAMING)
    return next((at for at, part in named if may_hold_secret(part)), None)


def mask_text(text: str, *, show_variables: bool = False) -> str:
    """Return a text without what follows the name of a secret on its line, or is one by its look.

    ``show_variables``: for compose files, where ``${NAME}`` is a variable and not a value.
    """
    return mask_looks(re.sub(_NO_VARIABLE if show_variables else _ANY, rf"\1{MASK}", text))


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
