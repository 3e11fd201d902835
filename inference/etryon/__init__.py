"""What eTryOn D3.1 measures and calls things: metrics, tables, the Mallzee taxonomy."""
