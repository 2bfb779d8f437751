"""Who waits for what, and what those who follow the repository are told, in order.  No HTTP."""
