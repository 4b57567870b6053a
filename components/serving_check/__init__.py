"""Whether the exported model can be served: in a process of its own, over the protocols that apps speak."""
