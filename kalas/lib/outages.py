class Away(Exception):
    """A part of the house does not answer; it will again."""
