"""The reference machine as its decision record states it, as data: what its containers must get."""

from __future__ import annotations

from typing import Any

HEAVY_UUID = "GPU-d0f446cf-1771-414c-e116-a39138798a8c"
FAST_UUID = "GPU-04d3b6e7-5691-3e86-1d34-c37999440cf1"

HEAVY: dict[str, Any] = {
    "service": "sglang",
    "container_name": "sglang",
    "image": "lmsysorg/sglang:latest",
    "uuid": HEAVY_UUID,
    "bind": ("C:/Users/sdoum/models/qwen35-awq", "/models/qwen35-awq"),
    "port": 30000,
    "shm_size": 16 * 1024**3,
    "ipc": None,
    "restart": "unless-stopped",
    "environment": {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": HEAVY_UUID},
    "program": ["python3", "-m", "sglang.launch_server"],
    "flags": {
        "--model-path": "/models/qwen35-awq",
        "--weight-loader-disable-mmap": None,
        "--kv-cache-dtype": "fp8_e5m2",
        "--reasoning-parser": "qwen3",
        "--tool-call-parser": "qwen3_coder",
        "--language-only": None,
        "--context-length": "131072",
        "--max-running-requests": "16",
        "--mem-fraction-static": "0.88",
        "--cuda-graph-max-bs-decode": "8",
        "--enable-metrics": None,
        "--served-model-name": "qwen35-awq-local",
        "--host": "0.0.0.0",
        "--port": "30000",
    },
}

FAST: dict[str, Any] = {
    "service": "fast",
    "container_name": "vllm-gptoss",
    "image": "vllm/vllm-openai:nightly",
    "uuid": FAST_UUID,
    "bind": ("C:/Users/sdoum/models/gpt-oss-20b", "/models/gpt-oss-20b"),
    "port": 30001,
    "shm_size": None,
    "ipc": "host",
    "restart": "unless-stopped",
    "environment": {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": FAST_UUID,
        "VLLM_USE_V2_MODEL_RUNNER": "0",
    },
    "program": ["vllm", "serve", "/models/gpt-oss-20b"],
    "flags": {
        "--served-model-name": "gpt-oss-20b",
        "--max-model-len": "65536",
        "--gpu-memory-utilization": "0.90",
        "--enable-auto-tool-choice": None,
        "--tool-call-parser": "openai",
        "--host": "0.0.0.0",
        "--port": "30001",
    },
}

EXPERIMENT: dict[str, Any] = {
    "project": "fakoli-experiment",
    "image": "vllm/vllm-openai:latest",
    "restart": "no",
    "ipc": "host",
    "environment": FAST["environment"],
    "volume": ("vllm-hfcache", "/root/.cache/huggingface"),
    "program": ["vllm", "serve", "org/model"],
    "flags": {
        "--served-model-name": "experiment",
        "--gpu-memory-utilization": "0.90",
        "--host": "0.0.0.0",
        "--port": "30002",
    },
}

ROUTER: dict[str, Any] = {
    "service": "router",
    "container_name": "anvil-router",
    "port": 8000,
    "key": "ANVIL_ROUTER_TOKEN",
}
ROUTES = {"qwen35-awq-local": "heavy", "heavy": "heavy", "gpt-oss-20b": "fast", "fast": "fast"}
