"""`talos_regs.h`: the register map as C macros."""

from talos.isa import Unit
from talos.program import CONSTANTS, INPUTS, OUTPUTS, SCRATCH
from talos.registers import COUNTERS, IDENTIFICATION, REGISTERS, ErrorCause, Register, counter_offset

__all__ = ["registers_header"]

REGION_NAMES = {CONSTANTS: "CONSTANTS", SCRATCH: "SCRATCH", INPUTS: "INPUTS", OUTPUTS: "OUTPUTS"}


def registers_header() -> str:
    """The text of the file; the same for every program."""
    lines = [
        "/* Registers of a Talos accelerator: 32 bits each, at byte offsets. Written by 'talos export'. */",
        "#ifndef TALOS_REGS_H",
        "#define TALOS_REGS_H",
        "",
        "/* What register IDENTIFICATION holds. */",
        f"#define TALOS_IDENTIFICATION 0x{IDENTIFICATION:08x}u",
    ]
    for register in REGISTERS.values():
        lines += ["", f"/* {_access(register)}: {register.doc} */", f"#define TALOS_REG_{register.name} 0x{register.offset:03x}u"]
        lines += [f"#define TALOS_{register.name}_{bit.upper()} 0x{register.mask(bit):x}u" for bit in register.bits]
        if register.bits:
            lines.append(f"#define TALOS_{register.name}_MASK 0x{sum(map(register.mask, register.bits)):x}u")
    step = REGISTERS["REGION1_LOW"].offset - REGISTERS["REGION0_LOW"].offset
    units = list(Unit)
    unit_step = counter_offset(units[1], COUNTERS[0]) - counter_offset(units[0], COUNTERS[0])
    counter_step = counter_offset(units[0], COUNTERS[1]) - counter_offset(units[0], COUNTERS[0])
    lines += ["", "/* Regions: what the base addresses are for. */"]
    lines += [f"#define TALOS_REGION_{name} {region}u" for region, name in REGION_NAMES.items()]
    lines += [f"#define TALOS_REG_REGION_LOW(region) (TALOS_REG_REGION0_LOW + {step}u * (region))"]
    lines += ["", "/* Causes of an error stop, in ERROR_CAUSE. */"]
    lines += [f"#define TALOS_CAUSE_{cause.name} {cause.value}u" for cause in ErrorCause]
    lines += ["", "/* Units, as in ERROR_INFO, and their cycle counters. */"]
    lines += [f"#define TALOS_UNIT_{unit.name} {unit.value}u" for unit in units]
    lines += [f"#define TALOS_COUNTER_{counter.upper()} {index}u" for index, counter in enumerate(COUNTERS)]
    first = f"TALOS_REG_{units[0].name}_{COUNTERS[0].upper()}"
    lines += [f"#define TALOS_COUNTER_OFFSET(unit, counter) ({first} + {unit_step}u * (unit) + {counter_step}u * (counter))"]
    return "\n".join([*lines, "", "#endif", ""])


def _access(register: Register) -> str:
    return {"ro": "Read only", "rw": "Read and write", "w1": "Writing ones acts, reads 0"}[register.access]
