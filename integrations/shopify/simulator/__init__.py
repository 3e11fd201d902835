"""A Shopify store to try things on: an HTTP server that behaves as Shopify's documentation says.

It answers the operations in `queries.py` by their names, gives tokens that end and refresh tokens
that work once, charges each request to a budget that refills, refuses metafields whose
`compareDigest` is stale, tells of changes with signed webhooks, in no order, and deletes a
subscription whose deliveries failed eight times. No real store was at hand to compare it with.
"""

from integrations.shopify.simulator.api import TAXONOMY, Simulator
from integrations.shopify.simulator.server import run
from integrations.shopify.simulator.state import FAULTS

__all__ = ["FAULTS", "TAXONOMY", "Simulator", "run"]
