"""Flags of an inventory, held against those that the version of the image takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from inventories import HUB, UUID_A, Fault, compared, faults_of

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.resolve.flag_check import flag_rules, upgrade_findings

HEAD = f"""\
schema = 1
hfcache.volume = "hub"
gpus.a = {{ uuid = "{UUID_A}" }}
[tiers.one]
gpus = ["a"]
engine = "vllm"
model = {HUB}
"""


def vllm(version: str, flags: str, *, image: str = "vllm/vllm-openai") -> str:
    return f'{HEAD}image = "{image}:{version}"\n{flags}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            vllm("v0.33.0", "flags.▸max-num-seq = 4\nflags.▸zzz = true"),
            [
                ("flag of a field", "tiers.one.flags.max-num-seq", "max_sequences"),
                ("unknown flag", "tiers.one.flags.zzz", "flag_check = false"),
            ],
        ),
        (
            vllm("v0.33.0", "flags.▸max-model-length = 4"),
            [("unknown flag", "tiers.one.flags.max-model-length", 'did you mean "max-model-len"')],
        ),
        (
            vllm("v0.33.0", 'flags.▸task = "embed"\nflags.▸swap-space = 4'),
            [
                ("flag of another version", "tiers.one.flags.task", "runner"),
                ("flag of another version", "tiers.one.flags.swap-space", "remove it"),
            ],
        ),
        (
            vllm("v0.11.2", 'flags.▸attention-config = { backend = "x" }'),
            [("flag of another version", "tiers.one.flags.attention-config", "a newer image")],
        ),
        (
            vllm("v0.33.0", 'flags.block-size = ▸"big"\nflags.max-lora-rank = ▸24\nflags.max-logprobs = ▸1.5'),
            [
                ("wrong type", "tiers.one.flags.block-size", "a whole number"),
                ("not one of the choices", "tiers.one.flags.max-lora-rank", "128, 16, 256"),
                ("wrong type", "tiers.one.flags.max-logprobs", "a whole number"),
            ],
        ),
        # The same in an earlier version, whose block size is one of a list.
        (
            vllm("v0.17.1", "flags.block-size = ▸24"),
            [("not one of the choices", "tiers.one.flags.block-size", "128")],
        ),
        (
            vllm(
                "v0.33.0",
                "flags.compilation-config = { mode = 3, ▸levle = 2 }\nflags.limit-mm-per-prompt = ▸'{image: 3'",
            ),
            [
                ("unknown key", "tiers.one.flags.compilation-config.levle", "its keys: "),
                ("not of the right form", "tiers.one.flags.limit-mm-per-prompt", "a table, or JSON"),
            ],
        ),
        (
            vllm("v0.33.0", 'flags.▸"compilation-config.levle" = 3\nflags."compilation-config.mode" = 3'),
            [("unknown key", 'tiers.one.flags."compilation-config.levle"', "its keys: ")],
        ),
        (
            vllm("v0.33.0", 'flags.enforce-eager = ▸"true"\nflags.enable-prefix-caching = ▸1'),
            [
                ("wrong type", "tiers.one.flags.enforce-eager", "no-enforce-eager = true"),
                ("wrong type", "tiers.one.flags.enable-prefix-caching", "no-enable-prefix-caching = true"),
            ],
        ),
        (
            vllm("v0.33.0", "flags.block-size = ▸true\nflags.seed = ▸[1, 2]\nflags.allowed-origins = [▸'*']"),
            [
                ("wrong type", "tiers.one.flags.block-size", "write its value"),
                ("wrong type", "tiers.one.flags.seed", "a whole number"),
                ("not of the right form", "tiers.one.flags.allowed-origins[0]", "JSON in quotes"),
            ],
        ),
        (
            vllm("v0.20.2", "flags.▸disable-prefix-caching = true\nflags.▸no-headless = true"),
            [
                ("unknown flag", "tiers.one.flags.disable-prefix-caching", '"no-enable-prefix-caching"'),
                ("unknown flag", "tiers.one.flags.no-headless", "off unless it is set"),
            ],
        ),
        (
            vllm("v0.10.1", "flags.▸disable-log-requests = true"),
            [("deprecated flag", "tiers.one.flags.disable-log-requests", "")],
        ),
    ],
)
def test_what_a_version_does_not_take_is_told_at_the_flag(text: str, expected: list[Fault], tmp_path: Path) -> None:
    told, wanted = compared(text, expected, tmp_path)
    assert told == wanted


@pytest.mark.parametrize(
    "flags",
    [
        "flags.disable-log-requests = true",  # hidden in the help, and taken as no-enable-log-requests
        "flags.enable_prefix_caching = true",
        'flags."speculative-config" = { method = "eagle3", model = "a/b", num_speculative_tokens = 4 }',
        'flags.speculative-config = \'{"method": "ngram", "num_speculative_tokens": 2}\'',
        "flags.max-num-batched-tokens = '16k'",
        'flags.kv-transfer-config = \'{"kv_connector": "x", "kv_port": 80m}\'',
        'flags.lora-dtype = "auto"',
        "flags.hf-overrides = { rope_parameters = { rope_type = 'yarn' } }",
        "flags.allowed-origins = '[\"*\"]'",
        'flags.seed = { env = "SEED" }',
        'flags.seed = { env = "SEED", default = "x" }',
        'flags.seed = { interpolate = "${SEED:-1}" }',
        "flags.config = '/etc/vllm.yaml'",
        "flags.trust-remote = true",  # argparse takes the beginning of a flag
        "flags.host = false",
        "flag_check = false\nflags.anything = 1",
    ],
)
def test_what_the_version_takes_is_not_told(flags: str, tmp_path: Path) -> None:
    assert faults_of(vllm("v0.33.0", flags), tmp_path) == ()


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("vllm/vllm-openai", "latest"),
        ("vllm/vllm-openai", "nightly"),
        ("vllm/vllm-openai", "v0.34.0"),
        ("vllm/vllm-openai", "v0.8.5"),
        ("someone/vllm", "v0.33.0"),
        ("localhost:5000/vllm/vllm-openai", "v0.33.0"),
    ],
)
def test_an_image_that_is_no_known_release_brings_warnings_only(image: str, tag: str, tmp_path: Path) -> None:
    (told,) = faults_of(vllm(tag, "flags.zzz = true", image=image), tmp_path)
    assert (told.code, told.severity) == ("unknown-flag", "warning")


def test_a_variable_may_name_another_image(tmp_path: Path) -> None:
    image = 'image = { env = "IMAGE", default = "vllm/vllm-openai:v0.33.0" }'
    (told,) = faults_of(f"{HEAD}{image}\nflags.task = 'embed'", tmp_path)
    assert (told.code, told.severity) == ("flag-of-another-version", "warning")


@pytest.mark.parametrize("tag", ["v0.20.2@sha256:" + "0" * 64, "v0.20.2-cu130", "v0.20.2-x86_64"])
def test_a_digest_and_a_variant_keep_the_version_of_the_tag(tag: str, tmp_path: Path) -> None:
    (told,) = faults_of(vllm(tag, "flags.disable-prefix-caching = true"), tmp_path)
    assert (told.severity, "vLLM 0.20.2" in told.detail) == ("error", True)


def test_a_version_that_was_not_captured_has_what_both_its_neighbours_have(tmp_path: Path) -> None:
    """0.9.0.1 lies between 0.9.0 and 0.9.1, which brought `enable-multimodal-encoder-data-parallel`."""
    flags = "flags.enable-multimodal-encoder-data-parallel = true\nflags.zzz = true"
    (told,) = faults_of(vllm("v0.10.1.2", flags), tmp_path)
    assert (told.address, told.severity) == ("tiers.one.flags.zzz", "error")


def test_a_switch_that_a_field_also_sets_is_no_error(tmp_path: Path) -> None:
    """`enable-lora` goes with the field `lora`; a flag that has a value still is one."""
    text = vllm("v0.33.0", "flags.enable-lora = true\nflags.max-model-len = 1024")
    (told,) = faults_of(text, tmp_path)
    assert told.code == "flag-of-a-field"


def test_a_field_has_the_values_of_its_flag(tmp_path: Path) -> None:
    """SGLang never had a KV cache type fp8, and vLLM 0.33 takes any text."""
    sglang = vllm("v0.5.23", "kv_cache_dtype = ▸'fp8'", image="lmsysorg/sglang").replace('"vllm"', '"sglang"')
    told, wanted = compared(sglang, [("not one of the choices", "tiers.one.kv_cache_dtype", "mxfp8")], tmp_path)
    assert told == wanted
    assert faults_of(vllm("v0.33.0", "kv_cache_dtype = 'anything'"), tmp_path) == ()


def test_a_variable_of_ollamas_that_it_does_not_read_brings_a_warning(tmp_path: Path) -> None:
    text = f"{HEAD}environment.▸OLLAMA_KEEP_ALIFE = '5m'\nenvironment.OLLAMA_DEBUG = '1'\nenvironment.OTHER = '1'"
    told, wanted = compared(
        text.replace('"vllm"', '"ollama"'),
        [("unknown variable", "tiers.one.environment.OLLAMA_KEEP_ALIFE", "OLLAMA_KEEP_ALIVE")],
        tmp_path,
    )
    assert told == wanted


def test_a_flag_under_another_name_is_still_that_of_the_field(tmp_path: Path) -> None:
    """`-tp` is short for `--tensor-parallel-size`, and `--tp` no flag; two names stand for the share of the GPU."""
    text = vllm("v0.33.0", "flags.▸tp = 2\nflags.▸device-memory-utilization = 0.5\nflags.▸asc = 2")
    expected = [
        ("flag of a field", "tiers.one.flags.tp", "tensor_parallel"),
        ("flag of a field", "tiers.one.flags.device-memory-utilization", "gpu_memory_utilization"),
        ("unknown flag", "tiers.one.flags.asc", 'write "api-server-count"'),
    ]
    told, wanted = compared(text, expected, tmp_path)
    assert told == wanted


# Command lines of services that people run, by the image of each.
FORMS = {
    "vllm/vllm-openai:v0.11.2": """
quantization = "awq_marlin"
chat-template = "/templates/plover.jinja"
limit-mm-per-prompt = '{"image": 3, "video": 0}'
override-generation-config = '{"temperature": 0.4, "top_k": 30}'
enable-auto-tool-choice = true
tool-call-parser = "hermes"
max-num-batched-tokens = "4096"
speculative-config = '{"method": "eagle3", "model": "oakmere/egret-32b-eagle3", "num_speculative_tokens": 4}'
enable-lora = true
max-loras = 2
max-lora-rank = 32
enforce-eager = true
""",
    "vllm/vllm-openai:v0.10.2": "trust_remote_code = true",
    "vllm/vllm-openai:v0.33.0": """
enable-prefix-caching = true
reasoning-parser = "qwen3"
limit-mm-per-prompt = { image = 4 }
override-generation-config = { temperature = 0.7, top_p = 0.8 }
async-scheduling = true
compilation-config = { mode = 3, cudagraph_mode = "FULL_AND_PIECEWISE" }
kv-transfer-config = '{"kv_connector":"NixlConnector","kv_role":"kv_both"}'
mm-processor-kwargs = { max_pixels = 1000 }
""",
    "lmsysorg/sglang:v0.5.5": """
speculative-algorithm = "EAGLE3"
speculative-num-steps = 3
speculative-eagle-topk = 1
speculative-num-draft-tokens = 4
""",
    "vllm/vllm-openai:v0.17.0": """
"compilation_config.pass_config.fuse_allreduce_rms" = true
"compilation-config.cudagraph_mode" = "FULL"
""",
    # Its parser takes the beginning of a flag for the flag.
    "lmsysorg/sglang:v0.5.9": """
speculative-algo = "NEXTN"
chunked-prefill = 4096
""",
    "lmsysorg/sglang:v0.5.23": """
cuda-graph-max-bs-decode = 8
enable-metrics = true
language-only = true
reasoning-parser = "qwen3"
tool-call-parser = "qwen3_coder"
weight-loader-disable-mmap = true
chunked-prefill-size = -1
json-model-override-args = '{"rope_scaling": {}}'
""",
    "ghcr.io/ggml-org/llama.cpp:server-cuda-b11382": """
n-gpu-layers = "all"
flash-attn = "on"
cache-type-k-draft = "q8_0"
threads = 8
models-max = 2
no-mmproj-offload = true
tensor-split = "3,1"
override-tensor = ".ffn_.*_exps.=CPU"
temp = 0.7
split_mode = "row"
device-draft = "none"
reasoning-format = "auto"
""",
    "ghcr.io/huggingface/text-embeddings-inference:cpu-1.8": "max-batch-tokens = 8192\nauto-truncate = true",
    "ghcr.io/huggingface/text-embeddings-inference:86-1.9.3": "auto-truncate = 'false'\npooling = 'cls'",
}
ENGINE_OF = {"vllm": "vllm", "lmsysorg": "sglang", "ghcr.io/ggml-org": "llamacpp", "ghcr.io/huggingface": "tei"}


@pytest.mark.parametrize("image", FORMS)
def test_what_people_run_is_no_error(image: str, tmp_path: Path) -> None:
    engine = ENGINE_OF[image.rpartition("/")[0]]
    flags = "".join(f"flags.{line}\n" for line in FORMS[image].strip().splitlines())
    task = "task = 'embedding'\n" if engine == "tei" else ""
    head = HEAD.replace('gpus = ["a"]\n', "") if ":cpu-" in image else HEAD
    text = f'{head.replace("vllm", engine)}image = "{image}"\n{task}{flags}'
    assert [(found.address, found.detail) for found in faults_of(text, tmp_path)] == []


def test_what_an_upgrade_breaks_is_one_function() -> None:
    catalog = Catalog()
    engine, timeline = catalog.engine("vllm"), catalog.flag_timeline("vllm")
    assert engine is not None
    old, new = (flag_rules(timeline, engine, f"vllm/vllm-openai:v{version}") for version in ("0.11.2", "0.33.0"))
    assert old is not None
    assert new is not None
    flags = {"swap-space": 4, "guided-decoding-backend": "xgrammar", "seed": 1, "zzz": 1}
    found = upgrade_findings(old, new, flags)

    assert {name: [one.code for one in findings] for name, findings in found.items()} == {
        "swap-space": ["flag-of-another-version"],
        "guided-decoding-backend": ["flag-of-another-version"],
    }
    assert "structured-outputs-config" in found["guided-decoding-backend"][0].remedy
