LIBS += runtime
runtime_SRC := $(sort $(wildcard runtime/*.c))

PROGRAMS += carrel-runtime
carrel-runtime_SRC := runtime/cli/main.c runtime/cli/commands.c runtime/cli/handlers.c runtime/cli/ps.c
carrel-runtime_LINK := runtime base
carrel-runtime_PKGS := libseccomp libcap
carrel-runtime_LIBS := -l:libyajl_s.a -lm
carrel-runtime_STATIC := 1
