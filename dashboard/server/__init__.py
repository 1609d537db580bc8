"""HTTP server of the page: access rules, key page, and the start of Streamlit's application."""
