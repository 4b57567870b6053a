"""Model registry: a folder of numbered versions, the only record of what is blessed and what is served.

It does not import TensorFlow or TFX, so that commands are fast and it can run beside a model server.  `store.Registry`
is its interface.
"""
