"""A target's file that does not say what Compose says is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from places import REPOSITORY

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.diagnostics import InternalError
from anvil_gen.render.renderer import Renderer
from anvil_gen.render.target_model import TargetView
from anvil_gen.render.target_renderer import render_target
from anvil_gen.render.target_view import HostTree, ViewBuilder
from anvil_gen.render.verify import verify
from anvil_gen.render.verify_target import verify_target
from anvil_gen.resolve.host import Host
from anvil_gen.resolve.target import resolve_target, with_target_variables

LAB = REPOSITORY / "hosts/lab-quad.toml"
CHANGES = [
    ("kubernetes", "base/tiers/chat.yaml", "            - --max-num-seqs=32\n", ""),
    ("kubernetes", "base/tiers/chat.yaml", "--max-num-seqs=32", "--max-num-seqs=33"),
    ("kubernetes", "base/tiers/chat.yaml", "image: vllm/", "image: other/"),
    ("kubernetes", "base/tiers/chat.yaml", "value: PCI_BUS_ID", "value: $(HOME)"),
    ("kubernetes", "base/tiers/writer.yaml", "              readOnly: true\n", ""),
    ("kubernetes", "base/router.yaml", "        - name: router-reload\n", "        - name: router-reloads\n"),
    ("quadlet", "anvil-lab-quad-chat.container", "  --max-num-seqs=32 \\\n", ""),
    ("quadlet", "anvil-lab-quad-chat.container", "Image=docker.io/", "Image=quay.io/"),
    ("quadlet", "anvil-lab-quad-chat.container", "PCI_BUS_ID", "$HOME"),
    ("quadlet", "anvil-lab-quad-chat.container", "Secret=HF_TOKEN", "Secret=HF_TOKENS"),
    ("quadlet", "anvil-lab-quad-writer.container", ":ro\n", "\n"),
]


def rendered(folder: Path, target: str) -> tuple[str, TargetView, dict[str, str]]:
    renderer = Renderer(Catalog())
    host = Host(LAB, renderer.catalog, output=folder / target)
    request = resolve_target(host, target)
    stack = with_target_variables(host.stack, host, target)
    files, made = renderer.render(stack)
    data = verify(renderer, files, made)
    view = ViewBuilder(HostTree(host=host, request=request, stack=stack, files=files, data=data)).view()
    return request.data.syntax, view, render_target(renderer, stack, request, view)


@pytest.mark.parametrize(("target", "path", "before", "after"), CHANGES)
def test_a_change_is_found(tmp_path: Path, target: str, path: str, before: str, after: str) -> None:
    syntax, view, files = rendered(tmp_path, target)
    verify_target(syntax, view, files)
    assert before in files[path]

    with pytest.raises(InternalError):
        verify_target(syntax, view, {**files, path: files[path].replace(before, after, 1)})
