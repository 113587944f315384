// Follows the instructions of all units and puts their names into the registers of running.v, for waveform viewers.
//
// A unit executes its instructions in program order, so counting its starts tells which one it is. Where it takes the next one before the
// last one has ended, the newer one is shown.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "Vtalos___024root.h"

namespace talos {

struct Label {
    char opcode[8];
    char layer[48];
    uint32_t index;
};

class Running {
  public:
    // `units[i]` executes instruction i of the program that runs next.
    void set_program(const uint8_t* units, const Label* labels, uint64_t count) {
        for (Unit& unit : units_) unit.labels.clear();
        for (uint64_t i = 0; i < count; ++i) units_.at(units[i]).labels.push_back(labels[i]);
        restart();
    }

    void restart() {
        for (Unit& unit : units_) unit.next = unit.open = 0, unit.ended = true;
    }

    // Once per cycle, when the core's outputs have settled.
    void cycle(Vtalos___024root& root, unsigned starts, unsigned dones) {
        for (unsigned number = 0; number < units_.size(); ++number) {
            Unit& unit = units_[number];
            const bool start = (starts >> number & 1) && unit.next < unit.labels.size(), done = dones >> number & 1;
            if (unit.ended && !unit.open && !start) show(root, number, Label{});
            unit.ended = done;
            if (start) {
                show(root, number, unit.labels[unit.next++]);
                ++unit.open;
            }
            if (done && unit.open) --unit.open;
        }
    }

  private:
    struct Unit {
        std::vector<Label> labels;
        size_t next = 0, open = 0;
        bool ended = true;
    };

    // Text as Verilog holds it: the last character in the lowest byte, nothing in front of the first.
    template <typename Register>
    static void write(Register& target, const char* text, size_t room) {
        const size_t size = strnlen(text, room);
        uint8_t bytes[48] = {};
        for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(text[size - 1 - i]);
        std::memcpy(&target, bytes, room);
    }

#define TALOS_SHOW(number, unit)                                                        \
    case number:                                                                        \
        write(root.talos__DOT__running__DOT__##unit##_opcode, label.opcode, sizeof label.opcode); \
        write(root.talos__DOT__running__DOT__##unit##_layer, label.layer, sizeof label.layer);    \
        root.talos__DOT__running__DOT__##unit##_index = label.index;                     \
        break;
    static void show(Vtalos___024root& root, unsigned number, const Label& label) {
        switch (number) {
            TALOS_SHOW(1, load)
            TALOS_SHOW(2, weights)
            TALOS_SHOW(3, matrix)
            TALOS_SHOW(4, vector)
            TALOS_SHOW(5, store)
        }
    }
#undef TALOS_SHOW

    std::array<Unit, 6> units_;
};

}  // namespace talos
