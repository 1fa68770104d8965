"""What is rendered of an inventory for Kubernetes, for tests that look at parts of it."""

from __future__ import annotations

from pathlib import Path

from anvil_gen.deploy.pipeline import Generator

PLUGIN = '[kubernetes]\ngpu_request = "device-plugin"\n'


def render(folder: Path, text: str, target: str = "kubernetes") -> dict[str, str]:
    (folder / "hosts").mkdir(exist_ok=True)
    (folder / "hosts" / "box.toml").write_text(text, "utf-8")
    return dict(Generator().render(folder / "hosts" / "box.toml", target=target).tree.files)


def written(folder: Path, text: str) -> Path:
    """Return the folder of what is rendered of an inventory."""
    for path, content in render(folder, text).items():
        (folder / "k8s" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "k8s" / path).write_text(content, "utf-8")
    return folder / "k8s"
