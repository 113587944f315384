"""Random layers and small networks on random configurations: reference, functional model, cycle model and generated Verilog.

`python -m tests.rtl_random --cases 500 --configs 6 --seed 1 [--graphs]` compares outputs byte for byte, and cycles, counters and the
start and end of every instruction cycle for cycle. Everything follows from the seed and the numbers of configuration and case.
"""
