runtime_SRC := $(sort $(wildcard runtime/*.c))
