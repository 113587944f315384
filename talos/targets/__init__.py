"""Files that drop into other tools: the Verilog, a Vivado IP, a LiteX module, and a self-checking bench beside each."""
