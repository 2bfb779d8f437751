"""The HTTP API in Flask, one blueprint a module."""
