"""How much of an upstream's answer the gateway takes."""

LARGEST_ANSWER_BYTES = 64 * 1024 * 1024
"""Of an answer that has to be read whole or translated, decoded."""

LARGEST_ERROR_BYTES = 64 * 1024
"""Of an error's body: what lies beyond is not read."""

LARGEST_EVENT_BYTES = 16 * 1024 * 1024
"""Of one event of a stream."""
