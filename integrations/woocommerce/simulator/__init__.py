"""A WooCommerce store to try things on: an HTTP server that behaves as real ones were seen to.

It holds everything in memory and needs nothing but Python. What real stores do oddly, it does too:
lists are replaced as a whole, unknown ids are dropped silently, names come back escaped, a term
that exists is an error with its id (an attribute's without), every PUT moves `date_modified` and
tells of it, webhooks are sent once and switched off after the seventh failure in a row, delivery
ids repeat, and a request can be taken and its answer lost. Written from `design/STORES.md` and from
messages that two real stores sent; as on those, Basic authentication works over https only, which
`pretend_https` plays.

    python -m integrations.woocommerce.simulator --port 8088
"""

from integrations.woocommerce.simulator.rest import Simulator
from integrations.woocommerce.simulator.server import run
from integrations.woocommerce.simulator.state import FAULTS, Refused

__all__ = ["FAULTS", "Refused", "Simulator", "run"]
