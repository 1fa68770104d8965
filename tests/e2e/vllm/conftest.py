"""The image and the models, made once; each test file starts its own server, so that only one runs at a time."""

from __future__ import annotations

import pytest

from e2e.engine import Engine
from e2e.materials import MaterialError
from e2e.vllm.image import vllm_image, vllm_models
from e2e.vllm.servers import Vllm


@pytest.fixture(scope="package")
def vllm(engine: Engine) -> Vllm:
    """Return the image of the real vLLM and its models, making what is not there."""
    try:
        image = vllm_image(engine)
        return Vllm(image, str(vllm_models(engine, image)))
    except MaterialError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
