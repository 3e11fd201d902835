"""Names of events that more than one module speaks of."""

PRODUCT_ANNOTATED = "product.annotated"
