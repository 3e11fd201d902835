"""MMFashion in Kalas: its weights come in, its pictures, names, data and metrics."""
