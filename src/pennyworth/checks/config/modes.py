"""Finds models that no endpoint of the gateway serves, by what LiteLLM says that they are for."""

from collections.abc import Iterator, Mapping

from pennyworth.checks.config.catalogue import find_mode
from pennyworth.checks.config.facts import Entry, Facts
from pennyworth.checks.config.report import Finding, Severity
from pennyworth.gateway.endpoints import ENDPOINTS

_PATHS = {
    "audio_speech": "/audio/speech",
    "audio_transcription": "/audio/transcriptions",
    "batch": "/batches",
    "chat": "/chat/completions",
    "completion": "/completions",
    "embedding": "/embeddings",
    "image_edit": "/images/edits",
    "image_generation": "/images/generations",
    "moderation": "/moderations",
    "ocr": "/ocr",
    "realtime": "/realtime",
    "rerank": "/rerank",
    "responses": "/responses",
    "search": "/search",
    "vector_store": "/vector_stores",
    "video_generation": "/videos",
}
"""Where clients of LiteLLM's proxy find a model, by `model_info.mode`."""


def check_modes(facts: Facts) -> Iterator[Finding]:
    """Find models for which there is no endpoint."""
    for entry, message in find_unserved(facts):
        yield facts.make_finding(Severity.WARNING, (*entry.place, "model_name"), message)


def find_unserved(facts: Facts) -> Iterator[tuple[Entry, str]]:
    """Yield each entry for which there is no endpoint, and what to say of it."""
    served = {endpoint.path for endpoint in ENDPOINTS}
    for entry in facts.entries:
        mode = _find_mode(entry)
        if not mode or _PATHS.get(mode) in served:
            continue
        if mode == "responses" and entry.deployment.lane == "litellm":
            continue  # LiteLLM asks that API for chat completions
        path = f" (/v1{_PATHS[mode]})" if mode in _PATHS else ""
        message = f"nobody can call it: no endpoint here serves models for {mode.replace('_', ' ')}{path}. Remove it"
        if mode == "responses":
            message += ", or set its model_info.lane to litellm, which translates chat completions"
        yield entry, message


def _find_mode(entry: Entry) -> str:
    info = entry.raw.get("model_info")
    written = info.get("mode") if isinstance(info, Mapping) else None
    return str(written) if written else find_mode(entry.deployment.provider, entry.deployment.model)
