"""configsvc: a configuration service whose store is a plain git working tree.

This package root imports nothing, so that `configsvc.client` stays light.
"""

__version__ = "0.1.0"
