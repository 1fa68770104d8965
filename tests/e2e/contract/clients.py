"""Clients and their keys: by the variable that holds one, and by the digest of one."""

from __future__ import annotations

import json
from hashlib import sha256

from e2e.contract.door import DIGEST_KEYS, KEYS, Door
from e2e.contract.registry import check
from e2e.patience import until


@check
def clients(door: Door) -> None:
    for _, key in KEYS.values():
        assert statuses(door, key) == [200, 200]
    door.ask(f"/v1/{'long' * 1000}")
    door.chat("long" * 1000)
    assert_logged(door, set(KEYS))


@check
def api_key_sha256(door: Door) -> None:
    """A key opens, and its digest does not, in whatever letters."""
    for key in DIGEST_KEYS.values():
        assert statuses(door, key) == [200, 200]
        digest = sha256(key.encode()).hexdigest()
        for wrong in (digest, digest.upper(), key[:-1], f"{key}x", "", "#"):
            assert statuses(door, wrong) == [401, 401]
    assert_logged(door, set(DIGEST_KEYS))


def statuses(door: Door, key: str) -> list[int]:
    """Return how a key is answered: as a token, and in the header of its own."""
    sent = key.encode()
    headers = ({"Authorization": b"Bearer " + sent}, {"x-api-key": sent})
    replies = [door.ask("/v1/models", key=None, headers=each) for each in headers]
    assert all(reply.status == 200 or reply.json["error"]["code"] == "invalid_api_key" for reply in replies)
    return [reply.status for reply in replies]


def assert_logged(door: Door, clients: set[str]) -> None:
    """Wait until each client is in the router's log, which comes a moment after the answer."""
    until(lambda: clients_in_log(door), lambda found: clients <= found)


def clients_in_log(door: Door) -> set[str]:
    return {json.loads(line)["client"] for line in door.logs().splitlines() if line.startswith("{")}
