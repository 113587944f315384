// Protocol assertions on the core's AXI4 master. The first violation is kept as one line of text.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string>

#include "axi_memory.h"

namespace talos {

class AxiChecker {
  public:
    explicit AxiChecker(unsigned beat_bytes) : beat_{beat_bytes} {
        while (1u << size_code_ < beat_bytes) ++size_code_;
    }

    void restart() {
        address_held_[0] = address_held_[1] = data_held_ = false;
        bursts_.clear();
        beats_sent_ = 0;
        error.clear();
    }

    // Look at one rising edge: the core's and the memory's outputs just before it.
    void check(const MasterOutputs& core, const MemoryOutputs& memory, uint64_t cycle) {
        if (!error.empty()) return;
        cycle_ = cycle;
        const Address read{core.araddr, core.arlen, core.arid, core.arsize, core.arburst};
        const Address write{core.awaddr, core.awlen, core.awid, core.awsize, core.awburst};
        check_address(0, "ar", core.arvalid, memory.arready, read);
        // Data may come with or after their address, whether that was accepted or not.
        if (core.awvalid && !address_held_[1]) bursts_.push_back(core.awlen + 1u);
        check_address(1, "aw", core.awvalid, memory.awready, write);
        check_data(core, memory);
    }

    // Look at one rising edge under reset: no valid may be up.
    void check_reset(const MasterOutputs& core) {
        if (core.arvalid || core.awvalid || core.wvalid) fail("a valid of m_axi is high during reset");
    }

    std::string error;

  private:
    struct Address {
        uint64_t address;
        uint8_t len, id, size, burst;
        bool operator==(const Address& o) const {
            return address == o.address && len == o.len && id == o.id && size == o.size && burst == o.burst;
        }
    };

    void fail(const std::string& what) {
        if (error.empty()) error = what + ", at cycle " + std::to_string(cycle_);
    }

    void check_address(int which, const char* channel, bool valid, bool ready, const Address& now) {
        const std::string name = std::string{"m_axi_"} + channel;
        if (address_held_[which] && !valid) fail(name + "valid fell before " + name + "ready");
        if (address_held_[which] && valid && !(now == last_[which])) fail(name + " payload changed while waiting for ready");
        address_held_[which] = valid && !ready;
        last_[which] = now;
        if (!valid) return;
        if (now.size != size_code_) fail(name + "size is not the width of the bus");
        if (now.burst != 1) fail(name + "burst is not INCR");
        const uint64_t first = now.address & ~uint64_t{beat_ - 1};
        if ((first & 4095) + (now.len + 1u) * beat_ > 4096) {
            char text[96];
            std::snprintf(text, sizeof text, " burst of %u beats at 0x%llx crosses a 4 KiB boundary", now.len + 1u,
                          static_cast<unsigned long long>(now.address));
            fail(name + text);
        }
    }

    void check_data(const MasterOutputs& core, const MemoryOutputs& memory) {
        if (data_held_ && !core.wvalid) fail("m_axi_wvalid fell before m_axi_wready");
        if (core.wvalid) {
            if (data_held_ && (core.wlast != last_wlast_ || core.wstrb != last_wstrb_ ||
                               std::memcmp(core.wdata, last_wdata_, beat_) != 0))
                fail("m_axi_w payload changed while waiting for ready");
            if (bursts_.empty())
                fail("m_axi_wvalid before the address of its burst");
            else if (core.wlast != (beats_sent_ + 1 == bursts_.front()))
                fail(core.wlast ? "m_axi_wlast before the last beat of the burst" : "m_axi_wlast missing on the last beat");
            last_wlast_ = core.wlast;
            last_wstrb_ = core.wstrb;
            std::memcpy(last_wdata_, core.wdata, beat_);
        }
        data_held_ = core.wvalid && !memory.wready;
        if (core.wvalid && memory.wready && !bursts_.empty() && ++beats_sent_ == bursts_.front()) {
            bursts_.pop_front();
            beats_sent_ = 0;
        }
    }

    unsigned beat_, size_code_ = 0;
    uint64_t cycle_ = 0;
    bool address_held_[2] = {};
    Address last_[2] = {};
    bool data_held_ = false, last_wlast_ = false;
    uint64_t last_wstrb_ = 0;
    uint8_t last_wdata_[MAX_BEAT_BYTES] = {};
    std::deque<unsigned> bursts_;  // beats of the write bursts offered or accepted whose data is not complete
    unsigned beats_sent_ = 0;      // of the oldest of them
};

}  // namespace talos
