"""Streamlit components: one folder with ES modules, CSS and HTML for each, and shared ES modules."""
