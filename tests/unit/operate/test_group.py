"""What one rank of a group does to the others, and which hosts may be operated from here."""

from __future__ import annotations

from pathlib import Path

import pytest
from group_fleets import edit, write_pair
from running import anvil_gen

from anvil_gen import __version__
from anvil_gen.deploy.pipeline import Generator, write_trees
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.digests import digest_of
from anvil_gen.machine.same_files import differing_files
from anvil_gen.machine.subprocesses import run_program
from anvil_gen.operate.drift import Drift
from anvil_gen.operate.group import OperatedRank, group_drift, ranks_of_group, rendered, require_operable
from anvil_gen.operate.status import Row

EARLY, LATE = "2026-11-29T10:00:00Z", "2026-11-29T10:05:00Z"
OWN_TIER = '[tiers.own]\nengine = "custom"\nimage = "own:1"\nport = 8222\n'
# It runs the command here, in a shell as there.
SSH = '#!/bin/sh\nwhile [ "$#" -gt 1 ]; do shift; done\nexec sh -c "$1"\n'
# A context of the name of a host leads there.
DOCKER = '#!/bin/sh\necho "ssh://me@$2"\n'


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pair, rendered, with an `ssh` that leads to this machine, and a `docker` that knows contexts."""
    write_trees(Generator().render_all(write_pair(tmp_path)))
    (tmp_path / "bin").mkdir()
    for name, text in (("ssh", SSH), ("docker", DOCKER)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def with_contexts(fleet: Path, *hosts: str) -> list[OperatedRank]:
    for host in hosts:
        edit(
            fleet / f"hosts/{host}.toml", 'architecture = "arm64"', f'architecture = "arm64"\ndocker_context = "{host}"'
        )
    write_trees(Generator().render_all(sorted((fleet / "hosts").glob("*.toml"))))
    return ranks_of_group("sparks", fleet)


def refusals(ranks: list[OperatedRank]) -> list[tuple[str, str]]:
    with pytest.raises(DiagnosticError) as caught:
        require_operable(ranks, "up", stale_too=True)
    return [(one.detail, one.remedy) for one in caught.value.diagnostics]


def test_ranks_are_known_by_the_groups_name(fleet: Path) -> None:
    assert [(rank.number, rank.host, rank.tier) for rank in ranks_of_group("sparks", fleet)] == [
        (0, "spark-a", "big"),
        (1, "spark-b", "big"),
    ]
    assert ranks_of_group("spark-a", fleet) == ranks_of_group("other", fleet) == []


def test_a_host_whose_context_has_the_same_tree_may_be_operated(fleet: Path) -> None:
    require_operable(with_contexts(fleet, "spark-a", "spark-b"), "up", stale_too=True)


def test_one_host_may_be_this_machine(fleet: Path) -> None:
    require_operable(with_contexts(fleet, "spark-b"), "up", stale_too=True)


def test_of_two_hosts_without_a_context_nobody_knows_which_is_this_one(fleet: Path) -> None:
    found = refusals(ranks_of_group("sparks", fleet))

    assert [detail.partition(":")[0] for detail, _ in found] == ["spark-a", "spark-b"]
    assert found[1][1] == f"run it there:\n\n    cd {fleet} && anvil-gen up spark-b big"


def test_a_host_with_another_tree_is_refused_with_what_to_type_there(fleet: Path) -> None:
    ranks = with_contexts(fleet, "spark-a", "spark-b")
    (fleet / "bin/ssh").write_text("#!/bin/sh\nexit 1\n")

    found = refusals(ranks)

    assert "it does not have the same files in " in found[0][0]
    assert "docker-compose.yml" in found[0][0]
    assert found[1][1].endswith("anvil-gen up spark-b big")


def test_another_machine_without_ssh_cannot_be_asked(fleet: Path) -> None:
    (fleet / "bin/docker").write_text(DOCKER.replace("ssh://me@$2", "tcp://10.0.0.9:2375"))

    assert "which only SSH can ask" in refusals(with_contexts(fleet, "spark-b"))[0][0]


def test_contexts_that_are_not_there_are_all_named_with_their_hosts(fleet: Path) -> None:
    ranks = with_contexts(fleet, "spark-a", "spark-b")
    (fleet / "bin/docker").write_text("#!/bin/sh\necho no such context >&2\nexit 1\n")

    with pytest.raises(DiagnosticError) as caught:
        require_operable(ranks, "up", stale_too=True)

    places = [one.location.file for one in caught.value.diagnostics if one.location is not None]
    assert places == ["hosts/spark-a.toml", "hosts/spark-b.toml"]


def test_a_rank_that_its_host_runs_in_another_mode_is_refused_before_anything_is_stopped(fleet: Path) -> None:
    with_contexts(fleet, "spark-b")
    edit(fleet / "groups/sparks.toml", "context_length = 32768", "context_length = 32768\nstandby = true")
    for host in ("spark-a", "spark-b"):
        edit(fleet / f"hosts/{host}.toml", "[gpus.gb10]", f"{OWN_TIER}[gpus.gb10]")
    write_trees(Generator().render_all(sorted((fleet / "hosts").glob("*.toml"))))

    with pytest.raises(DiagnosticError) as caught:
        require_operable(ranks_of_group("sparks", fleet), "up", stale_too=True)

    assert [one.code for one in caught.value.diagnostics] == ["not-in-any-mode"]


def test_a_verb_of_hosts_says_what_a_group_is(fleet: Path) -> None:
    done = anvil_gen("restart", "sparks", cwd=fleet)

    assert done.code == 1
    assert "it is a group of hosts, which `up`, `down` and `status` take" in done.stderr
    assert "name one of its hosts, as groups/sparks.toml has them" in done.stderr


def test_a_stale_tree_is_refused_before_anything_is_stopped(fleet: Path) -> None:
    ranks = with_contexts(fleet, "spark-b")
    edit(fleet / "groups/sparks.toml", "context_length = 32768", "context_length = 65536")

    with pytest.raises(DiagnosticError) as caught:
        require_operable(ranks_of_group("sparks", fleet), "up", stale_too=True)

    assert {one.code for one in caught.value.diagnostics} == {"files-do-not-match-the-inventory"}
    assert len(caught.value.diagnostics) == len(ranks)


def test_a_tree_that_was_edited_by_hand_is_refused_and_rendered_over_by_nothing(fleet: Path) -> None:
    ranks = with_contexts(fleet, "spark-b")
    edit(fleet / "deploy/spark-b/tiers/big.yml", "--node-rank=1", "--node-rank=0")
    assert len(ranks) == 2
    found = ranks_of_group("sparks", fleet)

    with pytest.raises(DiagnosticError) as caught:
        require_operable(found, "up", stale_too=True)
    assert [one.code for one in caught.value.diagnostics] == ["files-do-not-match-the-inventory"]

    with pytest.raises(DiagnosticError) as caught:
        rendered(found)
    assert [one.code for one in caught.value.diagnostics] == ["file-was-changed-manually"]


def test_a_tree_of_another_version_is_refused_since_that_of_the_other_hosts_may_differ(
    fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One host alone may go on with such a tree; of a group, nobody knows what the others were rendered by."""
    with_contexts(fleet, "spark-b")
    state = fleet / "deploy/spark-b/.anvil-gen/state.json"
    tier = fleet / "deploy/spark-b/tiers/big.yml"
    old = tier.read_text()
    tier.write_text(old.replace("--master-port=25000", "--master-port=29501"))
    digests = digest_of(old), digest_of(tier.read_text())
    state.write_text(state.read_text().replace(*digests).replace(f'"{__version__}"', '"0.0.1"'))

    with pytest.raises(DiagnosticError) as caught:
        require_operable(ranks_of_group("sparks", fleet), "up", stale_too=True)

    assert [(one.code, one.severity) for one in caught.value.diagnostics] == [
        ("files-were-rendered-by-another-version-of-anvil-gen", "error")
    ]


def test_a_render_before_up_is_of_all_hosts(fleet: Path) -> None:
    with_contexts(fleet, "spark-b")
    edit(fleet / "groups/sparks.toml", "context_length = 32768", "context_length = 65536")

    require_operable(rendered(ranks_of_group("sparks", fleet)), "up", stale_too=True)

    for host in ("spark-a", "spark-b"):
        assert "--max-model-len=65536" in (fleet / f"deploy/{host}/tiers/big.yml").read_text()


def test_files_are_compared_by_what_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "tiers").mkdir()
    (tmp_path / "tiers/a b.yml").write_text("one\n")
    (tmp_path / "c.yml").write_text("other\n")
    files = {"tiers/a b.yml": "one\n", "c.yml": "two\n", "d.yml": "three\n"}

    assert differing_files(run_program, str(tmp_path), files) == ["c.yml", "d.yml"]


def row(state: str = "running", started: str = EARLY) -> Row:
    return Row(
        tier="big",
        service="big",
        container="big",
        state=state,
        health=None,
        served_name="big",
        models=(),
        gpus=(),
        started_at=started if state == "running" else "",
        ports=(),
        drift=(),
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row(), row()], None),
        ([row("absent"), row("absent")], None),
        ([row(), row("exited")], "rank 1 on spark-b is exited: the others wait for it, and hang"),
        ([row("absent"), row()], "rank 0 on spark-a is absent: the others wait for it, and hang"),
        ([row(), row(started=LATE)], "rank 1 on spark-b has started again since the head did, which has lost it"),
        ([row(started=LATE), row()], None),
        ([row(), None], "rank 1: spark-b does not answer"),
    ],
)
def test_a_rank_that_is_lost_is_a_drift_of_the_group(fleet: Path, rows: list[Row | None], expected: str | None) -> None:
    found = list(group_drift(ranks_of_group("sparks", fleet), rows))

    assert found == ([] if expected is None else [Drift(kind="rank", detail=expected, remedy="anvil-gen up sparks")])
