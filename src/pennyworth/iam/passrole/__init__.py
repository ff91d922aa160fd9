"""Limit PassRole to the stack's own roles.

To deploy, the deploy role passes the stack's roles to AWS services, which needs iam:PassRole. Its policy has statements
that list these roles. `tighten` rewrites the statements to list exactly the roles that the stack has, `prepare` adds
the roles that a template will create, and `restore` restores the policy's previous version. Other statements stay
unchanged.
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
