"""`/api/v1`: the full API, one resource a module; `openapi.yaml` is its contract."""
