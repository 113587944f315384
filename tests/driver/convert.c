/* Values to codes and back with the exported driver of the network `ports`.
 *
 *     convert quantize|dequantize PORT IMAGES < values or codes > codes or values
 *
 * PORT is an input. Exit status: the driver's result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ports_program.h"

int main(int count, char **values)
{
    const talos_port *port;
    size_t from, to;
    void *source, *target;
    if (count != 4)
        return 100;
    port = &ports_program.inputs[strtoul(values[2], NULL, 10)];
    from = to = port->elements;
    if (port->type == TALOS_FLOAT32)
        *(strcmp(values[1], "quantize") == 0 ? &from : &to) *= sizeof(float);
    source = malloc(from);
    target = malloc(to);
    for (unsigned long image = strtoul(values[3], NULL, 10); image-- > 0;) {
        if (fread(source, 1, from, stdin) != from)
            return 101;
        if (strcmp(values[1], "quantize") == 0) {
            const talos_result result = talos_quantize(port, source, target);
            if (result != TALOS_OK)
                return (int)result;
        } else {
            talos_dequantize(port, source, target);
        }
        if (fwrite(target, 1, to, stdout) != to)
            return 102;
    }
    return 0;
}
