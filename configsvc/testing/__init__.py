"""For the tests of applications that use the client."""

from configsvc.testing.fake import FakeServer
from configsvc.testing.transport import AsyncFakeTransport, FakeTransport

__all__ = ["AsyncFakeTransport", "FakeServer", "FakeTransport"]
