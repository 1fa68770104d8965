"""The headers of safetensors files: what tensors they hold, without the tensors."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from anvil_gen.fit.gguf_header import HeaderError, Tensor

_LONGEST_HEADER = 1 << 28
_INDEX = "model.safetensors.index.json"


def read_safetensors(files: Iterable[Path]) -> tuple[Tensor, ...]:
    """Return the tensors of several files.

    Raises:
        HeaderError: one is no safetensors file.
        OSError: one cannot be read.
    """
    return tuple(tensor for file in files for tensor in _read_file(file))


def weight_files(folder: Path) -> list[Path]:
    """Return the files of a folder that an engine loads: those of the index where there is one, else all."""
    index = folder / _INDEX
    if not index.is_file():
        return sorted(folder.glob("*.safetensors"))
    names = msgspec.json.decode(index.read_bytes())["weight_map"].values()
    return sorted({folder / name for name in names})


def tensors_of(header: dict[str, Any]) -> Iterator[Tensor]:
    """Yield the tensors of a header."""
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            yield Tensor(name, entry["dtype"], tuple(entry["shape"]), end - start)


def _read_file(path: Path) -> Iterator[Tensor]:
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _LONGEST_HEADER:
                raise HeaderError(f"{path.name} does not begin as a safetensors file does")
            yield from tensors_of(msgspec.json.decode(file.read(length)))
    except (struct.error, msgspec.DecodeError, KeyError, TypeError, AttributeError):
        raise HeaderError(f"{path.name} does not begin as a safetensors file does") from None
