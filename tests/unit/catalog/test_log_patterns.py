"""Logs as data: what each line means is read from `log.toml`, and every pattern finds the line that it is for."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_engine import TOY_ENGINE, TOY_INVENTORY, fleet

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.log_patterns import Cause, Failure, Impairment, KnownLog, LogData, Stage, known_log, log_data
from anvil_gen.catalog.template_tree import KINDS, LOG_FILE
from anvil_gen.deploy.pipeline import Generator
from anvil_gen.diagnostics import DiagnosticError

SHIPPED = Catalog()
WITH_LOG = [
    (kind, name)
    for kind in KINDS
    for name in SHIPPED.names(kind)
    if SHIPPED.find(f"{kind}/{name}/{LOG_FILE}") is not None
]
FAILURES = [
    pytest.param(kind, name, failure, id=f"{name or 'any'}-{number}")
    for kind, name in (*WITH_LOG, ("", ""))
    for number, failure in enumerate(log_data(SHIPPED, f"{kind}/{name}/{LOG_FILE}" if name else LOG_FILE).failure)
]
IMPAIRMENTS = [
    pytest.param(kind, name, impairment, id=f"{name or 'any'}-{number}")
    for kind, name in (*WITH_LOG, ("", ""))
    for number, impairment in enumerate(log_data(SHIPPED, f"{kind}/{name}/{LOG_FILE}" if name else LOG_FILE).impairment)
]


def told(name: str, line: str, kind: str = "engines") -> tuple[str, str]:
    """Return cause and remedy of a line in an engine's log."""
    found = known_log(SHIPPED, kind, name).cause(line)
    assert found is not None
    return found.cause, found.remedy


@pytest.mark.parametrize(("kind", "name"), WITH_LOG)
def test_each_stage_finds_its_own_line(kind: str, name: str) -> None:
    log = known_log(SHIPPED, kind, name)
    stages = log_data(SHIPPED, f"{kind}/{name}/{LOG_FILE}").stage

    assert [log.stage(stage.example) for stage in stages] == [(n, stage.words) for n, stage in enumerate(stages)]
    assert [stage.words for stage in stages if log.cause(stage.example) is not None] == []


@pytest.mark.parametrize(("kind", "name", "failure"), FAILURES)
def test_each_failure_finds_its_own_line(kind: str, name: str, failure: Failure) -> None:
    found = known_log(SHIPPED, kind, name).cause(failure.example)

    assert found is not None
    assert (found.source, found.transient, found.general) == (failure.source, failure.transient, not name)
    assert "{" not in found.cause.replace("{ env", "")
    assert failure.remedy
    assert failure.source


@pytest.mark.parametrize(("kind", "name", "impairment"), IMPAIRMENTS)
def test_each_impairment_finds_its_own_line(kind: str, name: str, impairment: Impairment) -> None:
    found = known_log(SHIPPED, kind, name, with_gpus=True).impairment(impairment.example)

    assert found is not None
    assert (found.words, found.source) == (impairment.words, impairment.source)
    assert "{" not in found.cause
    assert found.remedy


@pytest.mark.parametrize("engine", ["llamacpp", "ollama", "tei", "vllm"])
def test_without_gpus_a_processor_is_no_news(engine: str) -> None:
    lines = [one.example for one in log_data(SHIPPED, f"engines/{engine}/{LOG_FILE}").impairment if one.only_with_gpus]
    log = known_log(SHIPPED, "engines", engine)

    assert [line for line in lines if log.impairment(line)] == []


@pytest.mark.parametrize(
    ("engine", "line", "cause", "remedy"),
    [
        (
            "vllm",
            "(EngineCore_DP0 pid=1) ERROR 10-08 20:33:48 [core.py:708] ValueError: To serve at least one request with "
            "the models's max seq len (40960), (5.62 GiB KV cache is needed, which is larger than the available KV "
            "cache memory (4.50 GiB). Based on the available memory, the estimated maximum model length is 32768. Try",
            "one request of 40960 tokens needs 5.62 GiB of KV cache, and 4.50 GiB are left next to the weights",
            "`context_length` at most 32768; or",
        ),
        (
            "vllm",
            "ValueError: Free memory on device (3.27/15.98 GiB) on startup is less than desired GPU memory utilization "
            "(0.9, 14.39 GiB)",
            "something else holds the GPU: 3.27 of 15.98 GiB are free",
            "stop what holds it",
        ),
        ("vllm", "vllm: error: unrecognized arguments: --no-such-flag", "does not know: --no-such-flag", "misspelling"),
        ("sglang", "launch_server.py: error: unrecognized arguments: --a 3", "does not know: --a 3", "misspelling"),
        ("llamacpp", "error: invalid argument: --no-such-flag", "does not know: --no-such-flag", "misspelling"),
        (
            "vllm",
            "OSError: /models/none is not a local folder and is not a valid model identifier",
            "/models/none",
            "path",
        ),
    ],
)
def test_what_a_line_says_stands_in_cause_and_remedy(engine: str, line: str, cause: str, remedy: str) -> None:
    found = told(engine, line)

    assert cause in found[0]
    assert remedy in found[1]


def test_the_own_words_of_an_engine_come_before_a_librarys() -> None:
    line = "RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy requests."

    assert "sampler" in told("vllm", line)[0]


def test_values_of_a_line_are_short_and_printable() -> None:
    log = KnownLog(
        LogData(failure=(Failure(pattern="bad: (?P<what>.*)", cause="{what}", remedy="no {other"),)), LogData()
    )
    found = log.cause("bad: \x1b[31m" + "x" * 10_000)

    assert found == Cause(
        cause="\\u001b[31m" + "x" * 110 + "…", remedy="no {other", source="", line="bad: \x1b[31m" + "x" * 10_000
    )


def test_a_group_that_took_no_part_is_left_out() -> None:
    log = KnownLog(LogData(failure=(Failure(pattern="a(?P<b>b)?", cause="<{b}>", remedy=""),)), LogData())

    found = log.cause("a")
    assert found is not None
    assert found.cause == "<>"


def test_an_engine_of_ones_own_needs_no_log(tmp_path: Path) -> None:
    fleet(tmp_path, TOY_INVENTORY, **{"templates/engines/toy/engine.toml": TOY_ENGINE})
    log = known_log(Catalog(tmp_path / "templates"), "engines", "toy")

    assert log.stage("loading") is None
    assert log.cause("toy: error: unrecognized arguments: --x") is not None


def test_an_overridden_engine_keeps_the_shipped_log(tmp_path: Path) -> None:
    engine = SHIPPED.find("engines/vllm/engine.toml")
    assert engine is not None
    fleet(tmp_path, TOY_INVENTORY, **{"templates/engines/vllm/engine.toml": engine.read_text("utf-8")})
    log = known_log(Catalog(tmp_path / "templates"), "engines", "vllm")

    assert log.stage("Starting to load model x") == (2, "loading weights")


def test_a_log_of_ones_own_is_read_and_changes_no_file(tmp_path: Path) -> None:
    own = '[[stage]]\nwords = "weighing"\npattern = "weigh"\n[[failure]]\npattern = "fell"\ncause = "c"\nremedy = "r"\n'
    templates = {"templates/engines/toy/engine.toml": TOY_ENGINE, "templates/engines/toy/log.toml": own}
    inventory = fleet(tmp_path, TOY_INVENTORY, **templates)
    log = known_log(Catalog(tmp_path / "templates"), "engines", "toy")

    assert log.stage("it weighs") == (0, "weighing")
    assert log.cause("it fell") == Cause(cause="c", remedy="r", source="", line="it fell")
    assert not [path for path in Generator().render(inventory).tree.files if "log" in path]


def test_every_fault_of_a_log_is_told_with_its_place(tmp_path: Path) -> None:
    own = '[[stage]]\nwords = "a"\npattern = "("\n[[failure]]\npattern = "(?P<x>y)"\ncause = "{z}"\nremedy = "{x}"\n'
    fleet(
        tmp_path,
        TOY_INVENTORY,
        **{"templates/engines/toy/engine.toml": TOY_ENGINE, "templates/engines/toy/log.toml": own},
    )
    with pytest.raises(DiagnosticError) as caught:
        known_log(Catalog(tmp_path / "templates"), "engines", "toy")

    found = [
        (diagnostic.address, diagnostic.location.line if diagnostic.location else 0)
        for diagnostic in caught.value.diagnostics
    ]
    assert found == [("stage[0].pattern", 3), ("failure[0].cause", 6)]
    assert caught.value.diagnostics[1].detail == '"{z}" is no named group of the pattern'


def test_a_misspelt_key_of_a_log_is_told(tmp_path: Path) -> None:
    own = '[[stages]]\nwords = "a"\npattern = "b"\n'
    fleet(
        tmp_path,
        TOY_INVENTORY,
        **{"templates/engines/toy/engine.toml": TOY_ENGINE, "templates/engines/toy/log.toml": own},
    )
    with pytest.raises(DiagnosticError) as caught:
        known_log(Catalog(tmp_path / "templates"), "engines", "toy")

    assert [diagnostic.detail for diagnostic in caught.value.diagnostics] == [
        '"stages" is not a key of this table; did you mean "stage"?'
    ]


def test_a_stage_may_stand_alone() -> None:
    assert KnownLog(LogData(stage=(Stage(words="w", pattern="p"),)), LogData()).stage("p") == (0, "w")
