"""The data sets that MMFashion's models were trained on, read from their own list files."""
