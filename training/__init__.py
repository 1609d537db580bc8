"""Training of the shipped genre model, from recordings to the quantized file.

The packages in the order of the data: ``data`` -> ``networks`` -> ``distillation`` -> ``finetuning`` ->
``export`` -> ``evaluation`` -> ``release``. ``study`` repeats the published study on frozen features.
"""
