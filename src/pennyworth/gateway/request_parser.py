"""Requests as waitress parses them, without the one thing that it lets pass: two statements of a body's length."""

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError


class Parser(HTTPRequestParser):  # type: ignore[misc]  # untyped
    """Refuses a request whose end can be understood in two ways, upon which waitress closes the connection.

    Whoever stands before this server may have understood it the other way, and what follows would then be somebody
    else's request: https://www.rfc-editor.org/rfc/rfc9112#section-6.1.
    """

    def parse_header(self, header_plus: bytes) -> None:
        """Parse a request's line and headers.

        Raises:
            ParsingError: they are not what HTTP allows.
        """
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Content-Length and Transfer-Encoding in one request")
        if "TRANSFER_ENCODING" in self.headers:  # waitress takes it out where it understands it
            raise ParsingError("Transfer-Encoding in a request that is not HTTP/1.1")


class Channel(HTTPChannel):  # type: ignore[misc]
    """A client's connection."""

    parser_class = Parser
