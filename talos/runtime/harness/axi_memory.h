// The DRAM behind the core's AXI4 master: contents and timing.
//
// Timing is that of talos/model/timing/memory.py, whose docstring is the specification; the two are equal in every output and
// cycle. Contents: a read beat is the whole aligned beat around its address; a write beat stores the bytes its strobes name.
// A beat that is not wholly inside the memory reads as zero with DECERR, and is dropped when written; the response of a write
// burst with such a beat is DECERR.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>

namespace talos {

constexpr unsigned MAX_BEAT_BYTES = 64;

struct MemoryTiming {
    uint32_t latency = 64;
    uint32_t rate = 0;  // bytes of credit per cycle, 1 up to one beat
    uint32_t outstanding = 16;
    uint32_t stall = 0;
    uint32_t seed = 1;
};

// What the core drives on its AXI4 master, as it stands just before a rising edge.
struct MasterOutputs {
    bool arvalid, rready, awvalid, wvalid, wlast, bready;
    uint8_t arlen, arid, arsize, arburst;
    uint8_t awlen, awid, awsize, awburst;
    uint64_t araddr, awaddr, wstrb;
    const uint8_t* wdata;
};

// What the memory answers: registers, which change at rising edges only.
struct MemoryOutputs {
    bool arready = false, rvalid = false, rlast = false, awready = false, wready = false, bvalid = false;
    uint8_t rid = 0, rresp = 0, bid = 0, bresp = 0;
    uint8_t rdata[MAX_BEAT_BYTES] = {};
};

class AxiMemory {
  public:
    AxiMemory(uint8_t* bytes, uint64_t size, unsigned beat_bytes) : bytes_{bytes}, size_{size}, beat_{beat_bytes} {
        timing_.rate = beat_bytes;
    }

    void set_timing(const MemoryTiming& timing) {
        timing_ = timing;
        restart();
    }

    // Back to the state before edge 0. Contents stay.
    void restart() {
        out = MemoryOutputs{};
        now_ = read_credit_ = write_credit_ = 0;
        inflight_ = write_inflight_ = 0;
        random_ = timing_.seed;
        reads_.clear();
        writes_.clear();
        responses_.clear();
    }

    bool idle() const { return inflight_ == 0 && write_inflight_ == 0; }
    uint32_t reads_in_flight() const { return inflight_; }
    uint32_t writes_in_flight() const { return write_inflight_; }

    // One rising edge.
    void step(const MasterOutputs& core) {
        random_ ^= random_ << 13;
        random_ ^= random_ >> 17;
        random_ ^= random_ << 5;
        step_read(core);
        step_write(core);
        ++now_;
    }

    MemoryOutputs out;

  private:
    enum Channel { AR, R, AW, W, B };
    static constexpr uint8_t OKAY = 0, DECERR = 3;

    struct Burst {
        uint64_t address;
        unsigned beats;
        uint8_t id;
        uint64_t ready_at;
        bool failed;
    };

    bool pauses(Channel channel) const { return ((random_ >> (5 * channel)) & 31) * 8 < timing_.stall; }
    bool inside(uint64_t address) const { return address < size_ && size_ - address >= beat_; }
    uint64_t earned(uint64_t credit) const {
        const uint64_t most = beat_ + timing_.rate - 1;
        return credit + timing_.rate < most ? credit + timing_.rate : most;
    }
    uint64_t aligned(uint64_t address) const { return address & ~uint64_t{beat_ - 1}; }

    void step_read(const MasterOutputs& core) {
        if (out.rvalid && core.rready) {
            out.rvalid = false;
            if (out.rlast) --inflight_;
        }
        if (core.arvalid && out.arready) {
            reads_.push_back({aligned(core.araddr), core.arlen + 1u, core.arid, now_ + timing_.latency, false});
            ++inflight_;
        }
        read_credit_ = earned(read_credit_);
        if (!out.rvalid && !reads_.empty() && now_ >= reads_.front().ready_at && read_credit_ >= beat_ && !pauses(R)) {
            read_credit_ -= beat_;
            present_beat();
        }
        out.arready = inflight_ < timing_.outstanding && !pauses(AR);
    }

    void present_beat() {
        Burst& burst = reads_.front();
        out.rvalid = true;
        out.rid = burst.id;
        if (inside(burst.address)) {
            std::memcpy(out.rdata, bytes_ + burst.address, beat_);
            out.rresp = OKAY;
        } else {
            std::memset(out.rdata, 0, beat_);
            out.rresp = DECERR;
        }
        burst.address += beat_;
        out.rlast = --burst.beats == 0;
        if (out.rlast) reads_.pop_front();
    }

    void step_write(const MasterOutputs& core) {
        if (out.bvalid && core.bready) {
            out.bvalid = false;
            --write_inflight_;
        }
        if (core.awvalid && out.awready) {
            writes_.push_back({aligned(core.awaddr), core.awlen + 1u, core.awid, 0, false});
            ++write_inflight_;
        }
        if (core.wvalid && out.wready) {
            write_credit_ -= beat_;
            accept_beat(core);
        }
        write_credit_ = earned(write_credit_);
        if (!out.bvalid && !responses_.empty() && now_ >= responses_.front().ready_at && !pauses(B)) {
            out.bvalid = true;
            out.bid = responses_.front().id;
            out.bresp = responses_.front().failed ? DECERR : OKAY;
            responses_.pop_front();
        }
        out.awready = write_inflight_ < timing_.outstanding && !pauses(AW);
        out.wready = !writes_.empty() && write_credit_ >= beat_ && !pauses(W);
    }

    void accept_beat(const MasterOutputs& core) {
        Burst& burst = writes_.front();
        if (inside(burst.address)) {
            for (unsigned lane = 0; lane < beat_; ++lane)
                if (core.wstrb >> lane & 1) bytes_[burst.address + lane] = core.wdata[lane];
        } else {
            burst.failed = true;
        }
        burst.address += beat_;
        if (core.wlast) {
            burst.ready_at = now_ + timing_.latency;
            responses_.push_back(burst);
            writes_.pop_front();
        }
    }

    uint8_t* bytes_;
    uint64_t size_;
    unsigned beat_;
    MemoryTiming timing_;
    uint64_t now_ = 0, read_credit_ = 0, write_credit_ = 0;
    uint32_t inflight_ = 0, write_inflight_ = 0, random_ = 1;
    std::deque<Burst> reads_, writes_, responses_;
};

}  // namespace talos
