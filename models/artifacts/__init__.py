"""The shipped model ``genre.tflite``, its manifest ``genre.json`` and its model card."""
