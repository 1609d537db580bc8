"""The pages of the dashboard.

The folder is not called ``pages``, since Streamlit would serve that name as pages of its own.
"""
