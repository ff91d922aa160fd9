"""The base class of all errors that are shown to the user."""

_DETAIL_CHARACTERS = 4000


class OperationFailed(Exception):
    """An operation failed. Says why, and what to do next."""

    def __init__(self, title: str, message: str = "", detail: str = "", report: str = "") -> None:
        """
        Args:
            title: what went wrong, in a few words. Must not contain a secret.
            message: what to do next. Must not contain a secret.
            detail: the output of a program, if it helps.
            report: Markdown for the job summary, to show instead of the rest.
        """
        super().__init__(message or title)
        self.title = title
        self.message = message
        self.detail = detail.strip()[-_DETAIL_CHARACTERS:]
        self.report = report

    def __str__(self) -> str:
        """Return title, message and detail, for a terminal."""
        said = f"{self.title}. {self.message}" if self.message else self.title
        return "\n".join(filter(None, (said, self.detail)))
