"""What `plan` says of edits that change no file: each is tried, so that a mistake is not taken for a change."""

from __future__ import annotations

from pathlib import Path

import pytest
from plans import LAB, edit, lab_fleet, plan_of

from anvil_gen.cli.views.plan import idle_texts, show_text
from anvil_gen.cli.views.plan_markdown import comment
from anvil_gen.deploy.pipeline import generator, write_trees

DEFAULT = ("port = 30001\n", 'port = 30001\nrestart = "unless-stopped"\n')
COMMENT = ("# Two GPUs as one", "# Both GPUs as one")
TOLD = ("tiers.writer.restart unless-stopped added", f"{LAB}:63")


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A rendered fleet without a pending change."""
    return lab_fleet(tmp_path)


@pytest.mark.parametrize("against", ["disk", "HEAD"])
def test_a_default_that_is_written_changes_no_file(
    fleet: Path, against: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(fleet)
    edit(fleet, *DEFAULT)
    plan = plan_of(Path(), against=against)
    show_text([plan])

    assert not plan.changes
    assert [*idle_texts(plan)] == [TOLD]
    assert capsys.readouterr().out == f"lab-quad: no changes\n  changes no file: {TOLD[0]}  {TOLD[1]}\n"
    assert f"Edits that change no file:\n\n- `{TOLD[0]}` <sub>{LAB}:63</sub>\n" in comment([plan])


@pytest.mark.parametrize("against", ["disk", "HEAD"])
def test_it_is_told_among_edits_that_change_something(
    fleet: Path, against: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fleet)
    edit(fleet, *DEFAULT)
    edit(fleet, "port = 30003", "port = 30013")
    plan = plan_of(Path(), against=against)

    assert [one.service for one in plan.services] == ["rerank", "router"]
    assert [*idle_texts(plan)] == [TOLD]


@pytest.mark.parametrize("against", ["disk", "HEAD"])
def test_other_comments_are_told_as_such(
    fleet: Path, against: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(fleet)
    edit(fleet, *COMMENT)
    plan = plan_of(Path(), against=against)
    show_text([plan])

    assert not plan.changes
    said = "its inventory differs only in order, layout or comments"
    assert capsys.readouterr().out == f"lab-quad: no changes; {said}\n"
    assert f"I{said[1:]}." in comment([plan])


def test_what_is_rendered_already_is_not_called_idle(fleet: Path) -> None:
    edit(fleet, "port = 30003", "port = 30013")
    write_trees(generator().render_all([fleet / LAB]))

    plan = plan_of(fleet)

    assert not plan.is_told


def test_a_default_is_told_although_another_edit_is_rendered(fleet: Path) -> None:
    edit(fleet, "port = 30003", "port = 30013")
    write_trees(generator().render_all([fleet / LAB]))
    edit(fleet, *DEFAULT)

    plan = plan_of(fleet)

    assert not plan.changes
    assert [text for text, _ in idle_texts(plan)] == [TOLD[0]]
