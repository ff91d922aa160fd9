"""Server-sent events, told apart: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

_BLANK_LINES = (b"\n\n", b"\n\r\n")


def split_events(data: bytes) -> tuple[bytes, bytes]:
    """The whole events at the beginning of some bytes, and the rest: what follows the last blank line.

    Args:
        data: lines that end in LF or in CR LF.
    """
    if data.endswith(b"\n\n"):
        return data, b""
    end = max((data.rfind(blank) + len(blank) for blank in _BLANK_LINES if blank in data), default=0)
    return data[:end], data[end:]
