"""Lines of a real vLLM 0.32 on the processor, shortened: what `log.toml` makes of them, and what it must not."""

from __future__ import annotations

import pytest

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.log_patterns import known_log

LOG = known_log(Catalog(), "engines", "vllm")
START = """\
W1129 10:00:40.199000 7 torch/_library/triton.py:53] Triton not available, find_triton_kernels = []
(APIServer pid=7) INFO 11-29 [api_utils.py:286] non-default args: {'model_tag': '/models/smollm2', 'port': 14532}
(APIServer pid=7) WARNING 11-29 [system_utils.py:255] Found ulimit of 20000 and failed to automatically increase \
with error current limit exceeds maximum limit. This can cause fd limit errors like `OSError: [Errno 24] Too many open \
files`. Consider increasing with ulimit -n
(APIServer pid=7) INFO 11-29 [model.py:733] Resolved architecture: LlamaForCausalLM
(APIServer pid=7) WARNING 11-29 [vllm.py:725] Model Runner V2 requires Triton; using the V1 model runner instead.
(EngineCore pid=605) INFO 11-29 [core.py:133] Initializing a V1 LLM engine (v0.32.0) with config: model='/models/x'
[W1129 10:02:50.400159999 utils.cpp:41] Warning: numa_migrate_pages failed. errno: 1 (function init_cpu_memory_env)
(Worker pid=738) INFO 11-29 [cpu_model_runner.py:68] Starting to load model /models/smollm2...
Loading safetensors checkpoint shards: 100% Completed | 1/1 [00:05<00:00,  5.19s/it]
(Worker pid=738) INFO 11-29 [default_loader.py:501] Loading weights took 5.24 seconds
(Worker pid=738) WARNING 11-29 [utils.py:597] Failed to create oneDNN linear, fallback to torch linear. \
Exception: could not create a primitive descriptor for the matmul primitive.
(EngineCore pid=605) INFO 11-29 [kv_cache_utils.py:2327] CPU KV cache size: 46,592 tokens, Maximum concurrency \
for 1,024 tokens per request: 45.50x
(EngineCore pid=605) INFO 11-29 [core.py:402] init engine (profile, create kv cache, warmup model) took 8.68 s
(APIServer pid=7) INFO 11-29 [serving.py:226] Loaded new LoRA adapter: name 'tuned', path '/models/adapter'
(APIServer pid=7) INFO 11-29 [entry.py:140] Starting vLLM server on http://0.0.0.0:14532
(APIServer pid=7) INFO:     Application startup complete.
"""


def test_the_stages_of_a_start_in_their_order() -> None:
    found = [stage for line in START.splitlines() if (stage := LOG.stage(line)) is not None]

    assert [words for _, words in found] == [
        "starting the engine",
        "starting the engine",
        "loading weights",
        "loading weights",
        "starting its server",
        "starting its server",
        "starting its server",
    ]
    assert [number for number, _ in found] == sorted(number for number, _ in found)


@pytest.mark.parametrize("line", START.splitlines())
def test_no_line_of_a_good_start_tells_of_a_failure(line: str) -> None:
    assert (LOG.cause(line), LOG.impairment(line)) == (None, None)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (
            "  Value error, Invalid repository ID or local directory specified: '/models/no-model'.",
            "there is no model in /models/no-model",
        ),
        (
            "(Worker pid=39) ERROR [multiproc_executor.py:953] RuntimeError: Cannot find any model weights "
            "with `/models/no-weights`",
            "/models/no-weights has a config.json and no weights",
        ),
        (
            "(Worker pid=38) ERROR [multiproc_executor.py:953] "
            "safetensors._safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata, "
            "file not fully covered",
            "a file of the weights is cut short or spoilt: incomplete metadata, file not fully covered",
        ),
        (
            "  Value error, User-specified max_model_len (1000000) is greater than the derived max_model_len "
            "(max_position_embeddings=8192.0 or model_max_length=None in model's config.json).",
            "the model itself ends at 8192 tokens, and 1000000 are asked for",
        ),
        (
            "(Worker pid=41) ERROR [multiproc_executor.py:1063] vllm.exceptions.LoRAAdapterNotFoundError: "
            "Loading lora tuned failed: No adapter found for /models/nothing",
            "there is no adapter tuned in /models/nothing",
        ),
        (
            "vllm.exceptions.VLLMValidationError: The supplied chat template string (/nowhere.jinja) appears "
            "path-like, but doesn't exist! Tried: /nowhere.jinja and /nowhere.jinja (parameter=chat_template)",
            "inside of the container there is no chat template /nowhere.jinja",
        ),
        (
            "vllm: error: unrecognized arguments: --no-such-flag",
            "this version of the program does not know: --no-such-flag",
        ),
    ],
)
def test_the_line_that_ends_a_start_has_its_cause(line: str, cause: str) -> None:
    found = LOG.cause(line)

    assert found is not None
    assert found.cause == cause


@pytest.mark.parametrize(
    "line",
    [
        "(EngineCore pid=26) ERROR 11-29 10:26:32 [core.py:1510] Exception: WorkerProc initialization failed due to an "
        "exception in a background process. See stack trace for root cause.",
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
    ],
)
def test_what_only_follows_a_failure_is_no_cause(line: str) -> None:
    assert LOG.cause(line) is None
