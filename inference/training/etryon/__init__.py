"""Training eTryOn's networks: a recipe file for each."""
