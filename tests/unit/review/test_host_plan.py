"""What an edit of the example with four GPUs does: consequence and cause, against the disk and against a git ref."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree

import pytest
from plans import LAB, causes, commit, consequences, edit, lab_fleet, lines, plan_of

from anvil_gen.diagnostics import DiagnosticError


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A rendered fleet without a pending change."""
    return lab_fleet(tmp_path)


# name -> (text before, text after, what happens, what is told)
EDITS: dict[str, tuple[str, str, dict[str, str], list[str]]] = {
    "a port": (
        "port = 30001",
        "port = 30011",
        {"writer": "recreate", "router": "reload"},
        [
            "writer: port 30001 -> 30011 (--port, health check, published port)",
            "router: routes, by tiers.writer.port 30001 -> 30011",
        ],
    ),
    "an alias": (
        'aliases.default = "chat"',
        'aliases.default = "writer"',
        {"router": "reload"},
        ["router: aliases.default chat -> writer (routes)"],
    ),
    "a model": (
        '"BAAI/bge-m3"',
        '"BAAI/bge-large"',
        {"embed": "recreate"},
        ["embed: model BAAI/bge-m3 -> BAAI/bge-large (--model-id)"],
    ),
    "a positional model": (
        '{ repo = "Qwen/Qwen3-30B-A3B-Instruct-2507-FP8" }',
        '{ repo = "Qwen/Qwen3-32B", revision = "abc" }',
        {"chat": "recreate"},
        ["chat: model Qwen/Qwen3-30B-A3B-Instruct-2507-FP8 -> Qwen/Qwen3-32B@abc (--revision)"],
    ),
    "a GPU by its name": (
        'gpu = "d"',
        'gpu = "c"',
        {"experiment": "none"},
        ["experiment: gpu d -> c (GPUs, labels.anvil-gen.trial.GPU_UUID)"],
    ),
    "another GPU in its slot": (
        "8e4a04",
        "8e4a05",
        {"rerank": "recreate", "experiment": "none", "coder": "recreate"},
        [
            f"{name}: GPUs{more}, by gpus.d.uuid GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a04 -> "
            "GPU-5b1f0c7e-3a52-4d0b-9f27-1c6f2b8e4a05"
            for name, more in (("rerank", ""), ("coder", ""), ("experiment", ", labels.anvil-gen.trial.GPU_UUID"))
        ],
    ),
    "a context": (
        "context_length = 65536",
        "context_length = 32768",
        {"chat": "recreate", "router": "reload"},
        [
            "chat: context_length 65536 -> 32768 (--max-model-len)",
            "router: routes, by tiers.chat.context_length 65536 -> 32768",
        ],
    ),
    "an image instead of the default": (
        "[tiers.embed]\n",
        '[tiers.embed]\nimage = "example.org/tei:1"\n',
        {"embed": "recreate"},
        [
            "embed: image ghcr.io/huggingface/text-embeddings-inference:86-1.9.3 -> example.org/tei:1 "
            "(entrypoint, security_opt)"
        ],
    ),
    "a flag": (
        'flags.tool-call-parser = "hermes"',
        'flags.tool-call-parser = "hermes"\nflags.seed = 7',
        {"chat": "recreate"},
        ["chat: flags.seed 7 added (--seed)"],
    ),
    "a key of JSON": (
        "temperature = 0.7",
        "temperature = 0.70",
        {"chat": "recreate"},
        ["chat: flags.override-generation-config.temperature 0.7 -> 0.70 (--override-generation-config)"],
    ),
    "what all tiers have": (
        '"Etc/UTC"',
        '"Europe/Berlin"',
        {"chat": "recreate", "writer": "recreate", "embed": "recreate", "rerank": "recreate", "coder": "recreate"},
        [
            f"{name}: environment.TZ, by defaults.environment.TZ Etc/UTC -> Europe/Berlin"
            for name in ("chat", "writer", "embed", "rerank", "coder")
        ],
    ),
    "a tier of another mode": (
        "context_length = 32768",
        "context_length = 16384",
        {"router": "reload", "coder": "recreate"},
        [
            "coder: context_length 32768 -> 16384 (--max-model-len)",
            "router: routes, by tiers.coder.context_length 32768 -> 16384",
        ],
    ),
    "the experiment": (
        "port = 30010",
        "port = 30020",
        {"experiment": "none"},
        [
            "experiment: port 30010 -> 30020 (--port, container_name, health check, labels.anvil-gen.trial.PORT, "
            "published port)"
        ],
    ),
}


@pytest.mark.parametrize("against", ["disk", "HEAD"])
@pytest.mark.parametrize("name", EDITS)
def test_edit(fleet: Path, against: str, name: str) -> None:
    before, after, happens, told = EDITS[name]
    edit(fleet, before, after)

    plan = plan_of(fleet, against=against)

    assert consequences(plan) == happens
    assert lines(plan) == told


def test_clients_by_digest_come_and_go_by_a_reload(fleet: Path) -> None:
    """Also the first and the last of them: no digest is in the router's container itself."""
    key, first, second = 'api_key_env = "LAB_ROUTER_TOKEN"\n', "1" * 64, "2" * 64
    line = f'api_key_sha256.laptop = "{first}"\n'
    steps = [
        (key, key + line, "laptop … added"),
        (line, f'{line}api_key_sha256.phone = "{second}"\n', "phone … added"),
        (second, "3" * 64, "phone … -> …"),
        (f'api_key_sha256.phone = "{"3" * 64}"\n', "", "phone … removed"),
        (line, "", "laptop … removed"),
    ]
    for before, after, told in steps:
        edit(fleet, before, after)
        plan = plan_of(fleet, against="HEAD")
        assert consequences(plan) == {"router": "reload"}
        assert lines(plan) == [f"router: api_key_sha256.{told} (routes)"]
        commit(fleet)


def test_two_edits_are_told_apart(fleet: Path) -> None:
    edit(fleet, "port = 30001\ncontext_length = 16384", "port = 30011\ncontext_length = 8192")

    for against in ("disk", "HEAD"):
        assert lines(plan_of(fleet, against=against)) == [
            "writer: context_length 16384 -> 8192 (--ctx-size)",
            "writer: port 30001 -> 30011 (--port, health check, published port)",
            "router: routes, by tiers.writer.context_length 16384 -> 8192",
            "router: routes, by tiers.writer.port 30001 -> 30011",
        ]


def test_edits_that_need_each_other_are_told_by_their_own_table(fleet: Path) -> None:
    edit(fleet, "port = 30001", "port = 30002")
    edit(fleet, 'served_name = "bge-m3"\nport = 30002', 'served_name = "bge-m3"\nport = 30001')

    assert causes(plan_of(fleet, against="HEAD")) >= {
        ("writer", "tiers.writer.port", 62),
        ("embed", "tiers.embed.port", 74),
    }


def test_a_new_tier_starts_and_a_removed_one_stops(fleet: Path) -> None:
    edit(fleet, "[tiers.rerank]", "[tiers.ranker]")

    plan = plan_of(fleet, against="HEAD")

    assert consequences(plan) == {"ranker": "start", "rerank": "stop", "router": "reload"}
    assert {("ranker", "tiers.ranker", 77), ("rerank", "tiers.ranker", 77)} <= causes(plan)


def test_a_tier_that_goes_on_standby_stops(fleet: Path) -> None:
    edit(fleet, "port = 30003\n", "port = 30003\nstandby = true\n")

    assert consequences(plan_of(fleet)) == {"rerank": "stop", "router": "reload"}


def test_between_commits_the_line_is_found_by_its_value(fleet: Path) -> None:
    """Nothing is known then of what the files on disk were rendered from."""
    edit(fleet, "port = 30001", "port = 30011")
    commit(fleet)

    assert causes(plan_of(fleet)) == {("writer", "tiers.writer.port", 62), ("router", "router", 111)}
    assert lines(plan_of(fleet))[0] == "writer: port 30001 -> 30011 (--port, health check, published port)"
    assert plan_of(fleet, against="HEAD").changes is False


def test_a_host_that_is_new_is_one_that_starts(fleet: Path) -> None:
    text = (
        (fleet / LAB).read_text("utf-8").replace("anvil-lab-quad", "other").replace("deploy/lab-quad", "deploy/other")
    )
    (fleet / "hosts" / "other.toml").write_text(text, "utf-8")

    plan = plan_of(fleet, against="HEAD", file="hosts/other.toml")

    assert set(consequences(plan).values()) == {"start", "none"}


def test_a_mounted_file_is_the_cause(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fleet)
    edit(fleet, "{", "{#- other -#}{", "hosts/files/qwen3-tools.jinja")

    plan = plan_of(Path(), against="HEAD")

    assert consequences(plan) == {"chat": "recreate"}
    assert plan.is_edited is False
    (change,) = plan.services[0].changes
    assert change.cause is not None
    assert change.cause.file == "hosts/files/qwen3-tools.jinja"


def test_an_own_template_is_the_cause(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fleet)
    own = fleet / "templates" / "engines" / "llamacpp"
    own.mkdir(parents=True)
    shipped = Path(__file__).parents[3] / "templates" / "engines" / "llamacpp" / "engine.toml"
    (own / "engine.toml").write_text(shipped.read_text("utf-8"), "utf-8")
    commit(fleet)
    edit(fleet, "/app/llama-server", "/bin/llama-server", "templates/engines/llamacpp/engine.toml")

    plan = plan_of(Path(), against="HEAD")

    assert consequences(plan) == {"writer": "recreate"}
    assert {(c.cause.file, c.cause.key) for one in plan.services for c in one.changes if c.cause} == {
        ("templates/engines/llamacpp/engine.toml", "entrypoint")
    }


def test_what_else_of_a_renamed_tier_is_another_one_is_told(fleet: Path) -> None:
    """A mode names the tier, so that neither edit is valid without the other."""
    edit(fleet, '[tiers.embed]\nengine = "tei"\ntask = "embedding"\ngpus = ["c"]', "[tiers.vectors]")
    edit(fleet, "[tiers.vectors]", '[tiers.vectors]\nengine = "tei"\ntask = "embedding"\ngpus = ["d"]')
    edit(fleet, '"writer", "embed"', '"writer", "vectors"')
    edit(fleet, "gpu_memory_utilization = 0.90", "gpu_memory_utilization = 0.80")
    plan = plan_of(fleet, against="HEAD")

    assert consequences(plan) == {"vectors": "start", "router": "reload", "embed": "stop", "coder": "recreate"}
    assert lines(plan)[:2] == ["vectors: tiers.embed renamed to vectors", "vectors: gpus c -> d"]
    assert "embed: tiers.embed renamed to vectors" in lines(plan)


def test_a_ref_that_does_not_exist_is_an_error(fleet: Path) -> None:
    with pytest.raises(DiagnosticError, match="unknown git ref"):
        plan_of(fleet, against="--output=x")


def test_what_was_broken_is_compared_with_the_files_of_that_time(fleet: Path) -> None:
    edit(fleet, "port = 30001", "prot = 30001")
    commit(fleet)
    edit(fleet, "prot = 30001", "port = 30011")
    edit(fleet, 'served_name = "bge-m3"', 'served_name = "bge"')
    plan = plan_of(fleet, against="HEAD")

    assert consequences(plan) == {"writer": "recreate", "embed": "recreate", "router": "reload"}
    assert ("writer", "tiers.writer.port", 62) in causes(plan)
    assert ("embed", "tiers.embed.served_name", 73) in causes(plan)
    assert [note.partition(":")[0] for note in plan.notes] == ["HEAD"]


def test_an_inventory_that_was_broken_is_reported_at_its_ref(fleet: Path) -> None:
    rmtree(fleet / "deploy")
    edit(fleet, "port = 30001", "prot = 30001")
    commit(fleet)
    edit(fleet, "prot = 30001", "port = 30001")

    with pytest.raises(DiagnosticError, match=r"HEAD:hosts/lab-quad\.toml"):
        plan_of(fleet, against="HEAD")


def test_the_version_that_a_ref_had_is_named(fleet: Path) -> None:
    (fleet / "requirements.txt").write_text("anvil-gen==0.1.0\n", "utf-8")
    commit(fleet)
    (fleet / "requirements.txt").write_text("anvil-gen==0.2.0\n", "utf-8")

    assert plan_of(fleet, against="HEAD").notes == ("HEAD has anvil-gen==0.1.0, and now it is anvil-gen==0.2.0",)


def test_a_requirement_of_any_length_leaves_room(fleet: Path) -> None:
    (fleet / "requirements.txt").write_text(f"anvil-gen=={'1' * 70_000}\n", "utf-8")
    commit(fleet)
    (fleet / "requirements.txt").write_text(f"anvil-gen=={'2' * 70_000}\n", "utf-8")

    assert len(plan_of(fleet, against="HEAD").notes[0]) < 300


def test_what_another_version_has_rendered_is_compared(fleet: Path) -> None:
    """What this version makes of the inventory of that time would hide what the upgrade changes."""
    (fleet / "requirements.txt").write_text("anvil-gen==0.1.0\n", "utf-8")
    edit(fleet, "    init: true\n", "", "deploy/lab-quad/tiers/writer.yml")
    commit(fleet)
    assert plan_of(fleet, against="HEAD").changes is False
    (fleet / "requirements.txt").write_text("anvil-gen==0.2.0\n", "utf-8")

    plan = plan_of(fleet, against="HEAD")

    assert consequences(plan) == {"writer": "recreate"}
    assert {(service, key) for service, key, _ in causes(plan)} == {("writer", "version")}
    assert [one.path for one in plan.files] == ["tiers/writer.yml"]
    assert plan.is_edited is False


def test_edits_that_cannot_be_taken_back_alone_are_no_cause_of_what_they_do_not_change(fleet: Path) -> None:
    """A GPU is only free once another tier has moved, and that only fits once a third takes less."""
    edit(fleet, 'gpu_memory = "18GiB"', 'gpu_memory = "15GiB"')
    edit(fleet, 'task = "rerank"\ngpus = ["d"]', 'task = "rerank"\ngpus = ["c"]')
    vision = 'engine = "vllm"\ngpus = ["d"]\nmodel = { repo = "org/vision" }\nport = 30006\n\n'
    edit(fleet, "# Only in the mode", f"[tiers.vision]\n{vision}# Only in the mode")
    edit(fleet, 'aliases.default = "chat"', 'aliases.default = "chat"\naliases.eyes = "vision"')

    found = {(service, key) for service, key, _ in causes(plan_of(fleet, against="HEAD"))}

    assert found == {
        ("rerank", "tiers.rerank.gpus"),
        ("vision", "tiers.vision"),
        ("router", "tiers.vision"),
        ("router", "router.aliases.eyes"),
    }


def test_names_that_clients_ask_for(fleet: Path) -> None:
    edit(fleet, 'served_name = "qwen3-30b"', 'served_name = "qwen3-32b"')
    edit(fleet, 'aliases.default = "chat"', 'aliases.default = "writer"')
    names = plan_of(fleet, against="HEAD").names

    assert [(one.name, one.before, one.after, one.modes) for one in names] == [
        ("qwen3-30b", "chat", "", ("default", "coding")),
        ("default", "chat", "writer", ("default",)),
        ("qwen3-32b", "", "chat", ("default", "coding")),
    ]


def test_only_new_warnings_are_told(fleet: Path) -> None:
    edit(fleet, "port = 30001\n", 'port = 30001\nbind = "0.0.0.0"\n')
    assert [one.address for one in plan_of(fleet, against="HEAD").warnings] == ["tiers.writer.bind"]
    commit(fleet)
    edit(fleet, "context_length = 65536", "context_length = 32768")

    assert plan_of(fleet, against="HEAD").warnings == ()
