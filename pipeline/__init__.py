"""segpipe: from images and masks to a blessed, pushed and served segmentation model."""

__version__ = "0.1.0"
