"""Every value of every file of the examples has a known cause."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from places import REPOSITORY

from anvil_gen.deploy.pipeline import generator
from anvil_gen.review.explain import Explainer
from anvil_gen.review.rendered_values import content, leaves

HOSTS = [path.stem for path in sorted((REPOSITORY / "hosts").glob("*.toml"))]


@pytest.mark.parametrize("host", HOSTS)
def test_every_value_has_a_cause(host: str) -> None:
    made = generator()
    known = Explainer(made.render(REPOSITORY / "hosts" / f"{host}.toml"), made)
    texts = {}
    for path in known.plan.tree.files:
        for keys, value in leaves(content(known.plan.tree, path)):
            if str(value).strip():
                found = known.rendered((path, keys))
                assert found.causes, found.address
                assert all(cause.line or cause.why for cause in found.causes), found.address
                texts[found.address] = [(Path(cause.file).name, cause.key) for cause in found.causes]

    # What no file says is the program's own; it is the same few keys everywhere.
    computed = {address for address, causes in texts.items() if "computed by anvil-gen" in dict(causes).values()}
    own = {re.split(r"[.\[]", address)[-1] for address in computed if address.startswith("tiers/")}
    assert own <= {"interval", "timeout", "retries", "driver", "target"}
