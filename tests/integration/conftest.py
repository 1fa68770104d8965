"""What tests of several modules are given."""

from __future__ import annotations

from pathlib import Path

import pytest
from onboarding import (
    RTX5090,
    TemplateRepository,
    new_fleet,
    plain_template,
)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> TemplateRepository:
    """This template as version v0.1.0: not to be changed."""
    return TemplateRepository(tmp_path_factory.mktemp("template") / "anvil-gen")


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This template without versions: not to be changed."""
    return plain_template(tmp_path_factory.mktemp("plain") / "anvil-gen")


@pytest.fixture(scope="session")
def fleet(template: TemplateRepository, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet with one machine, `box`: not to be changed."""
    return new_fleet(template.folder, tmp_path_factory.mktemp("fleet") / "my-fleet", gpus=RTX5090)
