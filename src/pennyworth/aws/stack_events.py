"""Print a stack's events while a deployment runs, one line each."""

import time

from botocore.exceptions import BotoCoreError, ClientError

from pennyworth.aws.stack import Event, Stack, is_consequence
from pennyworth.github import actions

_QUIET_SECONDS = 10.0
_ENDED = ("_COMPLETE", "_FAILED")


class Progress:
    """A stack's events since the start of a deployment."""

    def __init__(self, stack: Stack, marker: str | None) -> None:
        """
        Args:
            stack: the stack; it need not exist yet.
            marker: the last event before the deployment, from `Stack.fetch_last_event`.
        """
        self.events: list[Event] = []
        """All printed events, oldest first."""
        self._stack = stack
        self._marker = marker
        self._began = self._last_output = time.monotonic()

    def look(self) -> None:
        """Print new events. If there are none for a while, print what the deployment is waiting for."""
        try:
            news = self._stack.fetch_events_since(self._marker)
        except (ClientError, BotoCoreError):
            return  # a temporary failure: the next call prints these events
        for event in news:
            self._tell(event)
        if news:
            self._marker = news[-1].id
            self.events += news
        elif time.monotonic() - self._last_output > _QUIET_SECONDS:
            self._say(f"… {self._describe_activity()}")

    def _tell(self, event: Event) -> None:
        self._say(f"{event.status:<20} {event.resource} ({event.type}) {event.reason}")
        if (
            event.status.endswith("_FAILED")
            and event.resource != self._stack.name
            and not is_consequence(event)
        ):
            actions.error(f"{event.resource}: {event.status}", event.reason or event.type)

    def _describe_activity(self) -> str:
        last = {event.resource: event for event in self.events if event.resource != self._stack.name}
        busy = [name for name, event in last.items() if not event.status.endswith(_ENDED)]
        if busy:
            return f"waiting for {', '.join(busy)}"
        return (
            "waiting for CloudFormation"
            if self.events
            else "sam is uploading the package and creating a change set"
        )

    def _say(self, text: str) -> None:
        self._last_output = time.monotonic()
        minutes, seconds = divmod(int(self._last_output - self._began), 60)
        actions.say(f"{minutes:>3}:{seconds:02} {text.rstrip()}")
