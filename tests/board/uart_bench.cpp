// The simulated board's UART on standard input and output. Commands: 'w' count bytes, 'r' count patience → count' bytes, 'n' cycles.
// Numbers are 4 bytes, little-endian. 'w' sends the bytes on the line; 'r' waits for so many bytes, but after `patience` cycles without
// one answers with those that came; 'n' lets the line rest.
#include "Vtalos_board.h"
#include <cstdint>
#include <cstdio>
#include <deque>
#include <vector>

static Vtalos_board board;
static std::deque<uint8_t> received;

static void cycle() {
  static int left = 0, bits = 0, value = 0;
  board.clk = 0;
  board.eval();
  board.clk = 1;
  board.eval();
  if (bits == 0) {
    if (!board.tx) bits = 10, left = DIVISOR / 2 - 1, value = 0;
  } else if (left-- == 0) {
    left = DIVISOR - 1;
    value = value >> 1 | (board.tx ? 512 : 0);
    if (--bits == 0 && (value & 512)) received.push_back(value >> 1 & 255);
  }
}

static uint32_t number() {
  uint8_t b[4];
  return std::fread(b, 1, 4, stdin) == 4 ? b[0] | b[1] << 8 | b[2] << 16 | uint32_t(b[3]) << 24 : 0;
}

int main() {
  board.rx = 1;
  board.rst = 1;
  cycle();
  board.rst = 0;
  for (int command; (command = std::getchar()) != EOF;) {
    uint32_t count = number();
    if (command == 'w') {
      std::vector<uint8_t> data(count);
      if (std::fread(data.data(), 1, count, stdin) != count) return 1;
      for (uint8_t byte : data)
        for (int bit = 0, frame = 0x200 | byte << 1; bit < 10; ++bit) {
          board.rx = frame >> bit & 1;
          for (int i = 0; i < DIVISOR; ++i) cycle();
        }
    } else if (command == 'n') {
      while (count--) cycle();
    } else {
      uint32_t patience = number(), quiet = 0;
      for (size_t before = received.size(); received.size() < count && quiet < patience; ++quiet) {
        cycle();
        if (received.size() != before) before = received.size(), quiet = 0;
      }
      uint32_t size = received.size() < count ? received.size() : count;
      for (int i = 0; i < 4; ++i) std::putchar(size >> 8 * i & 255);
      for (uint32_t i = 0; i < size; ++i, received.pop_front()) std::putchar(received.front());
      std::fflush(stdout);
    }
  }
}
