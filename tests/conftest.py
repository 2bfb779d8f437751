from __future__ import annotations

from hypothesis import HealthCheck, settings

# A test holds to its own bounds on time, in seconds of the processor.  Those of Hypothesis count
# by the clock, and would fail where the machine has other work too.
settings.register_profile(
    "project",
    settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("project")
