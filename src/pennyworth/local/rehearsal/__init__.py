"""The rehearsal: the deployment workflow itself, run on this machine against the local AWS."""

from pennyworth.local.rehearsal.tree import rewritten_tree

__all__ = ["rewritten_tree"]
