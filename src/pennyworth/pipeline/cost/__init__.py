"""What the stack costs at its settings, by AWS's list prices: at rest, and in use.

The tokens are between the endpoint's owner and the provider: they are not in here.
"""

from pennyworth.pipeline.cost.estimate import TYPICAL, Estimate, Item, Request, estimate
from pennyworth.pipeline.cost.render import as_markdown, format_usd

__all__ = ["TYPICAL", "Estimate", "Item", "Request", "as_markdown", "estimate", "format_usd"]
