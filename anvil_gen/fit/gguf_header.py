"""The header of a GGUF file: its metadata and what tensors it holds, without reading the long arrays in it.

The vocabulary is an array of some 100,000 texts: to read it into Python takes seconds, to step over it milliseconds.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from anvil_gen.patterns import lazy_pattern

_MAGIC = b"GGUF"
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_TEXT, _ARRAY = 8, 9
_MOST_DIMENSIONS = 8  # ggml knows 4
_LONGEST_ARRAY = 4096  # longer ones are the vocabulary's
_PART = lazy_pattern(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)

# Type of tensor -> its name, elements of a block, bytes of a block (ggml/include/ggml.h, ggml/src/ggml-common.h).
TENSOR_TYPES: Mapping[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 36),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
}


class HeaderError(ValueError):
    """A file that is not what its name says; the text says what is wrong with it."""


class IncompleteHeaderError(HeaderError):
    """A header that goes on behind the end of what is there."""


class Tensor(Struct, frozen=True):
    """A tensor of a model file: its name, type, shape and bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size: int


class GgufHeader(Struct, frozen=True, kw_only=True):
    """The metadata of a model, without long arrays, of which ``lengths`` has the length; and its tensors."""

    metadata: Mapping[str, Any]
    lengths: Mapping[str, int]
    tensors: tuple[Tensor, ...]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value of the architecture's own: ``block_count`` of ``llama.block_count``."""
        return self.metadata.get(f"{self.metadata.get('general.architecture')}.{name}", default)


def read_gguf(path: Path) -> GgufHeader:
    """Return the header of a model; of one in several files, with the tensors of all.

    Raises:
        HeaderError: it is no GGUF file, or of a kind that is not known here.
        OSError: it cannot be read.
    """
    first = _read_file(path)
    tensors = first.tensors
    for part in _further_parts(path):
        tensors += _read_file(part).tensors
    return GgufHeader(metadata=first.metadata, lengths=first.lengths, tensors=tensors)


def _further_parts(path: Path) -> list[Path]:
    match = _PART.fullmatch(path.name)
    if match is None or int(match["number"]) != 1:
        return []
    count = int(match["count"])
    return [path.with_name(f"{match['stem']}-{part:05}-of-{count:05}.gguf") for part in range(2, count + 1)]


def _read_file(path: Path) -> GgufHeader:
    with path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise HeaderError("it does not begin as a GGUF file does")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return header_of(data)


def header_of(data: bytes | mmap.mmap) -> GgufHeader:
    """Return the header that bytes begin with.

    Raises:
        IncompleteHeaderError: it goes on behind their end, or is damaged.
        HeaderError: it is no GGUF file, or of a kind that is not known here.
    """
    if data[: len(_MAGIC)] != _MAGIC:
        raise HeaderError("it does not begin as a GGUF file does")
    try:
        return _Reader(data).header()
    except (struct.error, IndexError, UnicodeDecodeError, OverflowError):
        raise IncompleteHeaderError("its header ends before it is complete, or is damaged") from None


class _Reader:
    """Reads one header from its start to its end."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self._data = data
        self._at = len(_MAGIC)

    def header(self) -> GgufHeader:
        version = self._scalar("<I")
        if version not in (2, 3):
            raise HeaderError(f"it is of version {version} of the format, and 2 and 3 are known")
        tensors, pairs = self._scalar("<Q"), self._scalar("<Q")
        metadata: dict[str, Any] = {}
        lengths: dict[str, int] = {}
        for _ in range(pairs):
            key, kind = self._text(), self._scalar("<I")
            if kind == _ARRAY:
                lengths[key], items = self._array()
                if items is not None:
                    metadata[key] = items
            else:
                metadata[key] = self._value(kind)
        return GgufHeader(metadata=metadata, lengths=lengths, tensors=tuple(self._tensor() for _ in range(tensors)))

    def _scalar(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return value

    def _text(self) -> str:
        length = self._scalar("<Q")
        start, self._at = self._at, self._at + length
        if self._at > len(self._data):
            raise IndexError
        return self._data[start : self._at].decode()

    def _value(self, kind: int) -> Any:
        if kind == _TEXT:
            return self._text()
        if kind not in _SCALARS:
            raise HeaderError(f"it has a value of type {kind}, which is not known")
        return self._scalar(_SCALARS[kind])

    def _array(self, depth: int = 0) -> tuple[int, list[Any] | None]:
        """Return the length of an array, and its items if it is short."""
        if depth > _MOST_DIMENSIONS:
            raise HeaderError("it has arrays in arrays, deeper than any model's")
        kind, length = self._scalar("<I"), self._scalar("<Q")
        if length > len(self._data):
            raise IndexError
        if kind == _ARRAY:
            for _ in range(length):
                self._array(depth + 1)
            return length, None
        if length <= _LONGEST_ARRAY:
            return length, [self._value(kind) for _ in range(length)]
        if kind == _TEXT:
            self._skip_texts(length)
        elif kind in _SCALARS:
            self._at += length * struct.calcsize(_SCALARS[kind])
        else:
            raise HeaderError(f"it has a value of type {kind}, which is not known")
        return length, None

    def _skip_texts(self, count: int) -> None:
        data, at, length = self._data, self._at, struct.Struct("<Q").unpack_from
        for _ in range(count):
            at += 8 + length(data, at)[0]
        self._at = at

    def _tensor(self) -> Tensor:
        name, dimensions = self._text(), self._scalar("<I")
        if dimensions > _MOST_DIMENSIONS:
            raise HeaderError(f'its tensor "{name}" has {dimensions} dimensions')
        shape = tuple(self._scalar("<Q") for _ in range(dimensions))
        kind, _offset = self._scalar("<I"), self._scalar("<Q")
        if kind not in TENSOR_TYPES:
            raise HeaderError(f'its tensor "{name}" is of type {kind}, which is not known')
        dtype, elements, size = TENSOR_TYPES[kind]
        count = 1
        for side in shape:
            count *= side
        return Tensor(name, dtype, shape, count // elements * size)
