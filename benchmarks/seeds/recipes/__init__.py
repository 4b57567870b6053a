"""The recipes, each in one module as its source describes it: plain tf.data and Keras, in our own words."""
