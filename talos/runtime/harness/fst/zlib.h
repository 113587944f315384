// The part of zlib that Verilator's FST writer uses, so that waves need no development package: a valid stream without compression.
//
// The writer keeps the smaller of this and the data themselves, so these parts of a file (tables of signals and times, initial values)
// are stored as they are. What a waveform is made of, the changes, goes through LZ4.
#pragma once

#include <cstdint>
#include <cstring>

using Bytef = unsigned char;
using uLong = unsigned long;
using uLongf = unsigned long;

constexpr int Z_OK = 0;
constexpr unsigned TALOS_STORED = 65535;  // bytes of the largest stored block

inline uLong compressBound(uLong size) { return size + 5 * (size / TALOS_STORED + 1) + 6; }

// Deflate (RFC 1951) in stored blocks, in the envelope of RFC 1950: two bytes in front, Adler-32 behind.
inline int compress2(Bytef* target, uLongf* room, const Bytef* source, uLong size, int) {
    Bytef* out = target;
    *out++ = 0x78;
    *out++ = 0x01;
    uint32_t low = 1, high = 0;
    uLong done = 0;
    do {
        const unsigned block = size - done < TALOS_STORED ? static_cast<unsigned>(size - done) : TALOS_STORED;
        *out++ = done + block == size;
        for (const unsigned length : {block, ~block}) {
            *out++ = static_cast<Bytef>(length);
            *out++ = static_cast<Bytef>(length >> 8);
        }
        if (block) std::memcpy(out, source + done, block);
        out += block;
        for (unsigned i = 0; i < block; ++i) {
            low = (low + source[done + i]) % 65521;
            high = (high + low) % 65521;
        }
        done += block;
    } while (done < size);
    const uint32_t sum = high << 16 | low;
    for (int shift = 24; shift >= 0; shift -= 8) *out++ = static_cast<Bytef>(sum >> shift);
    *room = static_cast<uLongf>(out - target);
    return Z_OK;
}
