"""Networks, and the pretrained weights that they start from."""
