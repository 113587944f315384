/* Driver of a Talos accelerator in C99; see talos.h. Written by 'talos export'. */
#include "talos.h"

#define ABORT_POLLS 100000u /* an abort takes as long as the memory needs for the transfers under way */
#define CODE_MIN (-128)
#define CODE_MAX 127

const char *talos_text(talos_result result)
{
    switch (result) {
    case TALOS_OK: return "no error";
    case TALOS_ERROR_ARGUMENT: return "no such input, output or image, or a missing callback or pointer";
    case TALOS_ERROR_MEMORY: return "a memory region is too small, not aligned to 64 bytes, or out of the core's reach";
    case TALOS_ERROR_NOT_A_NUMBER: return "an input value is not a number";
    case TALOS_ERROR_NOT_FOUND: return "no Talos core answers at the registers' address";
    case TALOS_ERROR_CONFIG: return "the core has another configuration than the program: wrong bitstream";
    case TALOS_ERROR_NOT_LOADED: return "the program was not loaded";
    case TALOS_ERROR_BUSY: return "the core is still running";
    case TALOS_ERROR_TIMEOUT: return "the run took too long and was aborted";
    case TALOS_ERROR_STUCK: return "the run took too long and cannot be aborted: the memory does not answer";
    case TALOS_ERROR_ABORTED: return "the run was aborted";
    case TALOS_ERROR_UNKNOWN: return "the core stopped for an unknown reason";
$cause_texts
    }
    return "no result of this driver";
}

/* Registers */

static uint32_t read_register(const talos_device *device, uint32_t offset)
{
    return device->read32(device->context, offset);
}

static void write_register(const talos_device *device, uint32_t offset, uint32_t value)
{
    device->write32(device->context, offset, value);
}

static void write_address(const talos_device *device, uint32_t low_offset, uint64_t value)
{
    write_register(device, low_offset, (uint32_t)value);
    write_register(device, low_offset + 4u, (uint32_t)(value >> 32));
}

static uint64_t read_cycles(const talos_device *device)
{
    for (;;) { /* the low half may overflow between two reads */
        const uint32_t high = read_register(device, TALOS_REG_CYCLES_HIGH);
        const uint32_t low = read_register(device, TALOS_REG_CYCLES_LOW);
        if (read_register(device, TALOS_REG_CYCLES_HIGH) == high)
            return (uint64_t)high << 32 | low;
    }
}

uint32_t talos_counter(const talos_device *device, uint32_t unit, uint32_t counter)
{
    return read_register(device, TALOS_COUNTER_OFFSET(unit, counter));
}

static bool running(const talos_device *device)
{
    return (read_register(device, TALOS_REG_STATUS) & TALOS_STATUS_BUSY) != 0;
}

talos_result talos_check(const talos_device *device, const talos_program *program)
{
    if (device->read32 == NULL || device->write32 == NULL)
        return TALOS_ERROR_ARGUMENT;
    if (read_register(device, TALOS_REG_IDENTIFICATION) != TALOS_IDENTIFICATION)
        return TALOS_ERROR_NOT_FOUND;
    if (read_register(device, TALOS_REG_CONFIG_HASH) != program->config_hash)
        return TALOS_ERROR_CONFIG;
    return TALOS_OK;
}

/* Memory */

static uint64_t pages(uint64_t bytes)
{
    return (bytes + TALOS_PAGE - 1u) / TALOS_PAGE * TALOS_PAGE;
}

uint64_t talos_memory_bytes(const talos_program *program)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < TALOS_REGIONS; i++)
        bytes += pages(program->region_bytes[i]);
    return bytes;
}

static talos_result check_memory(const talos_device *device, const talos_program *program)
{
    const uint64_t last = UINT64_MAX >> (64u - program->address_bits);
    for (unsigned i = 0; i < TALOS_REGIONS; i++) {
        const talos_region *region = &device->regions[i];
        const uint64_t needed = program->region_bytes[i];
        if (needed == 0)
            continue;
        if (region->memory == NULL || region->bytes < needed || region->address % TALOS_ALIGNMENT != 0)
            return TALOS_ERROR_MEMORY;
        if (region->address > last || last - region->address < needed - 1u)
            return TALOS_ERROR_MEMORY;
    }
    return TALOS_OK;
}

talos_result talos_place(talos_device *device, const talos_program *program, uint8_t *memory, uint64_t address, uint64_t bytes)
{
    uint64_t offset = 0;
    if (memory == NULL || bytes < talos_memory_bytes(program))
        return TALOS_ERROR_MEMORY;
    for (unsigned i = 0; i < TALOS_REGIONS; i++) {
        device->regions[i].memory = memory + offset;
        device->regions[i].address = address + offset;
        device->regions[i].bytes = pages(program->region_bytes[i]);
        offset += device->regions[i].bytes;
    }
    return check_memory(device, program);
}

static void flush_region(const talos_device *device, const talos_program *program, unsigned region)
{
    if (device->flush != NULL && program->region_bytes[region] != 0)
        device->flush(device->context, device->regions[region].memory, program->region_bytes[region]);
}

talos_result talos_load(talos_device *device, const talos_program *program)
{
    const talos_result result = check_memory(device, program);
    /* Volatile: byte by byte is right for every kind of mapping, also where wider or unaligned accesses fault. */
    volatile uint8_t *target = device->regions[TALOS_REGION_CONSTANTS].memory;
    if (result != TALOS_OK)
        return result;
    if (target != program->constants)
        for (uint64_t i = 0; i < program->constants_bytes; i++)
            target[i] = program->constants[i];
    for (unsigned i = 0; i < TALOS_REGIONS; i++)
        flush_region(device, program, i);
    device->loaded = program;
    return TALOS_OK;
}

/* Values and codes */

typedef struct walk {
    const talos_port *port;
    uint32_t at[TALOS_MAX_LOOPS];
    size_t value; /* index of the value, in ONNX order, that belongs to the current code */
} walk;

static void walk_begin(walk *state, const talos_port *port)
{
    state->port = port;
    state->value = 0;
    for (unsigned i = 0; i < TALOS_MAX_LOOPS; i++)
        state->at[i] = 0;
}

static void walk_next(walk *state)
{
    for (uint32_t i = state->port->loop_count; i-- > 0;) {
        const talos_loop loop = state->port->loops[i];
        state->value += loop.step;
        if (++state->at[i] < loop.count)
            return;
        state->at[i] = 0;
        state->value -= (size_t)loop.count * loop.step;
    }
}

/* By its bits: right also where the compiler is told that there are none. */
static bool is_nan(float value)
{
    union {
        float value;
        uint32_t bits;
    } same;
    same.value = value;
    return (same.bits & 0x7fffffffu) > 0x7f800000u;
}

/* Round to the nearest, ties to even, in steps that are all exact: no dependence on the rounding mode or on a library. */
static int8_t quantize_value(float value, float scale, int32_t zero_point)
{
    const float steps = value / scale;
    int32_t whole;
    float rest;
    if (steps <= (float)(CODE_MIN - zero_point))
        return CODE_MIN;
    if (steps >= (float)(CODE_MAX - zero_point))
        return CODE_MAX;
    whole = (int32_t)steps; /* towards zero */
    rest = steps - (float)whole;
    if (rest > 0.5f || (rest == 0.5f && whole % 2 != 0))
        whole++;
    else if (rest < -0.5f || (rest == -0.5f && whole % 2 != 0))
        whole--;
    return (int8_t)(whole + zero_point);
}

talos_result talos_quantize(const talos_port *port, const void *values, volatile int8_t *codes)
{
    walk state;
    walk_begin(&state, port);
    for (uint32_t i = 0; i < port->elements; i++, walk_next(&state)) {
        if (port->type == TALOS_INT8) {
            codes[i] = ((const int8_t *)values)[state.value];
        } else if (port->type == TALOS_UINT8) {
            codes[i] = (int8_t)(((const uint8_t *)values)[state.value] - 128);
        } else {
            const float value = ((const float *)values)[state.value];
            if (is_nan(value))
                return TALOS_ERROR_NOT_A_NUMBER;
            codes[i] = quantize_value(value, port->scale, port->zero_point);
        }
    }
    return TALOS_OK;
}

void talos_dequantize(const talos_port *port, const volatile int8_t *codes, void *values)
{
    walk state;
    walk_begin(&state, port);
    for (uint32_t i = 0; i < port->elements; i++, walk_next(&state)) {
        const int8_t code = codes[i];
        if (port->type == TALOS_INT8)
            ((int8_t *)values)[state.value] = code;
        else if (port->type == TALOS_UINT8)
            ((uint8_t *)values)[state.value] = (uint8_t)(code + 128);
        else
            ((float *)values)[state.value] = (float)(code - port->zero_point) * port->scale;
    }
}

static volatile int8_t *codes_of(const talos_device *device, const talos_port *port, uint32_t image)
{
    return (volatile int8_t *)device->regions[port->region].memory + port->offset + image * port->stride;
}

talos_result talos_set_input(talos_device *device, const talos_program *program, uint32_t input, uint32_t image, const void *values)
{
    const talos_result result = check_memory(device, program);
    if (result != TALOS_OK)
        return result;
    if (input >= program->input_count || image >= program->batch || values == NULL)
        return TALOS_ERROR_ARGUMENT;
    return talos_quantize(&program->inputs[input], values, codes_of(device, &program->inputs[input], image));
}

talos_result talos_get_output(const talos_device *device, const talos_program *program, uint32_t output, uint32_t image, void *values)
{
    const talos_result result = check_memory(device, program);
    if (result != TALOS_OK)
        return result;
    if (output >= program->output_count || image >= program->batch || values == NULL)
        return TALOS_ERROR_ARGUMENT;
    talos_dequantize(&program->outputs[output], codes_of(device, &program->outputs[output], image), values);
    return TALOS_OK;
}

/* Running */

talos_result talos_start(talos_device *device, const talos_program *program)
{
    talos_result result = talos_check(device, program);
    if (result == TALOS_OK)
        result = check_memory(device, program);
    if (result != TALOS_OK)
        return result;
    if (device->loaded != program)
        return TALOS_ERROR_NOT_LOADED;
    if (running(device))
        return TALOS_ERROR_BUSY;
    device->cycles = 0;
    device->error_info = 0;
    for (unsigned i = 0; i < TALOS_REGIONS; i++)
        write_address(device, TALOS_REG_REGION_LOW(i), device->regions[i].address);
    write_address(device, TALOS_REG_PROGRAM_LOW, device->regions[TALOS_REGION_CONSTANTS].address + program->program_offset);
    write_register(device, TALOS_REG_PROGRAM_COUNT, program->instruction_count);
    write_register(device, TALOS_REG_IRQ_CLEAR, TALOS_IRQ_CLEAR_MASK);
    write_register(device, TALOS_REG_IRQ_ENABLE, device->wait != NULL ? TALOS_IRQ_ENABLE_MASK : 0u);
    flush_region(device, program, TALOS_REGION_INPUTS);
    write_register(device, TALOS_REG_CONTROL, TALOS_CONTROL_START);
    return TALOS_OK;
}

static talos_result cause_result(uint32_t cause)
{
    switch (cause) {
$cause_cases
    default: return TALOS_ERROR_UNKNOWN;
    }
}

/* End a run that takes too long. The abort waits for the transfers under way and then resets the core. */
static talos_result give_up(talos_device *device)
{
    write_register(device, TALOS_REG_CONTROL, TALOS_CONTROL_ABORT);
    for (uint32_t polls = 0; polls < ABORT_POLLS; polls++)
        if (!running(device)) {
            write_register(device, TALOS_REG_IRQ_CLEAR, TALOS_IRQ_CLEAR_MASK);
            return TALOS_ERROR_TIMEOUT;
        }
    return TALOS_ERROR_STUCK;
}

talos_result talos_wait(talos_device *device, uint64_t timeout_cycles)
{
    const talos_program *program = device->loaded;
    uint32_t status;
    if (program == NULL)
        return TALOS_ERROR_NOT_LOADED;
    /* CYCLES stands still while an error stop waits for the memory; a poll takes more than one cycle, so their number bounds that. */
    for (uint64_t polls = 0; running(device); polls++) {
        if (polls >= timeout_cycles || read_cycles(device) >= timeout_cycles)
            return give_up(device);
        if (device->wait != NULL && !device->wait(device->context))
            return give_up(device);
    }
    status = read_register(device, TALOS_REG_STATUS);
    write_register(device, TALOS_REG_IRQ_CLEAR, TALOS_IRQ_CLEAR_MASK);
    device->cycles = read_cycles(device); /* a read behind the write: the interrupt has fallen when this returns */
    if ((status & TALOS_STATUS_ERROR) != 0) {
        device->error_info = read_register(device, TALOS_REG_ERROR_INFO);
        return cause_result(read_register(device, TALOS_REG_ERROR_CAUSE));
    }
    if ((status & TALOS_STATUS_DONE) == 0)
        return TALOS_ERROR_ABORTED;
    if (device->invalidate != NULL && program->region_bytes[TALOS_REGION_OUTPUTS] != 0)
        device->invalidate(device->context, device->regions[TALOS_REGION_OUTPUTS].memory, program->region_bytes[TALOS_REGION_OUTPUTS]);
    return TALOS_OK;
}

talos_result talos_run(talos_device *device, const talos_program *program, uint64_t timeout_cycles)
{
    const talos_result result = talos_start(device, program);
    return result != TALOS_OK ? result : talos_wait(device, timeout_cycles);
}
