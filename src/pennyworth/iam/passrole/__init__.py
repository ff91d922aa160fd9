"""PassRole kept to a stack's own roles: exact ARNs after a deployment, and before one those that it will create.

The deploy role hands the stack's roles to the services that they are for, which takes iam:PassRole. Which roles that
may be stands in one statement of its policy, and that statement is rewritten here: `tighten` names exactly the roles
that the stack has, `prepare` adds those that a template is about to create, `restore` puts the previous version back.
What else the policy says stays as it is.
"""

from pennyworth.iam.passrole.change import (
    Inputs,
    Outcome,
    Target,
    change_passrole,
    prepare,
    restore,
    tighten,
)
from pennyworth.iam.passrole.render import as_markdown

__all__ = ["Inputs", "Outcome", "Target", "as_markdown", "change_passrole", "prepare", "restore", "tighten"]
