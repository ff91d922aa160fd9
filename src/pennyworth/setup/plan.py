"""What setting an account and a repository up takes: looked at first, then done, each step by itself.

A step that finds everything as it must be does nothing, so a second run changes nothing, and one that was interrupted
is taken up where it stopped.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from botocore.exceptions import ClientError

from pennyworth.aws import certificates
from pennyworth.aws.account import STACK, Account, Unprepared
from pennyworth.aws.errors import get_or_none
from pennyworth.aws.snapshot import read_parameters
from pennyworth.aws.stack import Stack
from pennyworth.github import gh_cli
from pennyworth.host.progress import say, step
from pennyworth.iam.bootstrap_template.template import TEMPLATE
from pennyworth.iam.drift import find_drifts, find_tightened_statements, keep_tightened_statements
from pennyworth.iam.passrole.document import is_equivalent
from pennyworth.iam.passrole.versions import ManagedPolicy
from pennyworth.iam.policy.documents import DEPLOY_ROLE, MANAGED_POLICIES, VIEW_ROLE
from pennyworth.iam.settings import Settings

KEYS = "LITELLM_API_KEYS"

_POLL_SECONDS = 1.0
_STACK_SECONDS = 900.0
_NEW_KEY_BYTES = 32
_ENDED = ("_COMPLETE", "_FAILED")


@dataclass(frozen=True, slots=True)
class Step:
    """One part of the set-up."""

    what: str
    changes: tuple[str, ...]
    """What is not yet as it must be, in words; empty where nothing is to be done."""
    carry_out: Callable[[], object]


class Plan:
    """The set-up of one account and one repository."""

    def __init__(self, account: Account, settings: Settings, *, new_key: bool, wait_seconds: float) -> None:
        """Look at what is there; nothing is changed.

        Args:
            account: the account.
            settings: what it is set up for.
            new_key: whether callers shall get a new key.
            wait_seconds: how long to wait for a certificate.
        """
        self._account = account
        self._settings = settings
        self._wait_seconds = wait_seconds
        self._certificate = ""
        """Its ARN, once it is known."""
        self._unset: list[str] = []
        """The secrets that a person has to think of, and has not."""
        self._new_key = f"sk-{secrets.token_urlsafe(_NEW_KEY_BYTES)}" if new_key else ""
        self.steps = [*self._plan_stacks(), *self._plan_repairs(), *self._plan_certificates()]
        self.steps += self._plan_secrets(any(step.changes for step in self.steps))

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return any(step.changes for step in self.steps)

    def text(self) -> str:
        """The plan, a line a change."""
        lines = []
        for one in self.steps:
            lines.append(
                f"{'+' if one.changes else '='} {one.what}{'' if one.changes else ': as it must be'}"
            )
            lines += [f"    {line}" for change in one.changes for line in change.splitlines()]
        return "\n".join(lines)

    def carry_out(self) -> None:
        """Do it all.

        Raises:
            Unprepared: a step failed; what was done before stays, and the next run goes on from there.
        """
        for one in self.steps:
            if one.changes:
                one.carry_out()

    def leftover(self) -> str:
        """What a person has yet to do; empty for nothing."""
        lines = []
        repository, values = self._settings["Repository"], self.secrets()
        if gh_cli.is_logged_in():
            values = dict.fromkeys(self._unset)
            if values:
                lines.append("Set these yourself, as nobody else knows them:")
        else:
            values |= {KEYS: None}  # gh asks for it: arguments can be read by everybody
            lines.append("gh is not logged in here. Set the repository's secrets where it is, or by hand:")
        lines += [f"    {gh_cli.make_command(repository, name, value)}" for name, value in values.items()]
        if self._new_key:
            lines += ["The key for your callers, shown this once:", f"    {self._new_key}"]
        return "\n".join(lines)

    def secrets(self) -> dict[str, str | None]:
        """The repository's secrets; None for one whose value a person has to think of."""
        values: dict[str, str | None] = {
            "AWS_DEPLOY_ROLE_ARN": self._account.build_role_arn(DEPLOY_ROLE),
            "AWS_REGION": self._settings.region,
            "STACK_NAME": self._settings["StackName"],
        }
        if self._settings.views:
            values["AWS_VIEW_ROLE_ARN"] = self._account.build_role_arn(VIEW_ROLE)
        if self._settings.domain:
            values |= {
                "BASE_DOMAIN": self._settings["BaseDomain"],
                "ROUTE53_HOSTED_ZONE_ID": self._settings["HostedZoneId"],
                "ACM_CERTIFICATE_ARN": self._certificate,
            }
        return values | {KEYS: self._new_key or None, "PROVIDER_CREDENTIALS": None}

    def _plan_stacks(self) -> Iterator[Step]:
        """The stack itself and, where IAM reports elsewhere, the copy there that makes nothing but alerts."""
        here, home = self._settings.region, self._account.home
        yield self._plan_stack(here, self._settings)
        alerts = self._settings["AlertEmail"] != ""
        if home != here:
            if alerts:
                yield self._plan_stack(home, Settings.of({**self._settings.parameters, "Part": "alerts"}))
            elif read_parameters(self._account.describe_stack(region=home)).get("Part") == "alerts":
                what, why = f"stack {STACK} in {home}", "delete it: no alerts are wanted"
                yield Step(what, (why,), partial(delete_stack, self._account, home))

    def _plan_stack(self, region: str, settings: Settings) -> Step:
        there = self._account.describe_stack(region=region)
        before = read_parameters(there)
        wanted = dict(settings.parameters)
        changes = []
        if there is None:
            changes.append("make it from policies/bootstrap.yaml")
            if wanted["Part"] == "all":
                changes += [f"{name} = {value}" for name, value in wanted.items() if value]
            else:
                changes.append("with the alerts alone: this is where IAM reports its changes")
        else:
            changes += [
                f"{name}: {before.get(name) or 'nothing'} becomes {value or 'nothing'}"
                for name, value in wanted.items()
                if before.get(name, "") != value
            ]
            if self._is_outdated(region):
                changes.append("bring it up to this version of policies/bootstrap.yaml")
            if not there.status.endswith("_COMPLETE") or there.status == "ROLLBACK_COMPLETE":
                changes.append(f"try again: it is in {there.status}")
        return Step(
            f"stack {STACK} in {region}",
            tuple(changes),
            lambda: self._deploy(region, wanted),
        )

    def _deploy(self, region: str, wanted: Mapping[str, str]) -> None:
        arn = self._account.build_policy_arn(MANAGED_POLICIES["deployment"])
        policy = ManagedPolicy(arn, self._account.client("iam"))
        exists = get_or_none(self._account.client("iam").get_policy, PolicyArn=arn) is not None
        narrow = (
            find_tightened_statements(policy.fetch_current()[1], wanted["StackName"])
            if exists and wanted["Part"] == "all"
            else []
        )
        deploy_stack(self._account, region, wanted)
        if narrow:
            # CloudFormation writes the policy anew where its document changed, PassRole by the names' beginning
            _, document = policy.fetch_current()
            if not is_equivalent(keep_tightened_statements(document, narrow), document):
                with step("PassRole stays with the roles that it named"):
                    policy.put(keep_tightened_statements(document, narrow))
        if wanted["Part"] == "all":
            self._put_back()

    def _plan_repairs(self) -> Iterator[Step]:
        """What somebody changed by hand, of which CloudFormation knows nothing."""
        stack = self._account.describe_stack()
        if stack is None or self._is_outdated(self._settings.region):
            return  # `_deploy` looks once it is up to date
        found = find_drifts(self._account, Settings.of(stack.parameters))
        changes = tuple(f"put {drift.what} back: {drift.detail}" for drift in found if drift.restore)
        yield Step("the roles and their policies", changes, self._put_back)

    def _put_back(self) -> None:
        for drift in find_drifts(self._account, self._settings):
            if drift.restore:
                with step(f"{drift.what}: put back"):
                    drift.restore()

    def _is_outdated(self, region: str) -> bool:
        """Whether a stack was made by another version of the template."""
        client = self._account.client("cloudformation", region)
        original = client.get_template(StackName=STACK, TemplateStage="Original")["TemplateBody"]
        return bool(original != TEMPLATE.read_text())

    def _plan_certificates(self) -> Iterator[Step]:
        domain = self._settings.domain
        if not domain:
            return
        found = certificates.find_certificate(self._account, domain)
        self._certificate = found["CertificateArn"] if found else ""
        zone = self._settings["HostedZoneId"]
        changes = []
        if found is None:
            changes.append(f"request it in {self._account.region}, and prove it by a record in {zone}")
        else:
            records = certificates.find_missing_records(self._account, domain, zone, self._certificate)
            changes += [f"write its proof into {zone}: {record['Name']}" for record in records]
            if found["Status"] != "ISSUED":
                changes.append("wait until it is issued")
        yield Step(f"certificate for {domain}", tuple(changes), lambda: self._certify(domain, zone))

    def _certify(self, domain: str, zone: str) -> None:
        if not self._certificate:
            self._certificate = certificates.request_certificate(self._account, domain)
        certificates.write_validation_records(self._account, domain, zone, self._certificate)
        with step(f"certificate for {domain} (some minutes)") as detail:
            certificates.wait_until_issued(
                self._account, self._certificate, self._wait_seconds, report=detail
            )

    def _plan_secrets(self, changing: bool) -> Iterator[Step]:
        if not gh_cli.is_logged_in():
            return
        repository = self._settings["Repository"]
        present = gh_cli.list_secrets(repository)
        # what GitHub keeps can't be read: a secret that is older than what it names is set again
        stack = None if changing else self._account.describe_stack()
        since = stack.begun.replace(microsecond=0) if stack else None  # GitHub tells whole seconds
        wanted = [
            name
            for name, value in self.secrets().items()
            if value is not None
            and (name == KEYS or since is None or name not in present or present[name] < since)
        ]

        def carry_out() -> None:
            values = self.secrets()
            with step(f"secrets of {repository}"):
                for name in wanted:
                    gh_cli.set_secret(repository, name, values[name] or "")

        self._unset = [
            name for name, value in self.secrets().items() if value is None and name not in present
        ]
        yield Step(f"secrets of {repository}", tuple(f"set {name}" for name in wanted), carry_out)


def deploy_stack(account: Account, region: str, wanted: Mapping[str, str]) -> None:
    """Make the stack or bring it up to date, telling of its events as they happen.

    Args:
        account: where.
        region: the stack's.
        wanted: its parameters.
    Raises:
        Unprepared: it failed; says why.
    """
    client = account.client("cloudformation", region)
    stack = Stack(STACK, region)
    there = stack.describe()
    if there and there.status in {
        "ROLLBACK_COMPLETE",
        "REVIEW_IN_PROGRESS",
    }:  # holds nothing, takes no update
        delete_stack(account, region)
        there = None
    marker = stack.fetch_last_event()
    try:
        (client.update_stack if there else client.create_stack)(
            StackName=STACK,
            TemplateBody=TEMPLATE.read_text(),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in wanted.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    except ClientError as failure:
        if "No updates are to be performed" in str(failure):
            return
        raise Unprepared(
            f"CloudFormation refuses the stack: {failure.response['Error']['Message']}"
        ) from failure
    with step(f"stack {STACK} in {region}"):
        status = _follow(stack, marker)
    if not status.endswith("_COMPLETE") or "ROLLBACK" in status:
        cause = stack.find_first_cause(stack.fetch_events_since(marker))
        raise Unprepared(f"The stack {STACK} is in {status}: {cause or 'see its events in the console'}")


def delete_stack(account: Account, region: str) -> None:
    """Delete the stack, telling of its events as they happen.

    Raises:
        Unprepared: something of it could not be deleted; says what.
    """
    found = account.describe_stack(region=region)
    if found is None:
        return
    stack = Stack(found.id, region)  # by its id a stack can be asked for when it is gone
    marker = stack.fetch_last_event()
    account.client("cloudformation", region).delete_stack(StackName=STACK)
    with step(f"deleting the stack {STACK} in {region}"):
        status = _follow(stack, marker)
    if status not in {"DELETE_COMPLETE", ""}:
        cause = stack.find_first_cause(stack.fetch_events_since(marker))
        raise Unprepared(f"The stack {STACK} is in {status}: {cause or 'see its events in the console'}")


def _follow(stack: Stack, marker: str | None) -> str:
    """Tell of a stack's events until its operation has ended; the state that it ended in."""
    deadline = time.monotonic() + _STACK_SECONDS
    told = 0
    while True:
        now = stack.describe()
        status = now.status if now else ""
        events = stack.fetch_events_since(marker)
        for event in events[told:]:
            if event.resource != STACK:
                say(f"      {event.status:<20} {event.type} {event.resource}")
        told = len(events)
        if not status or (events and status.endswith(_ENDED)):
            return status
        if time.monotonic() > deadline:
            raise Unprepared(
                f"The stack {STACK} is still in {status}. Look at it in CloudFormation's console."
            )
        time.sleep(_POLL_SECONDS)
