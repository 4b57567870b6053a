"""What runs in a step's pod."""
