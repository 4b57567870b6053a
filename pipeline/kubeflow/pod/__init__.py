"""Code that runs in a step's pod."""
