"""What tests of several modules are given."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from effort import sample
from hypothesis import settings

# Also for a property that says nothing itself: the same examples in each run, and no deadline on a busy machine.
settings.register_profile("usual", parent=sample(100))
settings.load_profile("usual")

# Asserts of what tests share show their values too.
pytest.register_assert_rewrite("e2e")

REAL_VLLM = Path(__file__).parent / "e2e" / "vllm"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what has to be asked for, since it takes minutes and gigabytes."""
    parser.addoption("--vllm", action="store_true", help="also run the tests of a real vLLM, in tests/e2e/vllm")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the real vLLM alone where it is not asked for."""
    return (collection_path.is_relative_to(REAL_VLLM) and not config.getoption("vllm")) or None


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the processes that tests start share what one has compiled, also where Python is told to keep nothing."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        environment.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("compiled")))
        yield


@pytest.fixture
def held() -> Iterator[int]:
    """Hold a port of the loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]
