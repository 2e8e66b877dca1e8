// Processor time: of the server, of this generator, and of everybody else on the machine.
#pragma once

typedef struct {
    double server_s, own_s;
    double server_waited_s;         // ready to run but not running: something else had its core
    double machine_s, stolen_s;     // all cores together; taken by the hypervisor
    double wall_s;
} Usage;

Usage usage_now(void);
Usage usage_between(Usage before, Usage after);
