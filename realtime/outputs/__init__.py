"""Genre changes published over MQTT and webhooks."""
