"""Streamlit components with their ES modules: one folder each, and the modules that they share."""
