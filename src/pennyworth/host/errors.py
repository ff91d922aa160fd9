"""The one error from which all others derive that a person or a workflow is told."""

_DETAIL_CHARACTERS = 4000


class OperationFailed(Exception):
    """What was asked for can't be done."""

    def __init__(self, title: str, message: str = "", detail: str = "", report: str = "") -> None:
        """
        Args:
            title: what went wrong, in few words; the whole sentence where nothing else is said.
            message: what to do next. Neither holds a secret.
            detail: what a program said, line by line.
            report: what a job's summary says in place of all that, in Markdown.
        """
        super().__init__(message or title)
        self.title = title
        self.message = message
        self.detail = detail.strip()[-_DETAIL_CHARACTERS:]
        self.report = report

    def __str__(self) -> str:
        """All of it, as a terminal shows it."""
        said = f"{self.title}. {self.message}" if self.message else self.title
        return "\n".join(filter(None, (said, self.detail)))
