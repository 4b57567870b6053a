"""The model registry: a folder of numbered versions that is the one truth on what is blessed and what is served.

It knows nothing of TensorFlow or TFX, so that it answers at once on a command line and runs beside a model server.
`store.Registry` is the way in.
"""
