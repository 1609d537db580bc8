"""A message while the dashboard's server is unreachable."""

from dashboard.components.offline_banner.component import show_offline_banner

__all__ = ["show_offline_banner"]
