"""The names of what `pennyworth bootstrap` makes for an endpoint. An account may have several endpoints."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pennyworth.aws.account import Account

BOOTSTRAP = "pennyworth-bootstrap"
"""What the names of all bootstrap stacks begin with."""

_ROLE = re.compile(r"pennyworth-github-(?:deploy|view)-role(-[a-z][a-z0-9-]*)?")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one endpoint's roles, policies and bootstrap stack. Names() are those of an account's first."""

    suffix: str = ""
    """What the names end with: empty for an account's first endpoint, -STACK for every other."""

    @classmethod
    def of_role(cls, role: str) -> "Names | None":
        """Read them from the name or the ARN of a deploy role or a read-only role; None if it is neither.

        Args:
            role: the name, the role's ARN, or the ARN of one of its sessions.
        """
        kind, _, path = role.rpartition(":")[2].partition("/")
        name = path.partition("/")[0] if kind == "assumed-role" else role.rpartition("/")[2]
        found = _ROLE.fullmatch(name)
        return cls(found[1] or "") if found else None

    @property
    def deploy_role(self) -> str:
        """The role that GitHub's runs deploy with."""
        return f"pennyworth-github-deploy-role{self.suffix}"

    @property
    def view_role(self) -> str:
        """The read-only role, for previews of pull requests and for health checks."""
        return f"pennyworth-github-view-role{self.suffix}"

    @property
    def bootstrap_stack(self) -> str:
        """The stack that is created from policies/bootstrap.yaml."""
        return f"{BOOTSTRAP}{self.suffix}"

    def name_policy(self, document: str) -> str:
        """Return the name of the managed policy that is created from a document in policies/, such as deployment."""
        return f"pennyworth-{document}{self.suffix}"


def find_names(account: "Account", stack: str) -> Names:
    """Find the names of an endpoint's roles and policies, as far as the caller may see them.

    Args:
        account: the account. If one of the endpoint's roles is the caller, its name tells.
        stack: the name of the endpoint's stack.
    """
    # imported here, because commands that call no AWS need the names, too, and may lack boto3
    from botocore.exceptions import ClientError

    from pennyworth.aws.errors import get_or_none, is_denied

    if own := Names.of_role(account.caller):
        return own
    names = Names(f"-{stack}")
    arn = account.build_policy_arn(names.name_policy("stack-boundary"))
    try:
        return names if get_or_none(account.client("iam").get_policy, PolicyArn=arn) else Names()
    except ClientError as failure:
        if is_denied(failure):  # a user with another endpoint's policies
            return Names()
        raise
