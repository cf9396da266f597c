#include "pool.h"
int main() { return tw::get_threads() >= 1 ? 0 : 1; }
