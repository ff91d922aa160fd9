"""Config files that another one includes, merged as LiteLLM does: lists are continued, everything else is replaced.

Where the gateway is deployed there is nothing to include: the build merges before it packs.
https://docs.litellm.ai/docs/proxy/config_management
"""

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pennyworth.gateway.config import ConfigError

INCLUDE = "include"


def merge_included(
    document: Mapping[str, Any], path: Path, read: Callable[[Path], Mapping[str, Any]]
) -> dict[str, Any]:
    """Merge what a config file includes, and what that includes, each file once.

    Args:
        document: the file's mapping.
        path: the file. What it includes lies relative to it; failing that, what an included file includes as well.
        read: reads one file's mapping.
    Raises:
        ConfigError: `include` is no list of paths.
    """
    merged = dict(document)
    seen, waiting = {path.resolve()}, deque([(path, merged.pop(INCLUDE))])
    while waiting:
        declared_in, entries = waiting.popleft()
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            raise ConfigError(f"{declared_in}: {INCLUDE}: a list of paths is expected", INCLUDE)
        for entry in entries:
            beside = declared_in.parent / entry
            found = beside if beside.exists() else path.parent / entry
            if (place := found.resolve()) in seen:
                continue
            seen.add(place)
            included = dict(read(found))
            if INCLUDE in included:
                waiting.append((found, included.pop(INCLUDE)))
            for name, value in included.items():
                if isinstance(value, list) and isinstance(before := merged.get(name), list):
                    value = [*before, *value]
                merged[name] = value
    return merged
