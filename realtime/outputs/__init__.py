"""Notifications of genre changes over MQTT and webhooks."""

from realtime.outputs.notifier import GenreNotifier

__all__ = ["GenreNotifier"]
