"""Prediction of georeferenced scenes that are too large for memory: GeoTIFF in, GeoTIFF and polygons out."""
