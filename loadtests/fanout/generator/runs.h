// The runs: each connects its sessions, does its work and prints one JSON object on its last line.
#pragma once
#include <stdbool.h>
#include <stdint.h>

int run_load(bool presence);  // keystrokes, or cursors, on the open-loop schedule
int run_join(void);           // everybody at once
int run_hold(void);           // connect, say so, stay until standard input ends
int run_walk(void);           // prints what updates on standard input cover; for tests of the parser

bool connect_range(int first, int last, int at_once);  // false if one is lost or time is up
bool connect_rooms(void);   // adds every client of every room; the first client of each room goes ahead
