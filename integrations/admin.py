from integrations.stores import admin as stores_admin

# Found here by Django.
__all__ = ["stores_admin"]
