"""Measurements that are run by hand and written down in docs/."""
