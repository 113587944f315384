/* The exported driver of the network `digits` on the Verilated core.
 *
 *     simulate CORE.so SCENARIO INPUTS OUTPUTS
 *
 * Each scenario checks the results of the driver's functions, then runs all images of INPUTS (raw float32) and writes a `record` for
 * each. Exit status 0 if all was as expected. The core's library has functions with names of the driver's, so it is loaded at run time. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digits_program.h"

#define DRAM_BYTES (1u << 20)
#define BASE 4096u
#define LIMIT 100000u
#define UNITS 6u
#define COUNTERS 3u

typedef struct record {
    uint64_t cycles;
    uint32_t counters[UNITS][COUNTERS];
    float logits[DIGITS_OUTPUT_VALUES_LOGITS];
    int8_t codes[16]; /* 10 are used */
} record;

/* The core's library (talos/runtime/harness/core.cpp), its DRAM, and the faults to put in. */
typedef struct core {
    void *handle;
    uint8_t *dram;
    uint8_t *shadow; /* what the processor sees, if it has a cache */
    uint32_t fake_offset, fake_value; /* a register that reads as something else */
    bool sleeping_fails;
    int sleeps;
    uint32_t written[TALOS_REG_CYCLES_LOW / 4u]; /* registers, by the last write */
    int (*read)(void *, uint32_t, uint32_t *);
    int (*write)(void *, uint32_t, uint32_t);
    int (*run)(void *, uint64_t, int, uint64_t, uint64_t *);
    int (*irq)(void *);
    int (*reset)(void *, int);
    int (*set_timing)(void *, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t);
    const char *(*error)(void *);
} core;

static core simulated;
static talos_device device;

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void require(int status)
{
    if (status != 0)
        fail(simulated.error(simulated.handle));
}

static void expect(const char *step, talos_result found, talos_result wanted)
{
    if (found != wanted) {
        fprintf(stderr, "%s: %d (%s), not %d (%s)\n", step, (int)found, talos_text(found), (int)wanted, talos_text(wanted));
        exit(1);
    }
}

static uint32_t read_core(void *context, uint32_t offset)
{
    core *to = context;
    uint32_t value = 0;
    require(to->read(to->handle, offset, &value));
    return to->fake_offset == offset ? to->fake_value : value;
}

static void write_core(void *context, uint32_t offset, uint32_t value)
{
    core *to = context;
    if (offset == TALOS_REG_CONTROL && to->irq(to->handle))
        fail("a start with an old interrupt pending");
    to->written[offset / 4u] = value;
    require(to->write(to->handle, offset, value));
}

static bool sleep_until_interrupt(void *context)
{
    core *to = context;
    uint64_t steps;
    to->sleeps++;
    if (to->sleeping_fails)
        return false;
    require(to->run(to->handle, LIMIT, 1, LIMIT, &steps));
    if (!to->irq(to->handle))
        fail("no interrupt");
    return true;
}

/* Where in DRAM a stretch of a region's memory lies. */
static uint8_t *dram_of(const void *memory, uint64_t bytes)
{
    for (unsigned i = 0; i < TALOS_REGIONS; i++) {
        const talos_region *region = &device.regions[i];
        const uint8_t *start = memory;
        if (region->memory != NULL && start >= region->memory && start + bytes <= region->memory + region->bytes)
            return simulated.dram + region->address + (start - region->memory);
    }
    fail("a cache operation outside the regions");
    return NULL;
}

static void flush(void *context, const void *memory, uint64_t bytes)
{
    (void)context;
    memcpy(dram_of(memory, bytes), memory, bytes);
}

static void invalidate(void *context, void *memory, uint64_t bytes)
{
    (void)context;
    memcpy(memory, dram_of(memory, bytes), bytes);
}

static void find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    if (found == NULL)
        fail(name);
    memcpy(function, &found, sizeof found);
}

static void open_core(const char *path)
{
    void *(*create)(uint8_t *, uint64_t);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        fail(dlerror());
    find(library, "talos_create", &create);
    find(library, "talos_read", &simulated.read);
    find(library, "talos_write", &simulated.write);
    find(library, "talos_run", &simulated.run);
    find(library, "talos_irq", &simulated.irq);
    find(library, "talos_reset", &simulated.reset);
    find(library, "talos_set_timing", &simulated.set_timing);
    find(library, "talos_error", &simulated.error);
    simulated.fake_offset = UINT32_MAX;
    simulated.dram = calloc(DRAM_BYTES, 1);
    simulated.handle = create(simulated.dram, DRAM_BYTES);
    if (simulated.handle == NULL)
        fail("the simulated core cannot be created");
}

static void place(void)
{
    expect("place", talos_place(&device, &digits_program, simulated.dram + BASE, BASE, DRAM_BYTES - BASE), TALOS_OK);
}

static talos_result run(void)
{
    return talos_run(&device, &digits_program, LIMIT);
}

static talos_result start(void)
{
    return talos_start(&device, &digits_program);
}

static void expect_stop(talos_result wanted, uint32_t info)
{
    expect("run", run(), wanted);
    if (device.error_info != info)
        fail("another ERROR_INFO");
}

static void wrong_hash(void)
{
    talos_program other = digits_program;
    other.config_hash ^= 1u;
    expect("check", talos_check(&device, &other), TALOS_ERROR_CONFIG);
    expect("load", talos_load(&device, &other), TALOS_OK);
    expect("run", talos_run(&device, &other, LIMIT), TALOS_ERROR_CONFIG);
    expect("not loaded", run(), TALOS_ERROR_NOT_LOADED);
    if ((read_core(&simulated, TALOS_REG_STATUS) & TALOS_STATUS_BUSY) != 0)
        fail("the core was started");
}

static void no_core(void)
{
    simulated.fake_offset = TALOS_REG_IDENTIFICATION;
    expect("run", run(), TALOS_ERROR_NOT_FOUND);
}

static void timeout(void)
{
    expect("run", talos_run(&device, &digits_program, 300), TALOS_ERROR_TIMEOUT);
    if (read_core(&simulated, TALOS_REG_CYCLES_LOW) > 500)
        fail("the run went on");
}

static void sleeping(void)
{
    write_core(&simulated, TALOS_REG_PROGRAM_COUNT, 0);
    write_core(&simulated, TALOS_REG_CONTROL, TALOS_CONTROL_START); /* done at once, and nobody clears it */
    device.wait = sleep_until_interrupt;
    expect("run", run(), TALOS_OK);
    if (simulated.sleeps != 1)
        fail("not one sleep");
    if (simulated.irq(simulated.handle))
        fail("the interrupt stays");
    simulated.sleeping_fails = true;
    expect("nothing wakes it", run(), TALOS_ERROR_TIMEOUT);
    simulated.sleeping_fails = false;
    device.regions[TALOS_REGION_OUTPUTS].address = DRAM_BYTES;
    expect_stop(TALOS_ERROR_WRITE_ERROR, TALOS_UNIT_STORE);
}

static void stuck(void)
{
    const uint32_t never = 256;
    require(simulated.set_timing(simulated.handle, 64, 4, 16, never, 1));
    expect("run", talos_run(&device, &digits_program, 300), TALOS_ERROR_STUCK);
    expect("start", start(), TALOS_ERROR_BUSY);
    require(simulated.reset(simulated.handle, 4));
    require(simulated.set_timing(simulated.handle, 64, 4, 16, 0, 1));
}

static void bus_errors(void)
{
    device.regions[TALOS_REGION_INPUTS].address = DRAM_BYTES;
    expect_stop(TALOS_ERROR_READ_ERROR, TALOS_UNIT_LOAD);
    place();
    device.regions[TALOS_REGION_CONSTANTS].address = DRAM_BYTES;
    expect_stop(TALOS_ERROR_READ_ERROR, TALOS_UNIT_FETCH);
    place();
    device.regions[TALOS_REGION_OUTPUTS].address = DRAM_BYTES;
    expect_stop(TALOS_ERROR_WRITE_ERROR, TALOS_UNIT_STORE);
    simulated.fake_offset = TALOS_REG_ERROR_CAUSE;
    simulated.fake_value = 99;
    expect("an unknown cause", run(), TALOS_ERROR_UNKNOWN);
}

static void bad_instruction(void)
{
    device.regions[TALOS_REGION_CONSTANTS].memory[digits_program.program_offset + 5u * 64u] &= 0xf0u;
    expect_stop(TALOS_ERROR_BAD_OPCODE, 5u);
}

static void asynchronous(void)
{
    expect("start", start(), TALOS_OK);
    expect("again", start(), TALOS_ERROR_BUSY);
    expect("wait", talos_wait(&device, LIMIT), TALOS_OK);
    expect("start", start(), TALOS_OK);
    write_core(&simulated, TALOS_REG_CONTROL, TALOS_CONTROL_ABORT);
    expect("wait", talos_wait(&device, LIMIT), TALOS_ERROR_ABORTED);
}

/* Addresses above 32 bits; the simulated core, which has 32, sees their lower part. */
static void high_addresses(void)
{
    talos_program wide = digits_program;
    wide.address_bits = 40;
    expect("place", talos_place(&device, &wide, simulated.dram + BASE, UINT64_C(0x3500000000) + BASE, DRAM_BYTES - BASE), TALOS_OK);
    expect("load", talos_load(&device, &wide), TALOS_OK);
    expect("run", talos_run(&device, &wide, LIMIT), TALOS_OK);
    if (simulated.written[TALOS_REG_PROGRAM_HIGH / 4u] != 0x35u || simulated.written[TALOS_REG_REGION3_HIGH / 4u] != 0x35u)
        fail("the upper halves of the addresses were not written");
}

/* Images of a batch lie `stride` bytes apart. */
static void batch(void)
{
    const talos_loop loop = {16, 1};
    talos_program two = digits_program;
    talos_port source = digits_program.inputs[0], result = digits_program.outputs[0];
    float values[16], back[16];
    source.elements = result.elements = 16;
    source.loops = result.loops = &loop;
    source.stride = result.stride = 48;
    result.region = TALOS_REGION_INPUTS;
    result.scale = source.scale;
    result.zero_point = source.zero_point;
    two.batch = 2;
    two.inputs = &source;
    two.outputs = &result;
    for (int i = 0; i < 16; i++)
        values[i] = (float)(i + 1) * source.scale;
    memset(device.regions[TALOS_REGION_INPUTS].memory, 0, 64);
    expect("set", talos_set_input(&device, &two, 0, 1, values), TALOS_OK);
    for (int i = 0; i < 64; i++)
        if ((int8_t)device.regions[TALOS_REGION_INPUTS].memory[i] != (i < 48 ? 0 : source.zero_point + i - 47))
            fail("the second image lies elsewhere");
    expect("get", talos_get_output(&device, &two, 0, 1, back), TALOS_OK);
    if (memcmp(values, back, sizeof back) != 0)
        fail("the second image comes back otherwise");
}

static void arguments(void)
{
    float values[DIGITS_INPUT_VALUES_INPUT] = {0};
    uint8_t *memory = simulated.dram + BASE;
    const uint64_t bytes = talos_memory_bytes(&digits_program);
    talos_device empty = {0};
    expect("no callbacks", talos_check(&empty, &digits_program), TALOS_ERROR_ARGUMENT);
    expect("no wait", talos_wait(&empty, LIMIT), TALOS_ERROR_NOT_LOADED);
    expect("no memory", talos_load(&empty, &digits_program), TALOS_ERROR_MEMORY);
    expect("too small", talos_place(&device, &digits_program, memory, BASE, bytes - 1u), TALOS_ERROR_MEMORY);
    expect("unaligned", talos_place(&device, &digits_program, memory, BASE + 32u, bytes), TALOS_ERROR_MEMORY);
    expect("beyond the reach", talos_place(&device, &digits_program, memory, UINT64_C(0xffffe000), bytes), TALOS_ERROR_MEMORY);
    expect("run", run(), TALOS_ERROR_MEMORY);
    expect("set", digits_set_input(&device, 0, values), TALOS_ERROR_MEMORY);
    expect("get", digits_get_logits(&device, 0, values), TALOS_ERROR_MEMORY);
    expect("the last place", talos_place(&device, &digits_program, memory, UINT64_C(0x100000000) - bytes, bytes), TALOS_OK);
    device.regions[TALOS_REGION_INPUTS].memory = memory;
    device.regions[TALOS_REGION_INPUTS].address = UINT64_C(0x100000000) - DIGITS_INPUTS_BYTES;
    expect("the last bytes", digits_set_input(&device, 0, values), TALOS_OK);
    device.regions[TALOS_REGION_INPUTS].address += 64u;
    expect("too far", digits_set_input(&device, 0, values), TALOS_ERROR_MEMORY);
    place();
    expect("input", talos_set_input(&device, &digits_program, 1, 0, values), TALOS_ERROR_ARGUMENT);
    expect("image", digits_set_input(&device, 1, values), TALOS_ERROR_ARGUMENT);
    expect("values", digits_set_input(&device, 0, NULL), TALOS_ERROR_ARGUMENT);
    expect("output", talos_get_output(&device, &digits_program, 1, 0, values), TALOS_ERROR_ARGUMENT);
    expect("output image", digits_get_logits(&device, 1, values), TALOS_ERROR_ARGUMENT);
    expect("output values", digits_get_logits(&device, 0, NULL), TALOS_ERROR_ARGUMENT);
}

/* The processor has a cache of its own, which only flush and invalidate reconcile with DRAM; the constants are not copied. */
static void caches(void)
{
    const uint64_t bytes = talos_memory_bytes(&digits_program);
    simulated.shadow = malloc(bytes);
    memset(simulated.shadow, 0x5a, bytes);
    memset(simulated.dram, 0xa5, DRAM_BYTES);
    expect("place", talos_place(&device, &digits_program, simulated.shadow, BASE, bytes), TALOS_OK);
    device.regions[TALOS_REGION_CONSTANTS].memory = (uint8_t *)(uintptr_t)digits_constants;
    device.flush = flush;
    device.invalidate = invalidate;
}

static void nothing(void) {}

static const struct scenario {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    {"images", nothing},      {"wrong_hash", wrong_hash},     {"no_core", no_core},       {"timeout", timeout},
    {"sleeping", sleeping},   {"stuck", stuck},               {"bus_errors", bus_errors}, {"bad_instruction", bad_instruction},
    {"arguments", arguments}, {"asynchronous", asynchronous}, {"caches", caches},         {"high_addresses", high_addresses},
    {"batch", batch},
};

int main(int count, char **values)
{
    const struct scenario *chosen = NULL;
    float image[DIGITS_INPUT_VALUES_INPUT];
    FILE *inputs, *outputs;
    if (count != 5)
        fail("usage: simulate CORE.so SCENARIO INPUTS OUTPUTS");
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(values[2], scenarios[i].name) == 0)
            chosen = &scenarios[i];
    inputs = fopen(values[3], "rb");
    outputs = fopen(values[4], "wb");
    if (chosen == NULL || inputs == NULL || outputs == NULL)
        fail("no such scenario or file");
    open_core(values[1]);
    device.context = &simulated;
    device.read32 = read_core;
    device.write32 = write_core;
    place();
    expect("load", talos_load(&device, &digits_program), TALOS_OK);

    chosen->run();

    simulated.fake_offset = UINT32_MAX;
    if (simulated.shadow == NULL)
        place();
    expect("load", talos_load(&device, &digits_program), TALOS_OK);
    while (fread(image, sizeof image, 1, inputs) == 1) {
        record made = {0};
        expect("set", digits_set_input(&device, 0, image), TALOS_OK);
        expect("run", run(), TALOS_OK);
        expect("get", digits_get_logits(&device, 0, made.logits), TALOS_OK);
        made.cycles = device.cycles;
        memcpy(made.codes, device.regions[TALOS_REGION_OUTPUTS].memory, DIGITS_OUTPUT_VALUES_LOGITS);
        for (uint32_t unit = 0; unit < UNITS; unit++)
            for (uint32_t counter = 0; counter < COUNTERS; counter++)
                made.counters[unit][counter] = talos_counter(&device, unit, counter);
        if (fwrite(&made, sizeof made, 1, outputs) != 1)
            fail("cannot write");
    }
    return fclose(outputs) != 0;
}
