"""The git door: clone, fetch and push by real git clients, on the same server and through the same gate."""
