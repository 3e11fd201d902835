"""Training SuperPoint by itself: drawn shapes first, then photos and their homographies."""
