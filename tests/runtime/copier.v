// A small DMA copier with the ports of the Talos core: the harness is tested with it. Registers: 0 source, 4 destination,
// 8 beats, 12 control (write 1 = start; read = {irq, busy}), 16 identification, 20 fault, 24 cycles busy.
// fault makes it break one AXI rule: 1 drop arvalid, 2 change araddr, 3 cross 4 KiB, 4 early wlast, 5 no wlast, 6 data before
// its address, 7 wrong size, 8 wrong burst type, 9 change wdata, 10 drop wvalid, 11 arvalid in reset (needs no start).
module talos #(parameter W = `COPIER_WIDTH, parameter A = `COPIER_ADDR) (
    input wire clk, input wire rst, output wire irq, output wire [5:0] trace_start, output wire [5:0] trace_done,
    output wire [A-1:0] m_axi_araddr, output wire [7:0] m_axi_arlen, output wire [2:0] m_axi_arsize,
    output wire [1:0] m_axi_arburst, output wire [1:0] m_axi_arid, output wire [3:0] m_axi_arcache,
    output wire [2:0] m_axi_arprot, output wire m_axi_arvalid, input wire m_axi_arready,
    input wire [1:0] m_axi_rid, input wire [W-1:0] m_axi_rdata, input wire [1:0] m_axi_rresp, input wire m_axi_rlast,
    input wire m_axi_rvalid, output wire m_axi_rready,
    output wire [A-1:0] m_axi_awaddr, output wire [7:0] m_axi_awlen, output wire [2:0] m_axi_awsize,
    output wire [1:0] m_axi_awburst, output wire [1:0] m_axi_awid, output wire [3:0] m_axi_awcache,
    output wire [2:0] m_axi_awprot, output wire m_axi_awvalid, input wire m_axi_awready,
    output wire [W-1:0] m_axi_wdata, output wire [W/8-1:0] m_axi_wstrb, output wire m_axi_wlast, output wire m_axi_wvalid,
    input wire m_axi_wready,
    input wire [1:0] m_axi_bid, input wire [1:0] m_axi_bresp, input wire m_axi_bvalid, output wire m_axi_bready,
    input wire [11:0] s_axil_awaddr, input wire [2:0] s_axil_awprot, input wire s_axil_awvalid, output wire s_axil_awready,
    input wire [31:0] s_axil_wdata, input wire [3:0] s_axil_wstrb, input wire s_axil_wvalid, output wire s_axil_wready,
    output wire [1:0] s_axil_bresp, output reg s_axil_bvalid, input wire s_axil_bready,
    input wire [11:0] s_axil_araddr, input wire [2:0] s_axil_arprot, input wire s_axil_arvalid, output wire s_axil_arready,
    output reg [31:0] s_axil_rdata, output reg [1:0] s_axil_rresp, output reg s_axil_rvalid, input wire s_axil_rready
);
    localparam BYTES = W / 8;
    localparam BURST = 4096 / BYTES < 16 ? 4096 / BYTES : 16;
    localparam [2:0] IDLE = 0, READ_ADDRESS = 1, READ = 2, WRITE_ADDRESS = 3, WRITE = 4, RESPONSE = 5, DONE = 6;

    reg [2:0] state = IDLE;
    reg [31:0] source, destination, beats_left, cycles;
    reg [3:0] fault = 0;
    reg [1:0] worst;
    reg [W-1:0] buffer [0:255];
    reg [7:0] index;
    reg waited, slow;

    // Up to BURST beats, not past the 4 KiB page of either address.
    wire [31:0] source_room = (32'd4096 - (source & 32'd4095)) / BYTES;
    wire [31:0] destination_room = (32'd4096 - (destination & 32'd4095)) / BYTES;
    wire [31:0] room = source_room < destination_room ? source_room : destination_room;
    wire [31:0] wanted = beats_left < BURST ? beats_left : BURST;
    wire [31:0] burst = fault == 3 ? wanted : room < wanted ? room : wanted;
    reg [7:0] length;

    assign m_axi_araddr = source + (fault == 2 && waited ? BYTES : 0);
    assign m_axi_arlen = burst - 1;
    assign m_axi_arsize = fault == 7 ? 0 : $clog2(BYTES);
    assign m_axi_arburst = fault == 8 ? 0 : 1;
    assign m_axi_arid = source[13:12];
    assign m_axi_arvalid = state == READ_ADDRESS && !(fault == 1 && waited) || fault == 11;
    assign m_axi_rready = state == READ;
    assign m_axi_awaddr = destination;
    assign m_axi_awlen = length;
    assign m_axi_awsize = $clog2(BYTES);
    assign m_axi_awburst = 1;
    assign m_axi_awid = destination[13:12];
    assign m_axi_awvalid = state == WRITE_ADDRESS;
    assign m_axi_wdata = buffer[index] ^ (fault == 9 && waited ? 1 : 0);
    assign m_axi_wstrb = {BYTES{1'b1}};
    assign m_axi_wlast = fault == 5 ? 1'b0 : fault == 4 ? 1'b1 : index == length;
    assign m_axi_wvalid = state == WRITE && !(fault == 10 && waited) || state == READ_ADDRESS && fault == 6;
    assign m_axi_bready = state == RESPONSE;
    assign {m_axi_arcache, m_axi_arprot, m_axi_awcache, m_axi_awprot} = 0;

    assign irq = state == DONE;
    reg [2:0] previous = IDLE;
    assign trace_start = {state == WRITE_ADDRESS && previous != WRITE_ADDRESS, 3'b0, state == READ_ADDRESS && previous != READ_ADDRESS, 1'b0};
    assign trace_done = {state == RESPONSE && m_axi_bvalid, 3'b0, state == READ && m_axi_rvalid && m_axi_rlast, 1'b0};

    // Registers 28 and above do not exist (error response); 32 is never answered.
    assign s_axil_awready = s_axil_awvalid && s_axil_wvalid && !s_axil_bvalid && s_axil_awaddr != 32;
    assign s_axil_wready = s_axil_awready;
    reg [1:0] bresp_q;
    assign s_axil_bresp = bresp_q;
    assign s_axil_arready = !s_axil_rvalid && s_axil_araddr != 32;

    always @(posedge clk) begin
        previous <= state;
        waited <= m_axi_arvalid && !m_axi_arready || m_axi_wvalid && !m_axi_wready;
        if (s_axil_bready) s_axil_bvalid <= 0;
        if (s_axil_awready) begin
            s_axil_bvalid <= 1;
            bresp_q <= s_axil_awaddr >= 28 ? 2 : 0;
            case (s_axil_awaddr)
                0: source <= s_axil_wdata;
                4: destination <= s_axil_wdata;
                8: beats_left <= s_axil_wdata;
                12: if (s_axil_wdata[0]) begin state <= READ_ADDRESS; worst <= 0; cycles <= 0; end else state <= IDLE;
                20: fault <= s_axil_wdata[3:0];
                default: ;
            endcase
        end
        if (s_axil_rready) s_axil_rvalid <= 0;
        if (s_axil_arvalid && s_axil_arready) begin
            s_axil_rvalid <= 1;
            s_axil_rresp <= s_axil_araddr >= 28 ? 2 : 0;
            case (s_axil_araddr)
                0: s_axil_rdata <= source;
                4: s_axil_rdata <= destination;
                8: s_axil_rdata <= beats_left;
                12: s_axil_rdata <= {28'b0, worst, irq, state != IDLE && state != DONE};
                16: s_axil_rdata <= 32'h54414c4f;
                24: s_axil_rdata <= cycles;
                default: s_axil_rdata <= 0;
            endcase
        end

        if (state != IDLE && state != DONE) cycles <= cycles + 1;
        case (state)
            READ_ADDRESS: if (m_axi_arready) begin state <= READ; index <= 0; length <= burst - 1; end
            READ: if (m_axi_rvalid) begin
                buffer[index] <= m_axi_rdata;
                index <= index + 1;
                if (m_axi_rresp != 0) worst <= m_axi_rresp;
                if (m_axi_rlast) state <= WRITE_ADDRESS;
            end
            WRITE_ADDRESS: if (m_axi_awready) begin state <= WRITE; index <= 0; end
            WRITE: if (m_axi_wready) begin
                index <= index + 1;
                if (index == length) state <= RESPONSE;
            end
            RESPONSE: if (m_axi_bvalid) begin
                if (m_axi_bresp != 0) worst <= m_axi_bresp;
                source <= source + (length + 1) * BYTES;
                destination <= destination + (length + 1) * BYTES;
                beats_left <= beats_left - length - 1;
                state <= beats_left == length + 1 ? DONE : READ_ADDRESS;
            end
            default: ;
        endcase
        if (rst) begin
            state <= IDLE;
            previous <= IDLE;
            s_axil_bvalid <= 0;
            s_axil_rvalid <= 0;
        end
    end
endmodule
