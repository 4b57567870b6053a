"""A blessed model becomes a version of the registry and is served."""
