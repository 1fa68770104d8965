"""How much of the rendered files ten typical edits change: a line for each value that is another one."""

from __future__ import annotations

import pytest
import review_page
from places import REPOSITORY

from anvil_gen.deploy.pipeline import Generator

WITH_HEADINGS = {"Another image": 2}
"""Edits by which whole lists come or go -> the lines of their keys."""


@pytest.mark.parametrize("title", review_page.EDITS)
def test_an_edit_changes_no_line_that_says_the_same(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    text = review_page.HOST.read_text("utf-8")

    plan = review_page.planned(Generator(), text, review_page.edited(text, review_page.EDITS[title]))

    values, lines = review_page.sizes(plan)
    assert lines == values + WITH_HEADINGS.get(title, 0)
