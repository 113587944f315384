"""Running programs: on the models, on the generated Verilog compiled by Verilator, and on hardware, with the same calls."""
