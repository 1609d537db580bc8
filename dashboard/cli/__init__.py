"""The commands of ``overheard`` that belong to the dashboard."""
