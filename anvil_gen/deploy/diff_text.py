"""Texts of files as a person may see them: no command for the terminal, and no secret."""

from __future__ import annotations

from anvil_gen.deploy.deploy_tree import FileChange
from anvil_gen.text.masking import mask_text


def diff_text(change: FileChange) -> str:
    """Return a unified diff of one file, from what is on disk to what is rendered."""
    from difflib import unified_diff  # noqa: PLC0415

    before, after = _lines(change.before), _lines(change.after)
    old = f"a/{change.path}" if change.before is not None else "/dev/null"
    new = f"b/{change.path}" if change.after is not None else "/dev/null"
    return "".join(unified_diff(before, after, old, new))


def _lines(text: str | None) -> list[str]:
    """Return the lines of a text, as a diff shows them."""
    lines = [f"{line}\n" for line in without_secrets(text or "").split("\n")]
    if lines[-1] == "\n":
        return lines[:-1]
    return [*lines[:-1], f"{lines[-1]}\\ No newline at end of file\n"]


def visible(text: str) -> str:
    """Return a text with all characters visible, so that none reaches the terminal as a command."""
    return "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text)


def without_secrets(text: str) -> str:
    """Return a text with all characters visible but what stands under the name of a secret."""
    return mask_text(visible(text), show_variables=True)
