"""cocotb testbenches of the generated Verilog in Verilator: `python -m sim [NAME…]`, or `pytest sim`.

`benches.py` lists the benches, `runner.py` builds and runs them, `bench.py` and `parts.py` are what the coroutines in `*_bench.py` share.
"""
