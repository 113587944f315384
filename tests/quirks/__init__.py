"""Small networks with the quirks of real exporters: each compiled, run, and compared with onnxruntime.

`python -m tests.quirks` runs them as a command. One module for each concept holds the networks; `net` builds them, `run` checks them.
"""
