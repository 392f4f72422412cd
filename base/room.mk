LIBS += base
base_SRC := base/err.c base/util.c base/fd.c base/buf.c base/path.c base/str.c base/clock.c base/json.c \
	base/json_decode.c base/json_write.c base/yaml.c base/log.c base/child.c base/loop.c base/sock.c base/opt.c

UNIT += test_base
test_base_LINK := base
test_base_LIBS := -lyajl -lyaml
