"""Secrets: which names hold one, and texts and arguments as they may be shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from anvil_gen.flags import LONG_FLAG, split_flag

MASK = "…"
"""Replaces a value that may be a secret."""

_WORD = r"(?:(?<![A-Za-z])keys?|api[_-]?keys?|token|secrets?|passphrase|passwords?|passwd|credentials?)(?![A-Za-z])"
_NAME = re.compile(_WORD, re.IGNORECASE)
# Keys that say themselves what they are, and URLs with a password.
_SHAPE = re.compile(
    r"(?<![A-Za-z0-9])(?:sk-[\w-]{16,}|hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|xox[abprs]-[\w-]{10,}|AKIA[A-Z0-9]{16}|AIza[\w-]{30,})|-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:@]*:[^/\s@$]+@"
)
_LEAST = 4  # a shorter value is in every text
# What follows the name of a secret as the value of a key, a variable or a flag.
_VALUE = rf"""(?i)({_WORD}[\w-]*["']?[ \t]*(?:\.[^:=\n]*)?[:=][ \t]*)"""
_ANY = re.compile(rf"{_VALUE}.+")
_NO_VARIABLE = re.compile(rf"""{_VALUE}(?![ \t]|["']?\$\{{).+""")


def may_hold_secret(name: str) -> bool:
    """Tell whether a name's value is better not shown: also ``api_key_env``, which often holds the key."""
    return _NAME.search(name) is not None


def holds_secret(name: str) -> bool:
    """Tell whether a name is that of a secret itself, not of its file, its length or its variable."""
    return any(match.end() == len(name) for match in _NAME.finditer(name))


def looks_secret(value: str) -> bool:
    """Tell whether a value is a secret by its look: a key as well-known services make it, or a URL with a password."""
    return _SHAPE.search(value) is not None


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
    """Return a text without what follows the name of a secret on its line.

    ``show_variables``: for compose files, where ``${NAME}`` is a variable and not a value.
    """
    return (_NO_VARIABLE if show_variables else _ANY).sub(rf"\1{MASK}", text)


def mask_arguments(words: Iterable[str]) -> list[str]:
    """Return arguments without the values of flags that are secret by their names.

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
        shown.append(f"{flag}={MASK}" if secret and value is not None else word)
    return shown
