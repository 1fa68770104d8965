"""What a registry or the hub does not say of an image or a model."""

from __future__ import annotations


class NotAnsweredError(Exception):
    """Why there is no answer: a diagnostic that does not know its place in the inventory."""

    def __init__(self, code: str, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.code, self.detail, self.remedy = code, detail, remedy
