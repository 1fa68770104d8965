"""The features that routers may have: the words of their data files, of `[router]` and of their contract.

A router's `router.toml` lists those that it supports. Requesting another one is an error; the contract's tests show for
each router and each feature that it is so.
"""

from __future__ import annotations

REQUESTABLE: dict[str, str] = {
    "clients": "a key for each client",
    "api_key_sha256": "clients by the digest of their keys, which is no secret",
    "fallbacks": "another tier answers where one cannot",
    "default_tier": "a tier for requests that name no model",
    "timeout": "a limit for the wait on a tier",
    "tier_timeout": "such a limit for each tier",
    "concurrency": "a limit of requests for each tier",
    "replicas": "several servers of one tier: one that is down loses no request which was not sent to it yet",
    "hosts": "models of other hosts, whose routers answer",
    "sticky": "requests of one session at the same server of a tier",
    "body_limit": "a limit for the size of requests, 413 above it",
    "metrics_key": "metrics behind the clients' key",
    "metrics_port": "metrics on a port of their own",
    "tls": "HTTPS by certificate files",
    "paths": "further paths, each with the tier that answers",
    "cors": "pages of other origins may ask, and only those that are named",
}
"""Feature that an inventory may request -> what it is, for messages and the docs."""

OBSERVED: dict[str, str] = {
    "rewrite": "an alias is rewritten to the tier's served name",
    "verbatim": "every byte of a request reaches the tier, but for a name that is rewritten",
    "fields": "every field of a request reaches the tier, whatever it is",
    "reasoning": "`reasoning_content` passes through streams",
    "tool_stream": "pieces of tool calls pass through streams as they come",
    "reload": "routes change without a restart: no request is lost, no stream is cut",
    "abort": "a tier is told at once that its client has left",
    "burst": "100 streams at once",
    "chunked": "requests of unknown length",
    "large": "requests of 20 MB",
    "known_models": "an unknown model is a 404 that lists the known ones",
    "names_tier": "a tier that is down is a 503 that names it, within 100 ms",
    "unauthorized": "a wrong key is a 401",
    "alias_metrics": "metrics for each alias",
    "x_api_key": "the key in `x-api-key`, as Anthropic's clients send it",
    "methods": "HEAD and OPTIONS are answered as HTTP wants them",
    "model_card": "`GET /v1/models/{id}`",
    "max_model_len": "`max_model_len` in the list of models, where the inventory states it",
    "lora": "an adapter's name is listed, and reaches its tier",
    "completions": "`/v1/completions`",
    "responses": "`/v1/responses`",
    "messages": "`/v1/messages`",
    "embeddings": "`/v1/embeddings`, by aliases too",
    "rerank": "`/v1/rerank`, by aliases too",
    "transcription": "`/v1/audio/transcriptions`, a form with a file",
    "speech": "`/v1/audio/speech`",
    "response_by_id": "`/v1/responses/{id}`, also where several tiers have it: `?model=` names one",
    "realtime": "`/v1/realtime`, a WebSocket",
    "engine_paths": "paths that some engines have, such as `/tokenize` and `/infill`, to the tiers that have them",
}
"""Feature that no inventory requests, but that a user of the router meets."""

FEATURES = {**REQUESTABLE, **OBSERVED}
