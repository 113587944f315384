// What each unit executes, as text for waveform viewers: only in builds with waves. The harness writes these registers (running.h).
module talos_running;
    reg [63:0] load_opcode /*verilator public_flat_rw*/, weights_opcode /*verilator public_flat_rw*/, matrix_opcode /*verilator public_flat_rw*/;
    reg [63:0] vector_opcode /*verilator public_flat_rw*/, store_opcode /*verilator public_flat_rw*/;
    reg [383:0] load_layer /*verilator public_flat_rw*/, weights_layer /*verilator public_flat_rw*/, matrix_layer /*verilator public_flat_rw*/;
    reg [383:0] vector_layer /*verilator public_flat_rw*/, store_layer /*verilator public_flat_rw*/;
    reg [31:0] load_index /*verilator public_flat_rw*/, weights_index /*verilator public_flat_rw*/, matrix_index /*verilator public_flat_rw*/;
    reg [31:0] vector_index /*verilator public_flat_rw*/, store_index /*verilator public_flat_rw*/;
endmodule
