"""Which GGUF files of a repository are read, as llama-server chooses them."""

from __future__ import annotations

import pytest

from anvil_gen.fit.hub_files import companion_of, gguf_of

PROJECTORS = [
    "mmproj-BF16.gguf",
    "mmproj-F16.gguf",
    "mmproj-F32.gguf",
    "sub/mmproj-Q8_0.gguf",
    "other/mmproj-Q4_0.gguf",
]


@pytest.mark.parametrize(
    ("model", "projector"),
    [
        ("chat-Q4_K_M.gguf", "mmproj-BF16.gguf"),
        ("chat-F32.gguf", "mmproj-F32.gguf"),
        ("chat-Q4_K_M-00001-of-00002.gguf", "mmproj-BF16.gguf"),
        ("sub/chat-Q4_K_M.gguf", "sub/mmproj-Q8_0.gguf"),
    ],
)
def test_the_projector_in_the_nearest_folder_and_as_precise_as_can_be(model: str, projector: str) -> None:
    assert companion_of([model, *PROJECTORS], model, "mmproj") == projector


def test_a_model_without_projector_has_none() -> None:
    assert companion_of(["a.gguf", "b.gguf"], "a.gguf", "mmproj") is None


@pytest.mark.parametrize(
    ("names", "tag", "chosen"),
    [
        (["m-Q8_0.gguf", "m-F16.gguf"], "", "m-Q8_0.gguf"),
        (["m-Q8_0.gguf", "m-Q4_K_M.gguf"], "", "m-Q4_K_M.gguf"),
        (["m-F16.gguf", "m-Q2_K.gguf"], "", "m-F16.gguf"),
        (["m-Q8_0.gguf", "m-Q4_K_M.gguf"], "Q8_0", "m-Q8_0.gguf"),
    ],
)
def test_the_usual_quantisations_come_first(names: list[str], tag: str, chosen: str) -> None:
    assert gguf_of(names, tag) == [chosen]
