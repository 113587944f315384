// Replays a recorded bus against AxiMemory: one row of inputs per edge in, one row of outputs per edge out.
#include "axi_memory.h"

using namespace talos;

// timing: latency, rate, outstanding, stall, seed.
// in, 13 columns: arvalid araddr arlen arid rready awvalid awaddr awlen awid wvalid wlast bready wstrb; write data is the edge
// number. out, 10 columns: the eight outputs in the order of talos.model.timing.memory, then rresp and bresp.
// data: one beat per edge, the memory's rdata after it.
extern "C" void replay(uint8_t* bytes, uint64_t size, uint32_t beat, const uint32_t* timing, int64_t edges, const int64_t* in,
                       int64_t* out, uint8_t* data) {
    AxiMemory memory{bytes, size, beat};
    memory.set_timing({timing[0], timing[1], timing[2], timing[3], timing[4]});
    uint8_t wdata[MAX_BEAT_BYTES] = {};
    for (int64_t edge = 0; edge < edges; ++edge, in += 13, out += 10, data += beat) {
        std::memcpy(wdata, &edge, 4);
        MasterOutputs core{};
        core.arvalid = in[0];
        core.araddr = in[1];
        core.arlen = in[2];
        core.arid = in[3];
        core.rready = in[4];
        core.awvalid = in[5];
        core.awaddr = in[6];
        core.awlen = in[7];
        core.awid = in[8];
        core.wvalid = in[9];
        core.wlast = in[10];
        core.bready = in[11];
        core.wstrb = in[12];
        core.wdata = wdata;
        memory.step(core);
        const MemoryOutputs& o = memory.out;
        const int64_t row[10] = {o.arready, o.rvalid, o.rlast, o.rid, o.awready, o.wready, o.bvalid, o.bid, o.rresp, o.bresp};
        std::memcpy(out, row, sizeof row);
        std::memcpy(data, o.rdata, beat);
    }
}
