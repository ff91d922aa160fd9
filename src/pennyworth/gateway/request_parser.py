"""Requests as waitress parses them, without what could be understood in two ways.

Whoever stands before this server may have understood it the other way, and what follows would then be somebody else's
request: https://www.rfc-editor.org/rfc/rfc9112#section-6.1.
"""

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError


class Parser(HTTPRequestParser):  # type: ignore[misc]  # untyped
    """Refuses a request whose end is in doubt, upon which waitress closes the connection."""

    def parse_header(self, header_plus: bytes) -> None:
        """Parse a request's line and headers.

        Raises:
            ParsingError: they are not what HTTP allows.
        """
        lines = header_plus.split(b"\r\n")[1:]
        if any(line.startswith((b" ", b"\t")) for line in lines):
            raise ParsingError("A header is folded over several lines")
        fields = [line.partition(b":") for line in lines]
        encodings = [value for name, _, value in fields if name.strip().lower() == b"transfer-encoding"]
        lengths = [value for name, _, value in fields if name.strip().lower() == b"content-length"]
        if encodings and (lengths or [value.strip(b" \t").lower() for value in encodings] != [b"chunked"]):
            raise ParsingError(
                "Transfer-Encoding is something else than chunked, or stands beside Content-Length"
            )
        super().parse_header(header_plus)
        if encodings and not self.chunked:
            raise ParsingError("Transfer-Encoding in a request that is not HTTP/1.1")

    def received(self, data: bytes) -> int:
        """Take what has arrived; how much of it belongs to this request."""
        taken: int = super().received(data)
        if self.completed:
            # else waitress says "100 Continue", takes the request for unfinished and the next one for a part of it
            self.expect_continue = False
        return taken


class Channel(HTTPChannel):  # type: ignore[misc]
    """A client's connection."""

    parser_class = Parser
