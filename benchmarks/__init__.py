"""Measurements that are run by hand; their results stand in docs/."""
