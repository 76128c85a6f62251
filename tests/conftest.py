"""How much the property tests try: `usual` for the check command, `fast` for the desk, `full` for the night.

Every profile draws the same cases each time, so a failure is the same failure for everybody.
"""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

for name, examples in {"fast": 15, "usual": 50, "full": 400}.items():
    settings.register_profile(
        name,
        max_examples=examples,
        deadline=None,
        derandomize=True,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],  # a loaded machine is no fault of a test
    )
settings.load_profile("usual")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs a mosquitto where there is none; CI has one."""
    if shutil.which("mosquitto") or Path("/usr/sbin/mosquitto").exists():
        return
    for item in items:
        if item.get_closest_marker("mosquitto"):
            item.add_marker(pytest.mark.skip(reason="no mosquitto here"))
