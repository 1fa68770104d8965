"""Diffs and lines of files as a person may see them."""

from __future__ import annotations

import pytest

from anvil_gen.deploy.deploy_tree import FileChange
from anvil_gen.deploy.diff_text import diff_text, visible, without_secrets


def change(before: str | None, after: str | None) -> FileChange:
    """Return a change of a file."""
    return FileChange(path="tiers/fast.yml", action="update", before=before, after=after)


@pytest.mark.parametrize(
    ("before", "after", "heads"),
    [
        ("a\n", "b\n", ("--- a/tiers/fast.yml\n", "+++ b/tiers/fast.yml\n")),
        (None, "b\n", ("--- /dev/null\n", "+++ b/tiers/fast.yml\n")),
        ("a\n", None, ("--- a/tiers/fast.yml\n", "+++ /dev/null\n")),
    ],
)
def test_files_that_come_and_go(before: str | None, after: str | None, heads: tuple[str, str]) -> None:
    assert tuple(diff_text(change(before, after)).splitlines(keepends=True)[:2]) == heads


def test_a_missing_line_end_is_told() -> None:
    assert diff_text(change("a", "a\n")).endswith("-a\n\\ No newline at end of file\n+a\n")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("HF_TOKEN: hf_abc", "HF_TOKEN: …"),
        ("- --api-key=abc def", "- --api-key=…"),
        ('password = "x"', "password = …"),
        ("HF_TOKEN: ${HF_TOKEN}", "HF_TOKEN: ${HF_TOKEN}"),
        ("- --max-tokens=5", "- --max-tokens=5"),
        ("a\x1b[31m", "a\\x1b[31m"),
    ],
)
def test_no_secret_is_shown(line: str, shown: str) -> None:
    assert without_secrets(line) == shown
    assert visible(shown) == shown


def test_a_diff_has_no_secret() -> None:
    told = diff_text(change("HF_TOKEN: hf_old\n", "HF_TOKEN: hf_new\nx: 1\n"))

    assert "hf_" not in told
    assert "+x: 1\n" in told
