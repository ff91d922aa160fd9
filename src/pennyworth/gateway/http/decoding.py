"""Bodies that come encoded although that was not asked for."""

import zlib

from pennyworth.gateway.http.errors import Malformed

_PIECE_BYTES = 1024 * 1024
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class Decoder:
    """Decodes a body a piece at a time, so that a small one that unfolds into gigabytes never lies in memory whole."""

    def __init__(self, codings: list[str]) -> None:
        """
        Args:
            codings: of Content-Encoding, in lower case.
        Raises:
            Malformed: more than one of them, or one that the standard library does not know.
        """
        if len(codings) > 1 or codings[0] not in _WINDOWS:
            raise Malformed(f"it is encoded ({', '.join(codings)[:40]}), which was not asked for")
        self._window = _WINDOWS[codings[0]]
        self._inflater = zlib.decompressobj(self._window)
        self._waiting = b""
        self.complete = False
        """Whether what was fed ends where the encoding ends."""

    def feed(self, data: bytes) -> None:
        """More of the encoded body."""
        self._waiting += data

    def decode_some(self) -> bytes:
        """The next decoded bytes, at most a mebibyte; none: feed more."""
        while self._waiting:
            if self._inflater.eof:  # a body may be several in a row
                self._inflater = zlib.decompressobj(self._window)
            try:
                data = self._inflater.decompress(self._waiting, _PIECE_BYTES)
            except zlib.error:
                if self._window == 15:  # some send deflate without its envelope
                    self._window = -15
                    self._inflater = zlib.decompressobj(self._window)
                    continue
                raise Malformed("its encoding is broken") from None
            self._waiting = self._inflater.unconsumed_tail or self._inflater.unused_data
            self.complete = self._inflater.eof and not self._waiting
            if data:
                return data
        return b""
