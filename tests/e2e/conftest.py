"""What the tests against a real engine stand on.

Fixtures, all made once for the folder but `box` and `machine_path`:

- `engine`: our own Docker daemon, with the stand-in images, in a network of its own. The test process is in that
  network: what containers publish on 127.0.0.1 answers here, and nothing of the machine is in the way.
  `engine.environment` goes to every program that shall use it; `engine.run(...)`, `engine.docker(...)` and
  `engine.inspect(name)` do that.
  `with engine.ignoring_pins():` plays a platform on which every container sees all cards.
- `model_folder`: a folder with a real model's GGUF file, and the folders that images.toml names, the same file in each.
- `registry`: the address of an image registry, for push and pull: `f"{registry}/name:tag"`.
- `machine_path`: a PATH on which `nvidia-smi` lists the machine's cards, as on the host of a real box.
- `box`: an inventory of the test's own (`box.py`), with unique names and free ports. `box.adapted("cpu-demo")` is a
  reference inventory with those; then `box.render(inventory)`, `box.anvil_gen("up", "box")`,
  `box.compose("up", "--detach")`, `box.container("small")`. All that has `box.prefix` in its name is removed
  afterwards, also when the test fails. For a box that the tests of a module share, make a fixture of scope "module"
  around `new_box`.

`web.py` asks and waits over HTTP. Another test runs at the same time, on as few cores: what becomes true a moment later
is waited for, and what is measured is measured again (`patience.py`). A test that fails is tried again, with the same
box where that is of a larger scope than "function".

`images.toml` says what the images are made of: a further Python package, Debian package or image name is one line
there. `images/stand_in.py` says how a container is made to log, wait or fail, by variables like `STAND_IN_EXIT`. The
cards are those of hosts/fakoli-dark.toml and hosts/lab-quad.toml.

To look around while tests run, or without them: `scripts/with-engine COMMAND` shares the engine with them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pin_servers import real_registry

from e2e import engine as engine_module
from e2e.box import Box
from e2e.cards import write_nvidia_smi
from e2e.daemon import DaemonError
from e2e.engine import CARDS, Engine, EngineError, running_engine
from e2e.in_parallel import ByPart
from e2e.materials import MaterialError


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where no engine can run, leave one test, which fails with the reason: the others would only repeat it."""
    here = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    if engine_module.missing() and here:
        config.hook.pytest_deselected(items=here[1:])
        items[:] = [item for item in items if item not in here[1:]]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPart:
    """Deal tests out by what they share."""
    return ByPart(config, log)


@pytest.fixture(scope="package", autouse=True)
def engine() -> Iterator[Engine]:
    """Start the engine, and stop it at the end."""
    with contextlib.ExitStack() as stack:
        try:
            started = stack.enter_context(running_engine())
        except (EngineError, DaemonError, MaterialError) as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        yield started


@pytest.fixture(scope="package")
def model_folder(engine: Engine) -> Path:
    """Return the folder of the real model."""
    return engine.model_folder


@pytest.fixture(scope="package")
def registry(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start an image registry, and return its address."""
    with real_registry(tmp_path_factory.mktemp("registries") / "registry") as address:
        yield address


@pytest.fixture
def machine_path(tmp_path: Path, engine: Engine) -> str:
    """Return a PATH on which an `nvidia-smi` lists the machine's cards."""
    program = write_nvidia_smi(tmp_path / "machine" / "nvidia-smi", CARDS)
    return f"{program.parent}:{engine.environment['PATH']}"


@contextlib.contextmanager
def new_box(engine: Engine, folder: Path) -> Iterator[Box]:
    """Make a box, and remove all that is made with it."""
    made = Box(engine, folder)
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture
def box(engine: Engine, tmp_path: Path) -> Iterator[Box]:
    """Make a box for one test."""
    with new_box(engine, tmp_path) as made:
        yield made
