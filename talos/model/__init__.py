"""Models of the accelerator that need no Verilog: values (`functional`) and cycles (`timing`), both from the program binary."""
