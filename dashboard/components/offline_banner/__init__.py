"""Banner that is shown while the dashboard's server is unreachable."""

from dashboard.components.offline_banner.component import prepare_offline_banner

__all__ = ["prepare_offline_banner"]
