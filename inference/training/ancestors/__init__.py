"""Training MMFashion's models again: one recipe file for each kind."""
