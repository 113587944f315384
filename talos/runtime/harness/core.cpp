// The Verilated core with its memory, behind a C interface for talos/runtime/verilated.py.
//
// Built once per design: TALOS_DATA_WIDTH and TALOS_ADDR_WIDTH must be those of the Verilog. A cycle ends with a rising edge of
// `clk`; cycle n is the time before edge n, counted from the last reset or restart.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "Vtalos.h"
#include "axi_checker.h"
#include "axi_memory.h"
#include "verilated.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
using Waves = VerilatedFstC;
#elif VM_TRACE
#include "verilated_vcd_c.h"
using Waves = VerilatedVcdC;
#endif
#if VM_TRACE
#include "running.h"
#endif

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "Verilator's words are copied as bytes");

// Verilator's default ends the process; Python must get an exception instead.
void vl_fatal(const char* file, int line, const char*, const char* message) {
    throw std::runtime_error(std::string{"simulation stopped at "} + file + ":" + std::to_string(line) + ": " + message);
}

namespace {

using namespace talos;

constexpr unsigned BEAT = TALOS_DATA_WIDTH / 8;
constexpr int REGISTER_TIMEOUT = 10000;  // cycles; a slave that answers at all does so in a few

struct TraceEvent {
    int64_t cycle;
    uint8_t unit;
    uint8_t kind;  // 0 start, 1 done
    uint8_t unused[6];
};

class Core {
  public:
    Core(uint8_t* dram, uint64_t size) : context_{new VerilatedContext}, memory_{dram, size, BEAT}, checker_{BEAT} {
        static_assert(sizeof(Vtalos::m_axi_wdata) == BEAT && sizeof(Vtalos::m_axi_rdata) == BEAT, "data width of the Verilog");
        static_assert(sizeof(Vtalos::m_axi_araddr) == (TALOS_ADDR_WIDTH > 32 ? 8 : 4), "address width of the Verilog");
#if VM_TRACE
        context_->traceEverOn(true);
#endif
        top_.reset(new Vtalos{context_.get(), "talos"});
        reset(1);
    }

    ~Core() {
        close_waves();
        top_->final();
    }

    void reset(int cycles) {
        memory_.restart();
        checker_.restart();
        top_->s_axil_awvalid = top_->s_axil_wvalid = top_->s_axil_bready = 0;
        top_->s_axil_arvalid = top_->s_axil_rready = 0;
        drive();
        top_->rst = 1;
        for (int i = 0; i < cycles; ++i) {
            half(0);
            if (i > 0) checker_.check_reset(sample());
            half(1);
        }
        top_->rst = 0;
        cycle_ = active_ = 0;
        trace_.clear();
        restart_names();
        raise_violation();
    }

    void restart() {
        require_idle();
        memory_.restart();
        checker_.restart();
        drive();
        cycle_ = active_ = 0;
        trace_.clear();
        restart_names();
    }

    // What the instructions of the next run are called, for waves; nothing in builds without.
    void name_instructions(const uint8_t* units, const void* labels, uint64_t count) {
#if VM_TRACE
        running_.set_program(units, static_cast<const Label*>(labels), count);
#endif
    }

    void set_timing(const MemoryTiming& timing) {
        require_idle();
        memory_.set_timing(timing);
        drive();
    }

    void write_register(uint32_t offset, uint32_t value) {
        top_->s_axil_awaddr = offset;
        top_->s_axil_wdata = value;
        top_->s_axil_wstrb = 15;
        top_->s_axil_awvalid = top_->s_axil_wvalid = top_->s_axil_bready = 1;
        for (int waited = 0; top_->s_axil_bready; ++waited) {
            half(0);
            const bool address = top_->s_axil_awready, data = top_->s_axil_wready, answered = top_->s_axil_bvalid;
            if (answered && (top_->s_axil_awvalid || top_->s_axil_wvalid)) fail("s_axil_bvalid before the write was taken");
            const unsigned response = top_->s_axil_bresp;
            edge();
            if (address) top_->s_axil_awvalid = 0;
            if (data) top_->s_axil_wvalid = 0;
            if (answered) {
                top_->s_axil_bready = 0;
                if (response) fail("write of register " + hex(offset) + " was answered with error response " + hex(response));
            } else if (waited == REGISTER_TIMEOUT) {
                fail("write of register " + hex(offset) + " was never answered");
            }
        }
    }

    uint32_t read_register(uint32_t offset) {
        top_->s_axil_araddr = offset;
        top_->s_axil_arvalid = top_->s_axil_rready = 1;
        uint32_t value = 0;
        for (int waited = 0; top_->s_axil_rready; ++waited) {
            half(0);
            const bool address = top_->s_axil_arready, answered = top_->s_axil_rvalid;
            if (answered && top_->s_axil_arvalid) fail("s_axil_rvalid before the address was taken");
            const unsigned response = top_->s_axil_rresp;
            value = top_->s_axil_rdata;
            edge();
            if (address) top_->s_axil_arvalid = 0;
            if (answered) {
                top_->s_axil_rready = 0;
                if (response) fail("read of register " + hex(offset) + " was answered with error response " + hex(response));
            } else if (waited == REGISTER_TIMEOUT) {
                fail("read of register " + hex(offset) + " was never answered");
            }
        }
        return value;
    }

    // Cycles stepped: at most `limit`, fewer if `until_irq` and irq is high after an edge. With `idle_limit`, an error when for
    // so many cycles no instruction began or ended and nothing was transferred: the core hangs.
    uint64_t run(uint64_t limit, bool until_irq, uint64_t idle_limit) {
        uint64_t steps = 0;
        while (steps < limit && !(until_irq && top_->irq)) {
            if (idle_limit && cycle_ - active_ >= idle_limit)
                throw std::runtime_error("hangs: nothing has begun, ended or been transferred since cycle " + std::to_string(active_));
            half(0);
            edge();
            ++steps;
        }
        return steps;
    }

    bool irq() const { return top_->irq; }
    uint64_t cycle() const { return cycle_; }
    const std::vector<TraceEvent>& trace() const { return trace_; }
    uint32_t reads_in_flight() const { return memory_.reads_in_flight(); }
    uint32_t writes_in_flight() const { return memory_.writes_in_flight(); }

    void open_waves(const char* path) {
#if VM_TRACE
        close_waves();
        waves_.reset(new Waves);
        top_->trace(waves_.get(), 99);
        waves_->open(path);
        if (!waves_->isOpen()) {
            waves_.reset();
            throw std::runtime_error(std::string{"cannot write waves to "} + path);
        }
#else
        throw std::runtime_error(std::string{"cannot write waves to "} + path + ": this build has none");
#endif
    }

    void close_waves() {
#if VM_TRACE
        if (waves_) waves_->close();
        waves_.reset();
#endif
    }

    std::string error;

  private:
    static std::string hex(unsigned value) {
        char text[16];
        std::snprintf(text, sizeof text, "0x%x", value);
        return text;
    }

    // A transaction that failed leaves the bus in no state to go on from: reset() is needed.
    [[noreturn]] void fail(const std::string& what) {
        top_->s_axil_awvalid = top_->s_axil_wvalid = top_->s_axil_bready = 0;
        top_->s_axil_arvalid = top_->s_axil_rready = 0;
        throw std::runtime_error(what + ", at cycle " + std::to_string(cycle_));
    }

    void require_idle() const {
        if (memory_.idle()) return;
        throw std::runtime_error("the core has " + std::to_string(reads_in_flight()) + " read and " +
                                 std::to_string(writes_in_flight()) + " write bursts in flight; reset it first");
    }

    void restart_names() {
#if VM_TRACE
        running_.restart();
#endif
    }

    void raise_violation() {
        if (!checker_.error.empty()) throw std::runtime_error("AXI protocol violation: " + checker_.error);
    }

    void half(int clock) {
        top_->clk = clock;
        top_->eval();
#if VM_TRACE
        if (!clock) running_.cycle(*top_->rootp, top_->trace_start, top_->trace_done);
        if (waves_) waves_->dump(ticks_);
        ++ticks_;
#endif
    }

    MasterOutputs sample() const {
        const Vtalos& t = *top_;
        MasterOutputs core{};
        core.arvalid = t.m_axi_arvalid;
        core.araddr = t.m_axi_araddr;
        core.arlen = t.m_axi_arlen;
        core.arid = t.m_axi_arid;
        core.arsize = t.m_axi_arsize;
        core.arburst = t.m_axi_arburst;
        core.rready = t.m_axi_rready;
        core.awvalid = t.m_axi_awvalid;
        core.awaddr = t.m_axi_awaddr;
        core.awlen = t.m_axi_awlen;
        core.awid = t.m_axi_awid;
        core.awsize = t.m_axi_awsize;
        core.awburst = t.m_axi_awburst;
        core.wvalid = t.m_axi_wvalid;
        core.wlast = t.m_axi_wlast;
        core.wstrb = t.m_axi_wstrb;
        core.wdata = reinterpret_cast<const uint8_t*>(&t.m_axi_wdata);
        core.bready = t.m_axi_bready;
        return core;
    }

    // The rising edge; half(0) has settled everything in front of it. An AXI violation is an error, and stays one until reset().
    void edge() {
        const MasterOutputs core = sample();
        checker_.check(core, memory_.out, cycle_);
        raise_violation();
        const unsigned starts = top_->trace_start, dones = top_->trace_done;
        if (starts | dones | transfers(core)) active_ = cycle_;
        for (uint8_t unit = 0; (starts | dones) >> unit; ++unit) {
            if (starts >> unit & 1) trace_.push_back({static_cast<int64_t>(cycle_), unit, 0, {}});
            if (dones >> unit & 1) trace_.push_back({static_cast<int64_t>(cycle_), unit, 1, {}});
        }
        memory_.step(core);
        half(1);
        drive();
        ++cycle_;
    }

    bool transfers(const MasterOutputs& core) const {
        const MemoryOutputs& m = memory_.out;
        return (core.arvalid && m.arready) || (m.rvalid && core.rready) || (core.awvalid && m.awready) ||
               (core.wvalid && m.wready) || (m.bvalid && core.bready);
    }

    // Put the memory's registers on the core's inputs.
    void drive() {
        const MemoryOutputs& m = memory_.out;
        Vtalos& t = *top_;
        t.m_axi_arready = m.arready;
        t.m_axi_rvalid = m.rvalid;
        t.m_axi_rlast = m.rlast;
        t.m_axi_rid = m.rid;
        t.m_axi_rresp = m.rresp;
        if (m.rvalid) std::memcpy(&t.m_axi_rdata, m.rdata, BEAT);
        t.m_axi_awready = m.awready;
        t.m_axi_wready = m.wready;
        t.m_axi_bvalid = m.bvalid;
        t.m_axi_bid = m.bid;
        t.m_axi_bresp = m.bresp;
    }

    std::unique_ptr<VerilatedContext> context_;
    std::unique_ptr<Vtalos> top_;
#if VM_TRACE
    std::unique_ptr<Waves> waves_;
    Running running_;
    uint64_t ticks_ = 0;
#endif
    AxiMemory memory_;
    AxiChecker checker_;
    uint64_t cycle_ = 0, active_ = 0;  // active_: the last cycle in which something happened
    std::vector<TraceEvent> trace_;
};

// Runs `body`, keeping an exception's text for talos_error. 0 on success, −1 on failure.
template <typename Body>
int guarded(Core* core, Body body) {
    try {
        body();
        return 0;
    } catch (const std::exception& error) {
        core->error = error.what();
        return -1;
    }
}

}  // namespace

#define TALOS_API extern "C" __attribute__((visibility("default")))

TALOS_API Core* talos_create(uint8_t* dram, uint64_t size) {
    try {
        return new Core{dram, size};
    } catch (const std::exception&) {
        return nullptr;
    }
}
TALOS_API int talos_data_width() { return TALOS_DATA_WIDTH; }
TALOS_API void talos_destroy(Core* core) { delete core; }
TALOS_API const char* talos_error(Core* core) { return core->error.c_str(); }
TALOS_API uint64_t talos_cycle(Core* core) { return core->cycle(); }
TALOS_API int talos_irq(Core* core) { return core->irq(); }
TALOS_API uint32_t talos_reads_in_flight(Core* core) { return core->reads_in_flight(); }
TALOS_API uint32_t talos_writes_in_flight(Core* core) { return core->writes_in_flight(); }
TALOS_API uint64_t talos_trace_size(Core* core) { return core->trace().size(); }
TALOS_API const void* talos_trace_data(Core* core) { return core->trace().data(); }
TALOS_API void talos_close_waves(Core* core) { core->close_waves(); }

TALOS_API int talos_reset(Core* core, int cycles) {
    return guarded(core, [=] { core->reset(cycles); });
}
TALOS_API int talos_restart(Core* core) {
    return guarded(core, [=] { core->restart(); });
}
TALOS_API int talos_set_timing(Core* core, uint32_t latency, uint32_t rate, uint32_t outstanding, uint32_t stall, uint32_t seed) {
    return guarded(core, [=] { core->set_timing({latency, rate, outstanding, stall, seed}); });
}
TALOS_API int talos_write(Core* core, uint32_t offset, uint32_t value) {
    return guarded(core, [=] { core->write_register(offset, value); });
}
TALOS_API int talos_read(Core* core, uint32_t offset, uint32_t* value) {
    return guarded(core, [=] { *value = core->read_register(offset); });
}
TALOS_API int talos_run(Core* core, uint64_t limit, int until_irq, uint64_t idle_limit, uint64_t* steps) {
    return guarded(core, [=] { *steps = core->run(limit, until_irq, idle_limit); });
}
TALOS_API void talos_name_instructions(Core* core, const uint8_t* units, const void* labels, uint64_t count) {
    core->name_instructions(units, labels, count);
}
TALOS_API int talos_open_waves(Core* core, const char* path) {
    return guarded(core, [=] { core->open_waves(path); });
}
