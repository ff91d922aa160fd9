"""Plans the setup of an account and a repository, then carries it out step by step.

A step with nothing to change does nothing. So a second run changes nothing, and a run after an interrupted one
continues where it stopped.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from botocore.exceptions import ClientError

from pennyworth.aws import certificates
from pennyworth.aws.account import Account, Unprepared
from pennyworth.aws.errors import get_or_none
from pennyworth.aws.github_oidc import ISSUER
from pennyworth.aws.snapshot import read_parameters
from pennyworth.aws.stack import Stack
from pennyworth.aws.stack_states import Then
from pennyworth.github import gh_cli
from pennyworth.host.progress import step
from pennyworth.iam.bootstrap_template.template import read_template
from pennyworth.iam.drift import find_drifts, find_tightened_statements, keep_tightened_statements
from pennyworth.iam.passrole.document import is_equivalent
from pennyworth.iam.passrole.versions import ManagedPolicy
from pennyworth.iam.settings import Settings
from pennyworth.setup.stacks import delete_stack, follow

KEYS = "LITELLM_API_KEYS"

_NEW_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the setup."""

    what: str
    changes: tuple[str, ...]
    """What the step will change, in words. Empty: nothing."""
    carry_out: Callable[[], object]


class Plan:
    """The setup of one account and one repository."""

    def __init__(
        self,
        account: Account,
        settings: Settings,
        *,
        new_key: bool,
        wait_seconds: float,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Plan the setup by reading the account and the repository. Changes nothing.

        Args:
            account: the account.
            settings: the settings of the setup.
            new_key: whether to create an API key for callers.
            wait_seconds: how many seconds to wait for the certificate.
            tags: the tags of everything that is created. None: leave them as they are.
        """
        self._account = account
        self._settings = settings
        self._names = settings.names
        self._wait_seconds = wait_seconds
        self._tags = tags
        self._certificate = ""
        """The certificate's ARN, once it is known."""
        self._unset: list[str] = []
        """The secrets that only the user can set, and has not set yet."""
        self.new_key = f"sk-{secrets.token_urlsafe(_NEW_KEY_BYTES)}" if new_key else ""
        """The API key for callers; empty if none was wanted."""
        self.steps = [*self._plan_stacks(), *self._plan_repairs(), *self._plan_certificates()]
        self.steps += self._plan_secrets(any(step.changes for step in self.steps))

    @property
    def changes(self) -> bool:
        """Whether there is anything to change."""
        return any(step.changes for step in self.steps)

    def text(self) -> str:
        """Return the plan as text, one change per line."""
        lines = []
        for one in self.steps:
            lines.append(
                f"{'+' if one.changes else '='} {one.what}{'' if one.changes else ': nothing to change'}"
            )
            lines += [f"    {line}" for change in one.changes for line in change.splitlines()]
        return "\n".join(lines)

    def carry_out(self) -> None:
        """Carry out every step.

        Raises:
            Unprepared: a step failed. Earlier steps stay done, and the next run continues from there.
        """
        for one in self.steps:
            if one.changes:
                one.carry_out()

    def leftover(self) -> str:
        """Return what is left for the user to do. Empty: nothing."""
        lines = []
        repository, values = self._settings["Repository"], self.list_unset()
        place = self._settings.secrets_environment
        if not gh_cli.is_logged_in():
            lines.append(
                "gh is not logged in here. Run these commands where it is, or set the secrets on GitHub:"
            )
        elif values:
            lines.append("Set these secrets yourself:")
        lines += [
            f"    {gh_cli.make_command(repository, name, value, place)}" for name, value in values.items()
        ]
        if self.new_key:
            lines += ["The API key for your callers, shown only once:", f"    {self.new_key}"]
        return "\n".join(lines)

    def list_unset(self) -> dict[str, str | None]:
        """Return the secrets that are left for the user to set; None for a value to type, not to pass."""
        if gh_cli.is_logged_in():
            return dict.fromkeys(self._unset)
        return self.secrets() | {KEYS: None}  # gh asks for the value: other processes can see arguments

    def secrets(self) -> dict[str, str | None]:
        """Return the repository's secrets by name; None for a value that only the user knows."""
        values: dict[str, str | None] = {
            "AWS_DEPLOY_ROLE_ARN": self._account.build_role_arn(self._names.deploy_role),
            "AWS_REGION": self._settings.region,
            "STACK_NAME": self._settings["StackName"],
        }
        if self._settings.views:
            values["AWS_VIEW_ROLE_ARN"] = self._account.build_role_arn(self._names.view_role)
        if self._settings.domain:
            values |= {
                "BASE_DOMAIN": self._settings["BaseDomain"],
                "ROUTE53_HOSTED_ZONE_ID": self._settings["HostedZoneId"],
                "ACM_CERTIFICATE_ARN": self._certificate,
            }
        return values | {KEYS: self.new_key or None, "PROVIDER_CREDENTIALS": None}

    def _plan_stacks(self) -> Iterator[Step]:
        """Plan the stack, and a copy with only the alerts if IAM reports its changes in another region."""
        here, home = self._settings.region, self._account.home
        yield self._plan_stack(here, self._settings)
        alerts = self._settings["AlertEmail"] != ""
        if home != here:
            if alerts:
                yield self._plan_stack(home, Settings.of({**self._settings.parameters, "Part": "alerts"}))
            elif (
                read_parameters(self._account.describe_stack(self._names.bootstrap_stack, home)).get("Part")
                == "alerts"
            ):
                name = self._names.bootstrap_stack
                what, why = f"stack {name} in {home}", "delete it, because alerts are off"
                yield Step(what, (why,), partial(delete_stack, self._account, name, home))

    def _plan_stack(self, region: str, settings: Settings) -> Step:
        name = self._names.bootstrap_stack
        there = self._account.describe_stack(name, region)
        before = read_parameters(there)
        wanted = dict(settings.parameters)
        changes = []
        if there is None:
            changes.append("create it from policies/bootstrap.yaml")
            if wanted["Part"] == "all":
                changes += [f"{key} = {value}" for key, value in wanted.items() if value]
            else:
                changes.append("with only the alerts, because IAM reports its changes in this region")
        else:
            changes += [
                f"change {key} from {before.get(key) or 'nothing'} to {value or 'nothing'}"
                for key, value in wanted.items()
                if before.get(key, "") != value
            ]
            if self._tags is not None and self._tags != there.tags:
                changes.append(f"change its tags to {', '.join(self._tags) or 'none'}")
            if self._is_outdated(region):
                changes.append("update it to this version of policies/bootstrap.yaml")
            if there.state.then is not Then.DEPLOY or not there.state.deployed:
                changes.append(f"retry, because it is in {there.status}")
        return Step(
            f"stack {name} in {region}",
            tuple(changes),
            lambda: self._deploy(region, wanted),
        )

    def _deploy(self, region: str, wanted: Mapping[str, str]) -> None:
        arn = self._account.build_policy_arn(self._names.name_policy("deployment"))
        policy = ManagedPolicy(arn, self._account.client("iam"))
        exists = get_or_none(self._account.client("iam").get_policy, PolicyArn=arn) is not None
        narrow = (
            find_tightened_statements(policy.fetch_current()[1], wanted["StackName"])
            if exists and wanted["Part"] == "all"
            else []
        )
        deploy_stack(self._account, self._names.bootstrap_stack, region, wanted, self._tags)
        if narrow:
            # an update of the policy makes CloudFormation reset PassRole to all roles with the stack's prefix
            _, document = policy.fetch_current()
            if not is_equivalent(keep_tightened_statements(document, narrow), document):
                with step("restricting iam:PassRole to the same roles as before"):
                    policy.put(keep_tightened_statements(document, narrow))
        if wanted["Part"] == "all":
            self._put_back()

    def _plan_repairs(self) -> Iterator[Step]:
        """Plan the repair of changes made by hand, which CloudFormation does not notice."""
        stack = self._account.describe_stack(self._names.bootstrap_stack)
        if stack is None or self._is_outdated(self._settings.region):
            return  # `_deploy` repairs after the update
        found = find_drifts(self._account, Settings.of(stack.parameters))
        changes = tuple(f"restore {drift.what}: {drift.detail}" for drift in found if drift.restore)
        yield Step("the roles and their policies", changes, self._put_back)

    def _put_back(self) -> None:
        for drift in find_drifts(self._account, self._settings):
            if drift.restore:
                with step(f"restoring {drift.what}"):
                    drift.restore()

    def _is_outdated(self, region: str) -> bool:
        """Return whether the stack was created by another version of the template."""
        client = self._account.client("cloudformation", region)
        name = self._names.bootstrap_stack
        original = client.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
        return bool(original != read_template(self._settings["Issuer"]))

    def _plan_certificates(self) -> Iterator[Step]:
        domain = self._settings.domain
        if not domain:
            return
        found = certificates.find_certificate(self._account, domain)
        self._certificate = found["CertificateArn"] if found else ""
        zone = self._settings["HostedZoneId"]
        changes = []
        if found is None:
            changes.append(
                f"request it in {self._account.region}, and write its validation record into the hosted zone {zone}"
            )
        else:
            records = certificates.find_missing_records(self._account, domain, zone, self._certificate)
            changes += [
                f"write its validation record {record['Name']} into the hosted zone {zone}"
                for record in records
            ]
            if found["Status"] != "ISSUED":
                changes.append("wait until it is issued")
        yield Step(f"certificate for {domain}", tuple(changes), lambda: self._certify(domain, zone))

    def _certify(self, domain: str, zone: str) -> None:
        if not self._certificate:
            self._certificate = certificates.request_certificate(self._account, domain)
        certificates.write_validation_records(self._account, domain, zone, self._certificate)
        with step(f"certificate for {domain} (takes some minutes)") as detail:
            certificates.wait_until_issued(
                self._account, self._certificate, self._wait_seconds, report=detail
            )

    def _plan_secrets(self, changing: bool) -> Iterator[Step]:
        if not gh_cli.is_logged_in():
            return
        repository, place = self._settings["Repository"], self._settings.secrets_environment
        present, variables = (
            gh_cli.list_secrets(repository, place),
            gh_cli.list_variables(repository, place),
        )
        what = f"secrets of {repository}" + (f", environment {place}" if place else "")
        # secrets can't be read: set those again that are older than the stack's last change
        stack = None if changing else self._account.describe_stack(self._names.bootstrap_stack)
        since = stack.begun.replace(microsecond=0) if stack else None  # GitHub reports whole seconds
        wanted = [
            name
            for name, value in self.secrets().items()
            if value is not None
            and name not in variables  # it is no secret to the repository's owner
            and (name == KEYS or since is None or name not in present or present[name] < since)
        ]

        def carry_out() -> None:
            values = self.secrets()
            with step(what):
                for name in wanted:
                    gh_cli.set_secret(repository, name, values[name] or "", place)

        self._unset = [
            name for name, value in self.secrets().items() if value is None and name not in present
        ]
        yield Step(what, tuple(f"set {name}" for name in wanted), carry_out)


def deploy_stack(
    account: Account, name: str, region: str, wanted: Mapping[str, str], tags: Mapping[str, str] | None = None
) -> None:
    """Create or update a bootstrap stack, and print its events as they happen.

    Args:
        account: the account.
        name: the stack's name.
        region: the stack's region.
        wanted: the stack's parameters.
        tags: its tags. None: leave them as they are.
    Raises:
        Unprepared: the operation failed. The message says why.
    """
    client = account.client("cloudformation", region)
    stack = Stack(name, region)
    there = stack.describe()
    if there and not there.state.deployed:  # has no resources and can't be updated
        delete_stack(account, name, region)
        there = None
    marker = stack.fetch_last_event()
    tagged = {} if tags is None else {"Tags": [{"Key": key, "Value": text} for key, text in tags.items()]}
    try:
        (client.update_stack if there else client.create_stack)(
            StackName=name,
            TemplateBody=read_template(wanted.get("Issuer", ISSUER)),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in wanted.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
            **tagged,
        )
    except ClientError as failure:
        if "No updates are to be performed" in str(failure):
            return
        raise Unprepared(
            f"CloudFormation refused the stack {name}: {failure.response['Error']['Message']}"
        ) from failure
    with step(f"stack {name} in {region}"):
        status = follow(stack, name, marker)
    if not status.endswith("_COMPLETE") or "ROLLBACK" in status:
        cause = stack.find_first_cause(stack.fetch_events_since(marker))
        raise Unprepared(
            f"The stack {name} is in {status}: {cause or 'see its events in the CloudFormation console'}"
        )
