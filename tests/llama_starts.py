"""Starts of the real llama-server, and the buffers that it reports."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from free_ports import free_port
from msgspec import Struct

_SIZE = re.compile(r"(?P<what>model|output|KV|RS|compute) buffer size = +(?P<mib>[\d.]+) MiB")
_TOTAL = re.compile(r"llama_(?:kv_cache|memory_recurrent): size = +(?P<mib>[\d.]+) MiB")
_READY = "server is listening", "listening on http"
_LIMIT_SECONDS = 120
MIB = 1 << 20


class Buffers(Struct, frozen=True, kw_only=True):
    """What a server has allocated, in MiB."""

    model: float
    output: float
    cache: float
    compute: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.model + self.output + self.cache + self.compute


def start(server: Path, model: Path, *flags: str) -> Buffers:
    """Start a server with a model, and return its buffers once it listens."""
    return _buffers(started_log(server, model, "--no-warmup", *flags))


def start_with_draft(server: Path, model: Path, draft: Path, *flags: str) -> tuple[Buffers, str]:
    """Start a server with a model and a draft, and return the buffers of the draft, and the log."""
    text = started_log(server, model, "--model-draft", str(draft), "--no-warmup", *flags)
    return _buffers(text[text.rindex("loading draft model") :]), text


def start_with_projector(server: Path, model: Path, projector: Path, *flags: str) -> float:
    """Start a server with a model and a projector, and return the MiB of the latter with its buffer."""
    text = started_log(server, model, "--mmproj", str(projector), *flags)
    (weights,) = re.findall(r"load_hparams: model size: +([\d.]+) MiB", text)[-1:]
    buffers = re.findall(r"reserve_compute_meta: .*compute buffer size = +([\d.]+) MiB", text)
    return float(weights) + float(buffers[-1])


def started_log(server: Path, model: Path, *flags: str) -> str:
    """Start a server with a model, and return what it logs until it listens."""
    command = [str(server), "-m", str(model), "--port", str(free_port()), "-v", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        lines = []
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if any(word in line for word in _READY):
                break
        process.kill()
        process.stdout.close()
    text = "".join(lines)
    assert any(word in text for word in _READY), text[-2000:]
    return text


def _buffers(text: str) -> Buffers:
    """Return the buffers of a log: of the model that is served, which is loaded last, after one to measure."""
    served = text[
        text.rindex("load_tensors: loading model tensors") if "load_tensors: loading model tensors" in text else 0 :
    ]
    sizes = {"model": 0.0, "output": 0.0, "compute": 0.0}
    for match in _SIZE.finditer(served):
        if match["what"] in sizes:
            sizes[match["what"]] += float(match["mib"])
    cache = sum(float(match["mib"]) for match in _TOTAL.finditer(served))
    return Buffers(model=sizes["model"], output=sizes["output"], cache=cache, compute=sizes["compute"])
