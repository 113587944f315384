// The part of LZ4 that Verilator's FST writer uses, so that waves need no development package: the block format, compressed greedily.
//
// A block is a series of sequences: a token (lengths of literals and match, 4 bits each), more length bytes where 15 is not enough, the
// literals, and the match as a 16-bit distance. The last five bytes are literals, and no match begins in the last twelve.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

inline int LZ4_compressBound(int size) { return size + size / 255 + 16; }

namespace talos_lz4 {

constexpr int LEAST = 4, TAIL = 5, STOP = 12, FARTHEST = 65535, HASH_BITS = 14;

inline uint32_t word(const uint8_t* at) {
    uint32_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

inline uint8_t* length(uint8_t* out, int rest) {
    for (; rest >= 255; rest -= 255) *out++ = 255;
    *out++ = static_cast<uint8_t>(rest);
    return out;
}

// Literals from `from` to `to`, then a match of `match` bytes at `distance`; no match if that is 0.
inline uint8_t* sequence(uint8_t* out, const uint8_t* from, const uint8_t* to, int match, int distance) {
    const int literals = static_cast<int>(to - from), more = match - LEAST;
    const int high = literals < 15 ? literals : 15, low = !distance ? 0 : more < 15 ? more : 15;
    *out++ = static_cast<uint8_t>(high << 4 | low);
    if (high == 15) out = length(out, literals - 15);
    std::memcpy(out, from, literals);
    out += literals;
    if (!distance) return out;
    *out++ = static_cast<uint8_t>(distance);
    *out++ = static_cast<uint8_t>(distance >> 8);
    return low == 15 ? length(out, more - 15) : out;
}

}  // namespace talos_lz4

// The size of the compressed block. `room` is at least LZ4_compressBound(size), as the writer provides.
inline int LZ4_compress_default(const char* source, char* target, int size, int) {
    using namespace talos_lz4;
    const uint8_t *begin = reinterpret_cast<const uint8_t*>(source), *end = begin + size, *anchor = begin;
    uint8_t *out = reinterpret_cast<uint8_t*>(target), *const start = out;
    std::vector<int32_t> seen(1 << HASH_BITS, -1);  // by hash of four bytes, where they were last
    for (const uint8_t* at = begin; end - at > STOP;) {
        int32_t& place = seen[word(at) * 2654435761u >> (32 - HASH_BITS)];
        const int32_t before = place, here = static_cast<int32_t>(at - begin);
        place = here;
        if (before < 0 || here - before > FARTHEST || word(begin + before) != word(at)) {
            ++at;
            continue;
        }
        int match = LEAST;
        while (at + match < end - TAIL && begin[before + match] == at[match]) ++match;
        out = sequence(out, anchor, at, match, here - before);
        anchor = at += match;
    }
    return static_cast<int>(sequence(out, anchor, end, LEAST, 0) - start);
}
