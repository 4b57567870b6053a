"""`segpipe plan`: from the fingerprint of the data to proposed settings, by rules that are pure functions."""
