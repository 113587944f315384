// What the cells of an ECP5 netlist compute: only what the tests' designs use, with power-up values.

module TRELLIS_FF(input CLK, CE, LSR, DI, M, output reg Q);
  parameter CEMUX = "1", CLKMUX = "CLK", LSRMUX = "LSR", REGSET = "RESET", GSR = "DISABLED", SRMODE = "LSR_OVER_CE";
  initial Q = REGSET == "SET";
  wire enable = CEMUX == "1" ? 1'b1 : CEMUX == "INV" ? ~CE : CE;
  wire reset = LSRMUX == "INV" ? ~LSR : LSR;
  always @(posedge CLK)
    if (reset === 1'b1) Q <= REGSET == "SET";
    else if (enable) Q <= DI;
endmodule

module LUT4(input A, B, C, D, output Z);
  parameter [15:0] INIT = 0;
  assign Z = INIT[{D, C, B, A}];
endmodule

module PFUMX(input ALUT, BLUT, C0, output Z);
  assign Z = C0 ? ALUT : BLUT;
endmodule

module L6MUX21(input D0, D1, SD, output Z);
  assign Z = SD ? D1 : D0;
endmodule

module CCU2C(input CIN, A0, B0, C0, D0, A1, B1, C1, D1, output S0, S1, COUT);
  parameter [15:0] INIT0 = 0, INIT1 = 0;
  parameter INJECT1_0 = "YES", INJECT1_1 = "YES";
  wire four0 = INIT0[{D0, C0, B0, A0}], two0 = INIT0[{2'b00, B0, A0}];
  wire four1 = INIT1[{D1, C1, B1, A1}], two1 = INIT1[{2'b00, B1, A1}];
  wire carry = four0 ? CIN : two0 & ~(INJECT1_0 == "YES");
  assign S0 = four0 ^ (CIN & ~(INJECT1_0 == "YES"));
  assign COUT = four1 ? carry : two1 & ~(INJECT1_1 == "YES");
  assign S1 = four1 ^ (carry & ~(INJECT1_1 == "YES"));
endmodule

module MULT18X18D(
  input A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17,
  input B0, B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17,
  input C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13, C14, C15, C16, C17,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, RST0,
  output P0, P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12, P13, P14, P15, P16, P17,
  output P18, P19, P20, P21, P22, P23, P24, P25, P26, P27, P28, P29, P30, P31, P32, P33, P34, P35
);
  parameter REG_INPUTA_CLK = "NONE", REG_INPUTB_CLK = "NONE", REG_OUTPUT_CLK = "NONE";
  wire [17:0] a_in = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
  wire [17:0] b_in = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
  reg [17:0] a_held = 0, b_held = 0;
  reg [35:0] p_held = 0;
  wire [17:0] a = REG_INPUTA_CLK == "NONE" ? a_in : a_held;
  wire [17:0] b = REG_INPUTB_CLK == "NONE" ? b_in : b_held;
  wire [35:0] product = {{18{SIGNEDA & a[17]}}, a} * {{18{SIGNEDB & b[17]}}, b};
  wire clock = CLK0;
  always @(posedge clock)
    if (RST0) {a_held, b_held, p_held} <= 0;
    else if (CE0) begin
      a_held <= a_in;
      b_held <= b_in;
      p_held <= product;
    end
  assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
          P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} =
    REG_OUTPUT_CLK == "NONE" ? product : p_held;
endmodule

// 1024 words of 18 bits, written at port A and read at port B.
module DP16KD(
  input DIA0, DIA1, DIA2, DIA3, DIA4, DIA5, DIA6, DIA7, DIA8, DIA9, DIA10, DIA11, DIA12, DIA13, DIA14, DIA15, DIA16, DIA17,
  input DIB0, DIB1, DIB2, DIB3, DIB4, DIB5, DIB6, DIB7, DIB8, DIB9, DIB10, DIB11, DIB12, DIB13, DIB14, DIB15, DIB16, DIB17,
  input ADA0, ADA1, ADA2, ADA3, ADA4, ADA5, ADA6, ADA7, ADA8, ADA9, ADA10, ADA11, ADA12, ADA13,
  input ADB0, ADB1, ADB2, ADB3, ADB4, ADB5, ADB6, ADB7, ADB8, ADB9, ADB10, ADB11, ADB12, ADB13,
  input CLKA, CLKB, CEA, CEB, WEA, WEB, RSTA, RSTB, OCEA, OCEB, CSA0, CSA1, CSA2, CSB0, CSB1, CSB2,
  output DOA0, DOA1, DOA2, DOA3, DOA4, DOA5, DOA6, DOA7, DOA8, DOA9, DOA10, DOA11, DOA12, DOA13, DOA14, DOA15, DOA16, DOA17,
  output DOB0, DOB1, DOB2, DOB3, DOB4, DOB5, DOB6, DOB7, DOB8, DOB9, DOB10, DOB11, DOB12, DOB13, DOB14, DOB15, DOB16, DOB17
);
  parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18, REGMODE_A = "NOREG", REGMODE_B = "NOREG", GSR = "DISABLED";
  parameter ASYNC_RESET_RELEASE = "SYNC", RESETMODE = "SYNC", CLKAMUX = "CLKA", CLKBMUX = "CLKB";
  parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000", WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL";
  generate if (DATA_WIDTH_A != 18 || DATA_WIDTH_B != 18) not_modelled wrong(); endgenerate
  reg [17:0] words [0:1023];
  integer i;
  initial for (i = 0; i < 1024; i = i + 1) words[i] = 0;
  reg [17:0] read = 0, held = 0;
  wire [9:0] a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4};
  wire [9:0] b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4};
  always @(posedge CLKA)
    if (CEA & WEA) begin
      if (ADA0) words[a][8:0] <= {DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
      if (ADA1) words[a][17:9] <= {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9};
    end
  always @(posedge CLKB) begin
    if (CEB) read <= words[b];
    if (OCEB) held <= read;
  end
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} =
    REGMODE_B == "OUTREG" ? held : read;
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = 18'b0;
endmodule
