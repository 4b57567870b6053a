"""A Kubernetes of one node, from Go modules and Debian's containerd, in namespaces of its own.

It needs nothing but Python's own library, so that it runs before anything of the project is installed.
"""
