"""Documents in folders and tar archives: read for an import, written by an export."""
