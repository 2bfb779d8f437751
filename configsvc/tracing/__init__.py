"""Traces as OpenTelemetry has them, for servers that have the extra `otel`."""
