"""What to label next, and which labels to look at again: scores of images and of masks by a trained model."""
