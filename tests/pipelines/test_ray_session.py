import importlib.util

import pytest

from pipelines.ray_session import start_session


def test_a_dashboard_without_its_packages_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"moviola\[ray-dashboard\]"):
        start_session(dashboard=True)
