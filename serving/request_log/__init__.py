"""Request log: a row for each answered image, in Parquet files on a disk or in a bucket.

`writer.py` writes it beside the embedded server; `reading.py` reads it, and `tensorflow_serving.py` and `kserve.py` the
logs of other servers, as the same rows.
"""
