"""What `doctor` looks at, and how it is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_engine import NO_DAEMON, engine, images, subject
from fake_machine import kernel
from running import INVENTORY, anvil_gen, fleet

from anvil_gen.cli.views.doctor import show_doctor
from anvil_gen.operate.doctor.run import DoctorResult, run_checks

EVERYTHING = engine(image_inspect=images("vllm/vllm-openai-cpu:v0.33.0"))
MODEL = {"srv/models/gpt-oss-20b/config.json": "{}", "srv/models/gpt-oss-20b/model.safetensors": "weights"}


def examined(folder: Path, answers: dict[str, str], **more: str) -> DoctorResult:
    """Return the examination of a small host that has its model."""
    host = subject(folder, INVENTORY, answers, root=kernel(folder / "root", MODEL), **more)  # type: ignore[arg-type]
    return run_checks(host, probe=True)


def test_a_machine_that_has_all_of_it(tmp_path: Path) -> None:
    anvil_gen("render", "box", cwd=fleet(tmp_path, box=INVENTORY))
    found = examined(tmp_path, EVERYTHING)

    assert [check.what for check in found.checks] == [
        *("inventory", "docker", "compose", "daemon", "platform", "files"),
        *("files of fast", "image of fast", "name of fast", "port of fast"),
    ]
    assert (found.count("pass"), found.unchecked) == (10, ())


@pytest.mark.parametrize(
    ("answers", "at", "part"),
    [({"": NO_DAEMON}, "", "volumes, images"), (EVERYTHING, "ssh://me@box", "of the other machine")],
)
def test_what_could_not_be_looked_at_is_said(answers: dict[str, str], at: str, part: str, tmp_path: Path) -> None:
    assert any(part in what for what in examined(tmp_path, answers, at=at).unchecked)


def test_the_list(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    show_doctor(examined(tmp_path, EVERYTHING), as_json=False)
    printed = capsys.readouterr().out

    assert printed == LISTED.format(inventory=tmp_path / "hosts" / "box.toml")


LISTED = """\
pass  inventory      {inventory}
pass  docker         28.2.2
pass  compose        2.40.0
pass  daemon         28.2.2, Debian GNU/Linux 12, on this host
pass  platform       linux
fail  files          nothing is rendered yet
pass  files of fast  /srv/models/gpt-oss-20b: 2 files, 9 bytes
pass  image of fast  vllm/vllm-openai-cpu:v0.33.0, 3.0 GiB
pass  name of fast   fast is free
pass  port of fast   127.0.0.1:30001 is free

fail  files
  missing: docker-compose.yml, tiers/fast.yml
  render, and review:

      anvil-gen render {inventory}

box: 9 pass, 0 warn, 1 fail
"""


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_doctor(examined(tmp_path, EVERYTHING), as_json=True)
    answer = json.loads(capsys.readouterr().out)

    assert (answer["format"], answer["host"], answer["mode"], answer["ok"]) == (1, "box", "default", False)
    assert [check["fault"]["summary"] for check in answer["checks"] if check["verdict"] == "fail"] == [
        "nothing is rendered yet"
    ]
