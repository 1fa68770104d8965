"""What `without` names: another target is rendered as if it were not written, with all that is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from inventories import BOX

from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import DiagnosticError

TARGETS = ("kubernetes", "quadlet")
TWO = '[tiers.two]\nengine = "vllm"\ngpus = ["b"]\nmodel = { path = "two" }\nport = 30001\n'
HUB = BOX.replace('{ path = "one" }', '{ repo = "org/model" }').replace(
    "[paths]", '[hfcache]\nvolume = "hf"\ntoken_env = "HF_TOKEN"\n[paths]'
)
OTHER = BOX.replace("[paths]", '[host]\naddress = "10.0.0.2"\n[paths]') + 'bind = "0.0.0.0"\napi_key_env = "KEY"\n'


def rendered(folder: Path, text: str, target: str, *without: str) -> dict[str, str]:
    (folder / "hosts").mkdir(exist_ok=True)
    (folder / "hosts/other.toml").write_text(OTHER, "utf-8")
    listed = ", ".join(f'"{one}"' for one in without)
    (folder / "hosts/box.toml").write_text(f"{text}\n[{target}]\nwithout = [{listed}]\n", "utf-8")
    return dict(Generator().render(folder / "hosts/box.toml", target=target).tree.files)


def inserted(text: str) -> str:
    return BOX.replace("[router]", f"{text}[router]")


SEED = inserted('flags.seed = { env = "SEED", default = "1" }\n')
CASES = [
    ("tiers.two", inserted(TWO), BOX),
    ("tiers.t*", inserted(TWO), BOX),
    ("tiers.*.env_file", inserted('env_file = ["a.env"]\n'), BOX),
    ("tiers.one.override", inserted('override = { labels = ["a=b"], volumes = ["/a:/b"] }\n'), BOX),
    ("tiers.one.override.ulimits", inserted("override = { ulimits = { memlock = -1 } }\n"), BOX),
    ("tiers.*.mounts", inserted('[tiers.one.mounts]\n"/data" = "/srv/data"\n'), BOX),
    ("tiers.one.flags", SEED, BOX),
    ("tiers.one.flags.seed", SEED, inserted("flags.seed = '1'\n")),
    ("monitoring", f"{BOX}\n[monitoring]\n", BOX),
    ("services", f'{BOX}\n[services.ui]\nimage = "ui"\n', BOX),
    ("hfcache.token_env", HUB, HUB.replace('token_env = "HF_TOKEN"\n', "")),
    ("router.hosts", f'{BOX}hosts = ["other"]\n', BOX),
    ("router.override.labels", f'{BOX}override = {{ labels = ["a=b"] }}\n', BOX),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("pattern", "text", "same"), CASES, ids=[one[0] for one in CASES])
def test_it_is_as_if_it_were_not_written(tmp_path: Path, target: str, pattern: str, text: str, same: str) -> None:
    assert rendered(tmp_path, text, target, pattern) == rendered(tmp_path, same, target)


@pytest.mark.parametrize("target", TARGETS)
def test_what_needs_it_is_an_error_with_its_line(tmp_path: Path, target: str) -> None:
    text = inserted(f'{TWO}[modes.both]\ntiers = ["one", "two"]\n')

    with pytest.raises(DiagnosticError) as caught:
        rendered(tmp_path, text, target, "tiers.two")

    (found,) = caught.value.diagnostics
    assert found.address == "modes.both.tiers[1]"
    assert found.location is not None
    assert found.location.source == 'tiers = ["one", "two"]'


def test_the_deploy_tree_has_it_all_the_same(tmp_path: Path) -> None:
    rendered(tmp_path, inserted(TWO), "kubernetes", "tiers.two")

    assert "tiers/two.yml" in Generator().render(tmp_path / "hosts/box.toml").tree.files
