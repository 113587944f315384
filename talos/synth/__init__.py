"""Clock and area of the core on an FPGA: Yosys and nextpnr from PyPI, resources and critical path by component of the core."""
