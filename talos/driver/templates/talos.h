/* Driver of a Talos accelerator in C99. It needs no library, no heap and no operating system; README.txt says how to use it.
 * Written by 'talos export'. */
#ifndef TALOS_H
#define TALOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "talos_regs.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TALOS_REGIONS $regions
#define TALOS_MAX_LOOPS $max_loops
#define TALOS_ALIGNMENT 64u /* bytes: every region's address is a multiple of it */
#define TALOS_PAGE ${page}u    /* bytes: what talos_place() rounds regions up to */

/* What a function found wrong; talos_text() puts it in words. */
typedef enum talos_result {
    TALOS_OK = 0,
    TALOS_ERROR_ARGUMENT,     /* no such input, output or image; a callback or a pointer is missing */
    TALOS_ERROR_MEMORY,       /* a region is too small, not aligned, or out of the core's reach */
    TALOS_ERROR_NOT_A_NUMBER, /* an input value is NaN, which has no code */
    TALOS_ERROR_NOT_FOUND,    /* what answers at the registers is no Talos core */
    TALOS_ERROR_CONFIG,       /* the core has another configuration than the program */
    TALOS_ERROR_NOT_LOADED,   /* talos_load() was not called for this program */
    TALOS_ERROR_BUSY,         /* the core is still running */
    TALOS_ERROR_TIMEOUT,      /* the run took too long and was aborted; the core can be used again */
    TALOS_ERROR_STUCK,        /* the run took too long and cannot be aborted: the memory does not answer; reset the core */
    TALOS_ERROR_ABORTED,      /* somebody else aborted the run */
    TALOS_ERROR_UNKNOWN,      /* the core stopped for a reason that this driver does not know */
    /* The core stopped; talos_device.error_info has register ERROR_INFO. */
$cause_results
} talos_result;

/* The type of an input's or output's values. */
typedef enum talos_type { TALOS_FLOAT32 = 0, TALOS_INT8, TALOS_UINT8 } talos_type;

/* One loop over an input's or output's values: `count` of them, `step` values apart in ONNX order. */
typedef struct talos_loop {
    uint32_t count;
    uint32_t step;
} talos_loop;

/* An input or output of the accelerator.
 * values: of one image, in ONNX order (row-major) and of `type`; codes: int8, as they lie in memory.
 * Of float32 values, value = scale * (code - zero_point); int8 values are the codes; of uint8 values, value = code + 128. */
typedef struct talos_port {
    const char *name; /* of the ONNX value */
    talos_type type;
    uint32_t rank;
    const uint32_t *shape; /* `rank` sizes: the ONNX value's shape, for one image */
    uint32_t tensor[3];    /* height, width, channels: the codes' shape, the last one fastest */
    uint32_t loop_count;
    const talos_loop *loops; /* the order of the codes, the last loop fastest */
    uint32_t elements;       /* values of one image, and bytes of their codes */
    float scale;
    int32_t zero_point;
    uint32_t region;
    uint64_t offset; /* bytes in that region, first image */
    uint64_t stride; /* bytes from one image to the next */
} talos_port;

/* A compiled network. */
typedef struct talos_program {
    const char *name;
    const char *config_name;
    uint32_t config_hash;
    uint32_t address_bits; /* of the core's AXI4 master */
    const uint8_t *constants;
    uint64_t constants_bytes;
    uint64_t program_offset; /* the instructions, in the constants */
    uint32_t instruction_count;
    uint64_t region_bytes[TALOS_REGIONS];
    uint32_t batch; /* images in a run */
    uint32_t input_count;
    const talos_port *inputs;
    uint32_t output_count;
    const talos_port *outputs;
} talos_program;

/* A stretch of DRAM. */
typedef struct talos_region {
    uint8_t *memory;  /* as the processor sees it */
    uint64_t address; /* as the core sees it */
    uint64_t bytes;
} talos_region;

/* The core and its surroundings. Set all of it to zero, then fill in the first two parts. */
typedef struct talos_device {
    /* The platform. `context` is passed to each function; the ones marked optional may be NULL. */
    void *context;
    uint32_t (*read32)(void *context, uint32_t offset);
    void (*write32)(void *context, uint32_t offset, uint32_t value);
    /* Optional. Write what the caches hold of this memory back to DRAM, and wait until it is there. */
    void (*flush)(void *context, const void *memory, uint64_t bytes);
    /* Optional. Forget what the caches hold of this memory. */
    void (*invalidate)(void *context, void *memory, uint64_t bytes);
    /* Optional. Sleep until the core's interrupt is high, or for a while; false: give the run up. Without it, STATUS is polled. */
    bool (*wait)(void *context);

    /* Memory, by region number (TALOS_REGION_...); talos_place() fills it in. A region of 0 bytes needs none. */
    talos_region regions[TALOS_REGIONS];

    /* Kept by the driver. */
    const talos_program *loaded;
    uint64_t cycles;     /* of the last run, from start to end */
    uint32_t error_info; /* of the last run that stopped with an error */
} talos_device;

/* A result in words; never NULL. */
const char *talos_text(talos_result result);

/* Bytes of one buffer that holds all regions of a program, each on a page of its own. */
uint64_t talos_memory_bytes(const talos_program *program);

/* Divide one buffer into the regions of a program. `address` is where the core sees `memory`, a multiple of TALOS_ALIGNMENT. */
talos_result talos_place(talos_device *device, const talos_program *program, uint8_t *memory, uint64_t address, uint64_t bytes);

/* Whether the core is there and has the program's configuration. */
talos_result talos_check(const talos_device *device, const talos_program *program);

/* Copy the program's constants to their region; once for any number of runs. If that region's memory is the array
 * `program->constants` itself, nothing is copied. */
talos_result talos_load(talos_device *device, const talos_program *program);

/* Quantize one image's `values` into the input's memory. */
talos_result talos_set_input(talos_device *device, const talos_program *program, uint32_t input, uint32_t image, const void *values);

/* Run. Without an end after `timeout_cycles` cycles of the core, the run is aborted. */
talos_result talos_run(talos_device *device, const talos_program *program, uint64_t timeout_cycles);

/* Dequantize one image's `values` from the output's memory. */
talos_result talos_get_output(const talos_device *device, const talos_program *program, uint32_t output, uint32_t image, void *values);

/* The two halves of talos_run(), for work in between. Between them, the memory must not be touched. */
talos_result talos_start(talos_device *device, const talos_program *program);
talos_result talos_wait(talos_device *device, uint64_t timeout_cycles);

/* Values to codes and back, as talos_set_input() and talos_get_output() do: round to the nearest, ties to even, saturate. */
talos_result talos_quantize(const talos_port *port, const void *values, volatile int8_t *codes);
void talos_dequantize(const talos_port *port, const volatile int8_t *codes, void *values);

/* A unit's cycle counter of the last run, e.g. talos_counter(device, TALOS_UNIT_MATRIX, TALOS_COUNTER_BUSY). */
uint32_t talos_counter(const talos_device *device, uint32_t unit, uint32_t counter);

#ifdef __cplusplus
}
#endif
#endif
