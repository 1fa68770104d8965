"""Time `import` of a compose file with many services of mixed forms.

    .venv/bin/python benchmarks/import.py [--services 2000]

Told are the seconds of the whole process, by the clock and by the processor, Compose's own readings included, and those
of one such reading: the source is read twice, the result once and what has variables once more. Where other work holds
the cores, the second figure is the one to compare. Wanted: 5 s for 2,000 services.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FORMS = (
    """
    image: vllm/vllm-openai:v0.11.2
    command: --model org/m{at} --max-model-len 4096 -tp 2 --gpu-memory-utilization=0.70 --seed 7
    ports: ["127.0.0.1:{port}:8000"]
    ipc: host
    volumes: ["~/.cache/huggingface:/root/.cache/huggingface"]
    deploy: {{resources: {{reservations: {{devices: [{{driver: nvidia, count: 2, capabilities: [gpu]}}]}}}}}}
""",
    """
    image: lmsysorg/sglang:v0.5.5
    entrypoint: python3 -m sglang.launch_server
    command: >
      --model-path org/m{at}
      --context-length ${{CONTEXT_{at}:-8192}}
      --port 30000
    environment:
      - HF_TOKEN=${{HF_TOKEN}}
    ports: ["{port}:30000"]
    shm_size: 32g
    restart: unless-stopped
""",
    """
    image: ghcr.io/ggml-org/llama.cpp:server-cuda
    command: ["-m", "/models/x{at}.gguf", "-c", "8192", "-ngl", "99", "--host", "0.0.0.0", "--port", "8080"]
    volumes: ["./models:/models:ro"]
    ports: ["{port}:8080"]
    healthcheck: {{test: ["CMD", "curl", "-f", "http://localhost:8080/health"], interval: 30s, retries: 3}}
""",
    """
    image: ollama/ollama:0.12.6
    environment: {{OLLAMA_NUM_PARALLEL: "2"}}
    ports: ["{port}:11434"]
    volumes: ["ollama:/root/.ollama"]
""",
    """
    image: ghcr.io/huggingface/text-embeddings-inference:1.8
    command: --model-id org/e{at}
    ports: ["{port}:80"]
""",
    """
    image: postgres:17
    environment: {{POSTGRES_DB: "db{at}"}}
    volumes: ["data:/var/lib/postgresql/data"]
    restart: always
""",
    """
    image: nginx:1.29
    ports: ["{port}:80"]
    volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro"]
    depends_on: [s0]
""",
    """
    image: example.org/own-server:1
    command: serve --weights /w{at}
    ports: ["{port}:9000"]
    deploy: {{resources: {{reservations: {{devices: [{{driver: nvidia, device_ids: ["0"], capabilities: [gpu]}}]}}}}}}
""",
)


def source(services: int) -> str:
    """Return a compose file."""
    texts = [f"  s{at}:{FORMS[at % len(FORMS)].format(at=at, port=10000 + at)}" for at in range(services)]
    return f"services:\n{''.join(texts)}volumes: {{ollama: , data: }}\n"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--services", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hosts").mkdir()
        (folder / "compose.yml").write_text(source(options.services), "utf-8")
        command = [sys.executable, "-m", "anvil_gen", "import", "compose.yml", "--output", "hosts/box.toml"]
        code, last = told(folder, f"import of {options.services} services", *command)
        print(f"exit code {code}: {last}")
        told(folder, "one docker compose config of the source", "docker-compose", "config", "--format", "json")


def told(folder: Path, what: str, *command: str) -> tuple[int, str]:
    """Run a command, print how long it takes, and return its exit code and the last line of its errors."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    took, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{took:8.2f} s {busy:8.2f} s   {what}")
    return done.returncode, (done.stderr.splitlines() or [""])[-1]


if __name__ == "__main__":
    main()
