"""The rehearsal: runs the real deployment workflow on this machine, against the local AWS."""

from pennyworth.local.rehearsal.tree import rewritten_tree

__all__ = ["rewritten_tree"]
