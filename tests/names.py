"""The names of the roles and policies of an account's first endpoint."""

from pennyworth.aws.names import Names
from pennyworth.iam.policy.documents import MANAGED

DEPLOY_ROLE, VIEW_ROLE = Names().deploy_role, Names().view_role
MANAGED_POLICIES = {document: Names().name_policy(document) for document in MANAGED}
