"""Fashion Wizard's parts of an outfit: maps of them in and out, and their details compared."""
