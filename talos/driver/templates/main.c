/* Example for Linux: runs one image on a memory-mapped Talos core.
 *
 *     $name REGISTERS MEMORY ADDRESS INPUT... OUTPUT...
 *
 * REGISTERS  /dev/uioN (its first map; the interrupt is used), or FILE@OFFSET, e.g. /dev/mem@0xa0000000 (STATUS is polled)
 * MEMORY     FILE or FILE@OFFSET, e.g. /dev/udmabuf0, or /dev/mem@0x70000000: memory that Linux does not use
 * ADDRESS    where the core sees that memory
 * INPUT      one file for each input: its values in ONNX order, as raw bytes; OUTPUT: the same, written
 *
 * The memory must be mapped uncached (as /dev/mem opened with O_SYNC is, and u-dma-buf with sync_mode) or be coherent; for cached
 * memory, set device.flush and device.invalidate. Copy this file before you change it: 'talos export' writes it anew. */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "${name}_program.h"

#define REGISTER_BYTES 4096u
#define TIMEOUT_CYCLES 10000000000u
#define INTERRUPT_TIMEOUT 10000 /* milliseconds */

static const talos_program *const program = &${name}_program;

struct board {
    volatile uint32_t *registers;
    int interrupt; /* file to wait on, or -1 */
};

/* A full barrier, so that the core never sees a register write before the memory written in front of it. */
static void barrier(void)
{
    __sync_synchronize();
}

static uint32_t board_read(void *context, uint32_t offset)
{
    const struct board *board = context;
    const uint32_t value = board->registers[offset / 4u];
    barrier();
    return value;
}

static void board_write(void *context, uint32_t offset, uint32_t value)
{
    struct board *board = context;
    barrier();
    board->registers[offset / 4u] = value;
}

/* A UIO device: writing 1 enables the interrupt, reading takes it. */
static bool board_wait(void *context)
{
    const struct board *board = context;
    const uint32_t enable = 1u;
    uint32_t count;
    struct pollfd file = {.fd = board->interrupt, .events = POLLIN};
    if (write(board->interrupt, &enable, sizeof enable) != (ssize_t)sizeof enable)
        return false;
    return poll(&file, 1, INTERRUPT_TIMEOUT) == 1 && read(board->interrupt, &count, sizeof count) == (ssize_t)sizeof count;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "$name: %s: %s\n", what, why);
    exit(1);
}

static void require(const char *what, talos_result result)
{
    if (result != TALOS_OK)
        fail(what, talos_text(result));
}

/* Map FILE or FILE@OFFSET; *file stays open. */
static void *map(const char *place, size_t bytes, int *file)
{
    char path[256];
    const char *at = strchr(place, '@');
    const size_t length = at != NULL ? (size_t)(at - place) : strlen(place);
    void *memory;
    if (length >= sizeof path)
        fail(place, "this name is too long");
    memcpy(path, place, length);
    path[length] = '\0';
    *file = open(path, O_RDWR | O_SYNC);
    if (*file < 0)
        fail(place, "cannot be opened");
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *file, at != NULL ? (off_t)strtoull(at + 1, NULL, 0) : 0);
    if (memory == MAP_FAILED)
        fail(place, "cannot be mapped");
    return memory;
}

static size_t value_bytes(const talos_port *port)
{
    return port->elements * (port->type == TALOS_FLOAT32 ? sizeof(float) : 1u);
}

static void *allocate(const talos_port *port)
{
    void *values = malloc(value_bytes(port));
    if (values == NULL)
        fail(port->name, "out of memory");
    return values;
}

static void read_values(const char *path, const talos_port *port, void *values)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fread(values, 1, value_bytes(port), file) != value_bytes(port) || fgetc(file) != EOF)
        fail(path, "cannot be read, or has not the size of the input");
    fclose(file);
}

static void write_values(const char *path, const talos_port *port, const void *values)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(values, 1, value_bytes(port), file) != value_bytes(port) || fclose(file) != 0)
        fail(path, "cannot be written");
}

int main(int argument_count, char **arguments)
{
    struct board board = {.interrupt = -1};
    talos_device device = {.context = &board, .read32 = board_read, .write32 = board_write};
    const size_t bytes = (size_t)talos_memory_bytes(program);
    char **next = arguments + 4;
    int registers_file, memory_file;
    void *memory;
    if (argument_count != 4 + (int)(program->input_count + program->output_count))
        fail("usage", "REGISTERS MEMORY ADDRESS INPUT... OUTPUT...");
    board.registers = map(arguments[1], REGISTER_BYTES, &registers_file);
    memory = map(arguments[2], bytes, &memory_file);
    if (strncmp(arguments[1], "/dev/uio", 8) == 0) {
        board.interrupt = registers_file;
        device.wait = board_wait;
    }
    require(arguments[1], talos_check(&device, program));
    require(arguments[2], talos_place(&device, program, memory, strtoull(arguments[3], NULL, 0), bytes));
    require("load", talos_load(&device, program));
    for (uint32_t i = 0; i < program->input_count; i++) {
        void *values = allocate(&program->inputs[i]);
        read_values(*next, &program->inputs[i], values);
        for (uint32_t image = 0; image < program->batch; image++) /* the same image everywhere in the batch */
            require(*next, talos_set_input(&device, program, i, image, values));
        free(values);
        next++;
    }
    require("run", talos_run(&device, program, TIMEOUT_CYCLES));
    for (uint32_t i = 0; i < program->output_count; i++) {
        void *values = allocate(&program->outputs[i]);
        require(*next, talos_get_output(&device, program, i, 0, values));
        write_values(*next, &program->outputs[i], values);
        free(values);
        next++;
    }
    printf("%llu cycles\n", (unsigned long long)device.cycles);
    return 0;
}
