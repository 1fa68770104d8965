"""Facts of a model of the Hugging Face Hub: its configuration and the headers of its weights, without the weights.

It asks through ``huggingface_hub``, which is installed on request; what it answers is kept by commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from anvil_gen.catalog.architectures import Architectures
from anvil_gen.diagnostics import Diagnostic, DiagnosticError
from anvil_gen.fit.config_facts import config_facts
from anvil_gen.fit.gguf_facts import gguf_facts
from anvil_gen.fit.gguf_header import GgufHeader, HeaderError, IncompleteHeaderError, Tensor, header_of
from anvil_gen.fit.hub_files import companion_of, gguf_of
from anvil_gen.fit.model_facts import ModelFacts, facts_from_table, facts_to_table
from anvil_gen.installation import install_command

_BEGINNINGS = (4 << 20, 16 << 20, 64 << 20)
"""Bytes that are read of a file one after the other, until they have its header."""
_PROJECTOR = "mmproj"
_FORM = 2
"""Of what is kept: another one is asked for again."""


def hub_facts(repo: str, revision: str | None, known: Architectures, *, cache: Path | None) -> ModelFacts:
    """Return the facts of a repository; ``org/name:TAG`` is the GGUF model of that tag.

    Raises:
        DiagnosticError: ``huggingface_hub`` is not installed, or the Hub does not answer with a model.
    """
    hub = _library()
    name, _, tag = repo.partition(":")
    try:
        info = hub.HfApi().model_info(name, revision=revision)
        names = [file.rfilename for file in info.siblings or ()]
        files = gguf_of(names, tag) if tag or not any(one.endswith(".safetensors") for one in names) else []
        if tag and not files:
            raise _failed(repo, f'it has no GGUF file with the tag "{tag}"')
        if files:
            place = _place(cache, name, f"{info.sha}:{files[0].replace('/', '--')}")
            kept = _kept_at(place)
            if kept is not None:
                return facts_from_table(kept)
            facts = gguf_facts(_gguf(hub, name, info.sha, files), known)
            facts = _with_projector(hub, name, info.sha, companion_of(names, files[0], _PROJECTOR), facts)
            _keep(place, facts_to_table(facts))
            return facts
        answer = _kept_at(_place(cache, name, info.sha)) or _ask(hub, name, info.sha, cache)
    # Its own error is also one of its HTTP client, whichever that is: a connection that fails is nothing else.
    except (OSError, ValueError, *hub.errors.HfHubHTTPError.__bases__, hub.errors.NotASafetensorsRepoError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        answered = (ValueError, hub.errors.HfHubHTTPError, hub.errors.NotASafetensorsRepoError)
        raise (_failed if isinstance(error, answered) else _silent)(repo, lines[0]) from None
    tensors = tuple(Tensor(name, dtype, (), size) for name, dtype, size in answer["tensors"])
    return config_facts(answer["config"], tensors, known, commit=info.sha)


def _gguf(hub: Any, repo: str, commit: str, files: Sequence[str]) -> GgufHeader:
    """Return the header of a GGUF model, with the tensors of all of its files."""
    headers = [_header(hub, repo, commit, file) for file in files]
    return replace(headers[0], tensors=tuple(tensor for header in headers for tensor in header.tensors))


def _with_projector(hub: Any, repo: str, commit: str, projector: str | None, facts: ModelFacts) -> ModelFacts:
    """Return the facts of a GGUF model with the weights of the projector that engines take along."""
    if projector is None:
        return facts
    size = sum(tensor.size for tensor in _header(hub, repo, commit, projector).tensors)
    return replace(facts, bytes=replace(facts.bytes, vision=size))


def _header(hub: Any, repo: str, commit: str, file: str) -> GgufHeader:
    """Return the header of a file, of which no more is read than a header may have."""
    url, headers = hub.hf_hub_url(repo, file, revision=commit), hub.utils.build_hf_headers(library_name="anvil-gen")
    beginning = b""
    for size in _BEGINNINGS:
        asked = {**headers, "Range": f"bytes={len(beginning)}-{size - 1}", "Accept-Encoding": "identity"}
        answer = hub.utils.get_session().get(url, headers=asked, follow_redirects=True)
        hub.utils.hf_raise_for_status(answer)
        beginning += answer.content
        with suppress(IncompleteHeaderError):
            return header_of(beginning)
    raise HeaderError(f"the header of {file} is longer than {_BEGINNINGS[-1] >> 20} MiB")


def _library() -> Any:
    try:
        import huggingface_hub  # noqa: PLC0415  optional
        import huggingface_hub.errors  # noqa: PLC0415
        import huggingface_hub.utils  # noqa: PLC0415
    except ImportError:
        detail = "models of the Hugging Face Hub are read through huggingface_hub, which is not installed"
        remedy = f"{install_command('hub', ('huggingface_hub',))}, or name a folder or a GGUF file"
        raise DiagnosticError([Diagnostic(code="model-cannot-be-read", detail=detail, remedy=remedy)]) from None
    return huggingface_hub


def _ask(hub: Any, repo: str, commit: str, cache: Path | None) -> dict[str, Any]:
    """Return the configuration and the tensors of a commit, and keep them."""
    config = msgspec.json.decode(Path(hub.hf_hub_download(repo, "config.json", revision=commit)).read_bytes())
    metadata = hub.get_safetensors_metadata(repo, revision=commit)
    answer = {"config": config, "tensors": list(tensors_of(metadata))}
    _keep(_place(cache, repo, commit), answer)
    return answer


def tensors_of(metadata: Any) -> Iterator[tuple[str, str, int]]:
    """Yield name, type and size of the tensors that the library's metadata lists."""
    for file in metadata.files_metadata.values():
        for name, tensor in file.tensors.items():
            start, end = tensor.data_offsets
            yield name, tensor.dtype, end - start


def _kept_at(place: Path | None) -> dict[str, Any] | None:
    if place is None or not place.is_file():
        return None
    answer: dict[str, Any] = msgspec.json.decode(place.read_bytes())
    return answer


def _keep(place: Path | None, answer: dict[str, Any]) -> None:
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(msgspec.json.encode(answer))


def _place(cache: Path | None, repo: str, commit: str) -> Path | None:
    return None if cache is None else cache / f"models-{_FORM}" / f"{repo.replace('/', '--')}@{commit}.json"


def _silent(repo: str, detail: str) -> DiagnosticError:
    detail = f"{repo}: the Hugging Face Hub is not reached ({detail})"
    remedy = (
        "name a folder or a GGUF file; or bring its files into the Hugging Face cache (HF_HOME), or pin it where the "
        "Hub is reached: the host's lock keeps its facts"
    )
    return DiagnosticError([Diagnostic(code="model-cannot-be-read", detail=detail, remedy=remedy)])


def _failed(repo: str, detail: str) -> DiagnosticError:
    remedy = "check the name, and HF_TOKEN for a gated model; or name a folder or a GGUF file"
    return DiagnosticError([Diagnostic(code="model-cannot-be-read", detail=f"{repo}: {detail}", remedy=remedy)])
