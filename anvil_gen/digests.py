"""Digests, for labels and image tags that stand for what Compose does not compare."""

import hashlib

_DIGEST_CHARACTERS = 12


def digest(*texts: str) -> str:
    """Return a short SHA-256 of texts, in their order."""
    total = hashlib.sha256()
    for text in texts:
        # Length first, so that no two lists of texts have the same digest.
        encoded = text.encode()
        total.update(f"{len(encoded)}:".encode() + encoded)
    return total.hexdigest()[:_DIGEST_CHARACTERS]


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text, as the deploy state records it."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
