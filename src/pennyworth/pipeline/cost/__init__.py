"""Estimate what the stack costs at AWS's list prices: when idle, and for requests.

The estimate does not contain the provider's charges for tokens.
"""

from pennyworth.pipeline.cost.estimate import TYPICAL, Estimate, Item, Request, estimate
from pennyworth.pipeline.cost.render import as_markdown, format_usd

__all__ = ["TYPICAL", "Estimate", "Item", "Request", "as_markdown", "estimate", "format_usd"]
