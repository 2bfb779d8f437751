"""wrk: reads as fast as connections that stay open allow (github.com/wg/wrk)."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass

from bench.peers import is_there

PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99)
_DONE = """
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("failed %%d\\n", errors.connect + errors.read + errors.write + errors.status))
  io.write(string.format("rate %%f\\n", summary.requests / summary.duration * 1e6))
  for _, percent in ipairs({%s}) do
    io.write(string.format("percentile %%s %%f\\n", percent, latency:percentile(percent) / 1000))
  end
end
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one run found.

    Args:
        rate: Answers in a second.
        percentiles_ms: Of the time from a request to its answer, by per cent.
    """

    rate: float
    percentiles_ms: dict[float, float]


def is_installed() -> bool:
    """Return whether there is a wrk."""
    return is_there("wrk")


def read(
    url: str, seconds: float, *, connections: int, script: str = "", options: tuple[str, ...] = ()
) -> Reading:
    """Read `url` over and over and return what was found.

    Args:
        script: In Lua; may choose method, body and path.

    Raises:
        RuntimeError: Not every answer was a success.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="ascii") as file:
        file.write(script + _DONE % ", ".join(map(str, PERCENTILES)))
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1.0, seconds):.0f}s", "-s", file.name]
        text = subprocess.run([*command, *options, url], capture_output=True, text=True, check=True).stdout
    found = dict(re.findall(r"^(failed|rate) ([\d.]+)$", text, re.MULTILINE))
    percentiles = re.findall(r"^percentile ([\d.]+) ([\d.]+)$", text, re.MULTILINE)
    if found.get("failed") != "0" or len(percentiles) != len(PERCENTILES):
        raise RuntimeError(f"{url}: {text} (expected: answers that are successes, and figures)")
    return Reading(float(found["rate"]), {float(percent): float(ms) for percent, ms in percentiles})
