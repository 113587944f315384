# Clock of an out-of-context synthesis of Talos @CONFIG_NAME@: @CLOCK_MHZ@ MHz. In a block design the clock comes from its source.
create_clock -period @PERIOD_NS@ -name clk [get_ports clk]
