"""What travels between a worker and its children: plain values, and no code that loads NumPy.

A job names the function of :mod:`lexiclass_worker.ml` that does it. Its ``pretrained_directory`` is
the only folder that pretrained models may be read from by path.
"""
