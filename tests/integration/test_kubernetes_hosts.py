"""Several hosts in one folder for Kubernetes: they share a base, and each builds as it does alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from group_fleets import write_pair
from inventories import BOX
from kube_objects import Object, built, problems
from kube_schemas import VERSIONS, validate
from places import REPOSITORY
from running import anvil_gen

from anvil_gen.deploy.pipeline import Generator, write
from anvil_gen.diagnostics import DiagnosticError

HOSTS = [REPOSITORY / "hosts/lab-quad.toml", REPOSITORY / "hosts/fakoli-dark.toml"]
TCP = '\n[kubernetes]\nwithout = ["links.roce.hcas"]\n'


def render(inventories: list[Path], output: Path, target: str = "kubernetes") -> Path:
    write(Generator().render_all(inventories, output=output, target=target))
    return output


def in_order(documents: list[Object]) -> list[Object]:
    return sorted(documents, key=lambda one: (one["kind"], one["metadata"]["name"]))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(HOSTS, tmp_path_factory.mktemp("k8s"))


@pytest.mark.parametrize("place", ["lab-quad", "lab-quad/modes/coding", "fakoli-dark"])
def test_each_host_builds_as_it_does_alone(shared: Path, place: str) -> None:
    host, _, mode = place.partition("/")
    found = built(shared / place)

    assert in_order(found) == in_order(built(REPOSITORY / "examples" / host / "kubernetes" / mode))
    assert problems(found) == []
    for one in found:
        validate(one, VERSIONS[-1])


def test_what_they_have_in_common_is_there_once(shared: Path) -> None:
    namespaces = [
        path.relative_to(shared).as_posix()
        for path in shared.rglob("*.yaml")
        if "kind: Namespace\nmetadata" in path.read_text("utf-8")
    ]

    assert namespaces == ["base/namespace.yaml"]
    for host in ("lab-quad", "fakoli-dark"):
        assert "  - ../../base\n" in (shared / host / "base/kustomization.yaml").read_text("utf-8")


def test_the_order_of_hosts_changes_nothing(shared: Path) -> None:
    words = ["--target", "kubernetes", "--output", str(shared), "--check"]

    found = anvil_gen("render", *map(str, reversed(HOSTS)), *words, cwd=REPOSITORY)

    assert (found.code, found.stderr) == (0, "")
    assert found.stdout.startswith("base -> ")


def test_the_fix_of_a_stale_base_renders_all_of_them(shared: Path, tmp_path: Path) -> None:
    output = tmp_path / "k8s"
    words = ["--target", "kubernetes", "--output", str(output)]

    found = anvil_gen("render", "lab-quad", "fakoli-dark", *words, "--check", cwd=REPOSITORY)

    assert found.code == 2
    command = "    anvil-gen render hosts/lab-quad.toml hosts/fakoli-dark.toml --output"
    assert found.stdout.count(command) == 3
    assert not output.exists()
    assert shared.exists()


def test_a_host_that_was_alone_in_its_folder_takes_the_base(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    boxes = [tmp_path / "hosts/a.toml", tmp_path / "hosts/b.toml"]
    for box in boxes:
        box.write_text(BOX, "utf-8")
    render(boxes[:1], tmp_path / "k8s/a")
    assert (tmp_path / "k8s/a/base/namespace.yaml").exists()

    render(boxes, tmp_path / "k8s")

    assert not (tmp_path / "k8s/a/base/namespace.yaml").exists()
    assert {one["metadata"]["name"] for one in built(tmp_path / "k8s/a") if one["kind"] == "Namespace"} == {"a"}


def test_the_hosts_of_a_group_share_a_base(tmp_path: Path) -> None:
    pair = write_pair(tmp_path, first=f"\n[router]\n{TCP}", second=TCP)
    output = render([*pair], tmp_path / "k8s")

    assert problems(built(output / "spark-a")) == []
    assert [one["metadata"]["name"] for one in built(output / "spark-b")] == ["spark-b"]


def test_two_hosts_in_one_namespace_are_refused(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    boxes = [tmp_path / "hosts/a.toml", tmp_path / "hosts/b.toml"]
    for box in boxes:
        box.write_text(f'{BOX}\n[kubernetes]\nnamespace = "llm"\n', "utf-8")

    with pytest.raises(DiagnosticError) as caught:
        Generator().render_all(boxes, output=tmp_path / "k8s", target="kubernetes")

    (found,) = caught.value.diagnostics
    assert (found.code, found.address) == ("namespace-taken-twice", "kubernetes.namespace")
    assert found.location is not None
    assert (Path(found.location.file).name, found.location.source) == ("b.toml", 'namespace = "llm"')


def test_a_host_of_the_name_of_the_base_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    boxes = [tmp_path / "hosts/a.toml", tmp_path / "hosts/base.toml"]
    for box in boxes:
        box.write_text(BOX, "utf-8")

    with pytest.raises(DiagnosticError) as caught:
        Generator().render_all(boxes, output=tmp_path / "k8s", target="kubernetes")

    (found,) = caught.value.diagnostics
    assert (found.code, found.detail) == (
        "output-taken-twice",
        "what all of them share is rendered into the same folder",
    )
    assert (found.location and Path(found.location.file).name, found.remedy) == ("base.toml", "rename this file")


def test_units_share_nothing(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    boxes = [tmp_path / "hosts/a.toml", tmp_path / "hosts/b.toml"]
    for box in boxes:
        box.write_text(BOX, "utf-8")

    output = render(boxes, tmp_path / "units", "quadlet")

    assert sorted(path.name for path in output.iterdir()) == ["a", "b"]
