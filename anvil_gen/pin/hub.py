"""What the Hugging Face Hub says of a model: the commit of a revision, and facts of the model at it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    NotASafetensorsRepoError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    SafetensorsParsingError,
)
from huggingface_hub.utils import build_hf_headers, disable_progress_bars
from msgspec import Struct

from anvil_gen.catalog.architectures import Architectures
from anvil_gen.diagnostics import printable
from anvil_gen.fit.config_facts import config_facts
from anvil_gen.fit.gguf_header import Tensor
from anvil_gen.fit.hub import tensors_of
from anvil_gen.fit.model_facts import facts_to_table
from anvil_gen.inventory.lock_file import ModelPin
from anvil_gen.pin.no_answer import NotAnsweredError
from anvil_gen.pin.stream import Stream
from anvil_gen.pin.web import ATTEMPTS, Sleep, wait_seconds

_Value = TypeVar("_Value")
_BUSY = (429, 500, 502, 503, 504)
_NO_ACCESS = "ask for access on its page, and set the token: HF_TOKEN, or what token_env of [hfcache] names"


class HubFile(Struct, frozen=True, kw_only=True):
    """A file of a repository; ``blob`` is how a cache names its content."""

    name: str
    size: int
    blob: str


class HubFiles(Struct, frozen=True, kw_only=True):
    """The files of a commit."""

    commit: str
    gated: bool
    files: tuple[HubFile, ...]


class Hub:
    """Asks the hub that HF_ENDPOINT names, or huggingface.co."""

    def __init__(self, token: str | None = None, *, endpoint: str | None = None, sleep: Sleep = time.sleep) -> None:
        """Ask with a token; None for the one of HF_TOKEN or of a login."""
        disable_progress_bars()
        self._api = HfApi(endpoint=endpoint, token=token, library_name="anvil-gen")
        self._sleep = sleep

    def commit(self, repo: str, revision: str | None) -> str:
        """Return the commit of a revision; of the default branch for None.

        Raises:
            NotAnsweredError: the hub does not say it.
        """
        return str(
            self._asked(repo, revision, lambda: self._api.model_info(repo, revision=revision, expand=["sha"])).sha
        )

    def pin(self, repo: str, revision: str | None, known: Architectures) -> ModelPin:
        """Return the commit of a revision, and the facts of the model at it that `fit` reads.

        Raises:
            NotAnsweredError: the hub does not say it.
        """
        info = self._asked(repo, revision, lambda: self._api.model_info(repo, revision=revision))
        commit, gated = str(info.sha), info.gated
        facts: dict[str, Any] = {"gated": str(gated)} if gated else {}
        names = {file.rfilename for file in info.siblings or ()}
        config = self._config(repo, commit) if "config.json" in names else {}
        if config.get("auto_map") or "custom_code" in (info.tags or ()):
            facts["code"] = True
        table = self._facts(repo, commit, config, known) if config else {}
        return ModelPin(commit=commit, facts={**facts, **({"facts": table} if table else {})})

    def files(self, repo: str, revision: str | None) -> HubFiles:
        """Return the commit of a revision with its files.

        Raises:
            NotAnsweredError: the hub does not say it.
        """
        info = self._asked(repo, revision, lambda: self._api.model_info(repo, revision=revision, files_metadata=True))
        found = [
            HubFile(
                name=one.rfilename,
                size=one.size or 0,
                blob=one.lfs.sha256 if one.lfs is not None else one.blob_id or "",
            )
            for one in info.siblings or ()
        ]
        return HubFiles(commit=str(info.sha), gated=bool(info.gated), files=tuple(found))

    def stream(self, repo: str, commit: str, file: HubFile, target: Path, progress: Callable[[int], None]) -> None:
        """Write a file of a repository to a place; what is there of it from an earlier time is not asked for again.

        Raises:
            NotAnsweredError: the hub does not give it.
        """
        url = hf_hub_url(repo, file.name, revision=commit, endpoint=self._api.endpoint)
        headers = build_hf_headers(token=self._api.token, library_name="anvil-gen")
        self._asked(repo, None, lambda: Stream(url, headers, target, file.size, progress).write())

    def _facts(self, repo: str, commit: str, config: Mapping[str, Any], known: Architectures) -> dict[str, Any]:
        """Return what a configuration and the headers of safetensors files say; nothing where there are none."""
        try:
            metadata = self._asked(repo, commit, lambda: self._api.get_safetensors_metadata(repo, revision=commit))
        except (NotASafetensorsRepoError, SafetensorsParsingError):
            return {}
        tensors = tuple(Tensor(name, dtype, (), size) for name, dtype, size in tensors_of(metadata))
        return facts_to_table(config_facts(config, tensors, known))

    def _config(self, repo: str, commit: str) -> Mapping[str, Any]:
        """Return a model's configuration; an empty one where the hub does not let us read it."""
        with tempfile.TemporaryDirectory() as folder:
            try:
                path = self._asked(
                    repo,
                    commit,
                    lambda: self._api.hf_hub_download(repo, "config.json", revision=commit, local_dir=folder),
                )
                data = json.loads(Path(path).read_text("utf-8"))
            except NotAnsweredError as error:
                if error.code == "model-is-gated":
                    return {}  # its commit is known all the same
                raise
            except ValueError:
                return {}
        return data if isinstance(data, dict) else {}

    def _asked(self, repo: str, revision: str | None, ask: Callable[[], _Value]) -> _Value:
        name = f"{repo}@{revision}" if revision else repo
        for attempt in range(ATTEMPTS):
            try:
                return ask()
            except HfHubHTTPError as error:
                status = error.response.status_code
                if status not in _BUSY or attempt == ATTEMPTS - 1:
                    raise _refusal(name, revision, error) from None
                self._sleep(wait_seconds(attempt, error.response.headers.get("retry-after", "")))
            except (httpx2.HTTPError, OfflineModeIsEnabled, EntryNotFoundError, OSError) as error:
                detail = f"the hub, asked for {name}: {printable(str(error).partition(chr(10))[0])}"
                remedy = "look whether the network is up, and HF_ENDPOINT and HF_HUB_OFFLINE are as you mean them"
                raise NotAnsweredError("hub-does-not-answer", detail, remedy) from None
            except HFValidationError:
                detail = f"{name} is no name that a model has there"
                raise NotAnsweredError("model-is-not-on-the-hub", detail, "write organisation/name") from None
        raise NotAnsweredError("hub-does-not-answer", f"{name}: no attempt was made", "")


def _file(sibling: Any) -> HubFile:
    """Return a file as the Hub lists it; a large one is named by its digest, a small one as git names it."""
    blob = sibling.lfs.sha256 if sibling.lfs is not None else sibling.blob_id
    return HubFile(name=sibling.rfilename, size=sibling.size or 0, blob=blob or "")


def _refusal(name: str, revision: str | None, error: HfHubHTTPError) -> NotAnsweredError:
    status = error.response.status_code
    if isinstance(error, GatedRepoError):
        return NotAnsweredError(
            "model-is-gated", f"the hub refuses {name}: its authors decide who may read it", _NO_ACCESS
        )
    if isinstance(error, RevisionNotFoundError):
        return NotAnsweredError(
            "model-is-not-on-the-hub",
            f"the hub has no revision {revision} of {name.partition('@')[0]}",
            "write another",
        )
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403, 404):
        detail = f"the hub answers {status} for {name}: it does not exist, or is private"
        remedy = "look at the name; for a private one set the token: HF_TOKEN, or what token_env of [hfcache] names"
        return NotAnsweredError("model-is-not-on-the-hub", detail, remedy)
    if status == 429:
        detail = f"the hub answers 429 for {name}"
        return NotAnsweredError(
            "registry-limits-requests", detail, "run it again later, or with a token, which allows more"
        )
    return NotAnsweredError("hub-does-not-answer", f"the hub answers {status} for {name}", "run it again later")
