"""The pages. Streamlit would serve a folder called ``pages`` beside its script as pages of its own."""
