# docstore: build with the server's own PGXS. See README.md.

EXTENSION   = docstore
MODULE_big  = docstore
DATA        = $(wildcard sql/docstore--*.sql)
OBJS        = $(patsubst %.c,%.o,$(wildcard src/*.c src/*/*.c))
PG_CPPFLAGS = -I$(dir $(firstword $(MAKEFILE_LIST)))src

# Tests: test/sql and test/specs, both with their expected output in expected/.
REGRESS        = $(sort $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql)))
REGRESS_OPTS   = --inputdir=test --encoding=UTF8 --no-locale
ISOLATION      = $(sort $(patsubst test/specs/%.spec,%,$(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=.

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(wildcard src/*/*.h)
