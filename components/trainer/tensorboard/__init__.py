"""What TensorBoard shows of a training beside Keras' scalars: hyperparameters, predictions, curves."""
