# Sallyport.  `make` builds, `make demo` shows, `make check` proves.
# SANITIZE=1 builds everything apart, under build/asan, with ASan and UBSan.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
# Objects of tests are nobody's leftovers: without this, make takes them for
# intermediate files, deletes them, and the next make compiles them again.
.SECONDARY:

VERSION := 0.1.0
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif

ifeq ($(FUZZ),1)
BUILD := build/fuzz
CC := clang
SAN_FLAGS := -fsanitize=address,undefined,fuzzer-no-link \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
else ifeq ($(COVERAGE),1)
# The fuzz targets once more, for what their corpus runs through.
BUILD := build/coverage
CC := clang
FUZZ := 1
SAN_FLAGS := -fsanitize=fuzzer-no-link -fprofile-instr-generate \
	-fcoverage-mapping
LDFLAGS += -fprofile-instr-generate
else ifeq ($(SANITIZE),1)
BUILD := build/asan
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
else
BUILD := build
SAN_FLAGS :=
endif

PKGS_COMMON := libuv openssl expat jansson libidn libidn2
PKGS_EDGE := libunbound libseccomp
PKGS_GATEWAY := libosip2 sqlite3 libxml-2.0 libmicrohttpd
PKGS_COMMAND := libunbound libcurl
PKGS := $(PKGS_COMMON) $(PKGS_EDGE) $(PKGS_GATEWAY) $(PKGS_COMMAND)

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith \
	-Wwrite-strings -Wvla -Wformat=2 -Wundef -Wcast-qual -Wswitch-enum \
	-Werror
CPPFLAGS += -I. -D_GNU_SOURCE -DSALLYPORT_VERSION='"$(VERSION)"'
# With sanitizers -O1: half the time to compile, and reports that name the line.
ifeq ($(SANITIZE)$(FUZZ),)
CFLAGS ?= -O2 -g
else
CFLAGS ?= -O1 -g1
endif
TEST_CFLAGS ?= -O1 -g1
ifeq ($(FUZZ),1)
# clang's taste in warnings is heard by clang-tidy; here it only builds.
WARN := -w
endif
ifeq ($(SANITIZE),1)
# Guesses what -O2, in the plain build, knows.
WARN += -Wno-format-truncation
endif
ALL_CFLAGS := -std=c17 $(CFLAGS) $(WARN) -fstack-protector-strong \
	-fPIE $(SAN_FLAGS)
ifeq ($(SANITIZE)$(FUZZ),)
CPPFLAGS += -D_FORTIFY_SOURCE=2
else
CPPFLAGS += -DSALLYPORT_SANITIZED=1
endif
# Library headers are system headers: their warnings are not ours.  Debian's
# libunbound.pc names a package for its flags that nobody needs to have.
PKG_CFLAGS := $(subst -I,-isystem ,$(shell pkg-config --cflags \
	$(filter-out libunbound,$(PKGS)) 2>/dev/null))
LDFLAGS += -pie -Wl,-z,relro,-z,now $(SAN_FLAGS)
LIBS_COMMON = $(shell pkg-config --libs $(PKGS_COMMON))
LIBS_EDGE = $(shell pkg-config --libs $(PKGS_EDGE)) $(LIBS_COMMON)
LIBS_COMMAND = $(shell pkg-config --libs $(PKGS_COMMAND)) $(LIBS_COMMON)
LIBS_GATEWAY = $(shell pkg-config --libs $(PKGS_GATEWAY)) $(LIBS_COMMON)

# --- sources -----------------------------------------------------------

SRC_COMMON := $(wildcard common/*.c)
SRC_PROTO := $(wildcard proto/*.c)
SRC_EDGE := $(filter-out edge-proxy/main.c,$(wildcard edge-proxy/*.c))
GATEWAY_DIRS := . sip translate conversation presence policy store settings \
	admin trace
SRC_GATEWAY := $(filter-out frontend-gateway/./main.c,\
	$(foreach d,$(GATEWAY_DIRS),$(wildcard frontend-gateway/$(d)/*.c)))
SRC_COMMAND := $(wildcard deploy/*.c)
SRC_UNIT := $(wildcard tests/unit/test_*.c)
# Rigs that stand for parts of ours, each for the tests named after it alone;
# all else that tests share goes with each of them.
SRC_UNIT_CHAT_RIG := tests/unit/chat_rig.c
SRC_UNIT_ROUTE_RIG := tests/unit/route_rig.c
SRC_UNIT_LIB := $(filter-out $(SRC_UNIT) $(SRC_UNIT_CHAT_RIG) \
	$(SRC_UNIT_ROUTE_RIG),$(wildcard tests/unit/*.c))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIB_COMMON := $(BUILD)/lib/libcommon.a
LIB_PROTO := $(BUILD)/lib/libproto.a
LIB_EDGE := $(BUILD)/lib/libedge.a
LIB_GATEWAY := $(BUILD)/lib/libgateway.a
DAEMON_BINS := $(BUILD)/bin/sallyport-edge $(BUILD)/bin/sallyport-gateway
COMMAND_BIN := $(BUILD)/bin/sallyport
BINS := $(DAEMON_BINS) $(COMMAND_BIN)
LIB_COMMAND := $(BUILD)/lib/libcommand.a
UNITS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(SRC_UNIT))

.PHONY: all
all: $(BINS)

$(BUILD)/obj/tests/%.o: CFLAGS := $(TEST_CFLAGS)
$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "CC $<"
	@$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define archive
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcsD $@ $(filter %.o,$^)
endef
$(LIB_COMMON): $(call obj,$(SRC_COMMON))
	$(archive)
$(LIB_PROTO): $(call obj,$(SRC_PROTO))
	$(archive)
$(LIB_EDGE): $(call obj,$(SRC_EDGE))
	$(archive)
$(LIB_GATEWAY): $(call obj,$(SRC_GATEWAY)) $(BUILD)/gen/openapi_builtin.o
	$(archive)

$(LIB_COMMAND): $(call obj,$(filter-out deploy/sallyport.c,$(SRC_COMMAND))) \
		$(BUILD)/gen/ports_builtin.o
	$(archive)

# The description of the HTTP interface goes into the program as it is.
$(BUILD)/gen/openapi_builtin.c: frontend-gateway/admin/openapi.json
	@mkdir -p $(@D)
	@{ echo '#include "frontend-gateway/admin/openapi_builtin.h"'; \
	echo 'const unsigned char openapi_builtin[] = {'; \
	od -An -v -tu1 $< | sed 's/ *\([0-9][0-9]*\)/\1,/g'; \
	echo '};'; \
	echo 'const size_t openapi_builtin_size = sizeof(openapi_builtin);'; } \
		>$@

# The port table goes into the program as it is.
$(BUILD)/gen/ports_builtin.c: deploy/ports.json
	@mkdir -p $(@D)
	@{ echo '#include "deploy/ports_builtin.h"'; \
	echo 'const unsigned char ports_builtin[] = {'; \
	od -An -v -tu1 $< | sed 's/ *\([0-9][0-9]*\)/\1,/g'; \
	echo '};'; \
	echo 'const size_t ports_builtin_size = sizeof(ports_builtin);'; } >$@
$(BUILD)/gen/%.o: $(BUILD)/gen/%.c
	@$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/bin/sallyport-edge: $(call obj,edge-proxy/main.c) $(LIB_EDGE) \
		$(LIB_PROTO) $(LIB_COMMON)
	@mkdir -p $(@D)
	@echo "LD $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_EDGE)
$(BUILD)/bin/sallyport-gateway: $(call obj,frontend-gateway/main.c) \
		$(LIB_GATEWAY) $(LIB_PROTO) $(LIB_COMMON)
	@mkdir -p $(@D)
	@echo "LD $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_GATEWAY)
$(COMMAND_BIN): $(call obj,deploy/sallyport.c) $(LIB_COMMAND) $(LIB_COMMON)
	@mkdir -p $(@D)
	@echo "LD $@"
	@$(CC) $(LDFLAGS) -Wl,--as-needed -o $@ $^ $(LIBS_COMMAND)

# --- tests -------------------------------------------------------------

# A hundred programs, each linked with everything: gold, of Debian's binutils,
# takes a third of bfd's time.  What is installed is linked by the default.
TEST_LD := $(if $(shell command -v ld.gold),-fuse-ld=gold)
$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(call obj,$(SRC_UNIT_LIB)) \
		$(LIB_EDGE) $(LIB_GATEWAY) $(LIB_COMMAND) $(LIB_PROTO) \
		$(LIB_COMMON)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) $(TEST_LD) -Wl,--as-needed -o $@ $(filter %.o,$^) \
		$(filter %.a,$^) $(LIBS_EDGE) $(LIBS_GATEWAY) \
		$(LIBS_COMMAND) -lcmocka
$(filter $(BUILD)/unit/test_chat_%,$(UNITS)): $(call obj,$(SRC_UNIT_CHAT_RIG))
$(filter $(BUILD)/unit/test_routes%,$(UNITS)): \
	$(call obj,$(SRC_UNIT_ROUTE_RIG))

.PHONY: unit-build unit
unit-build: $(UNITS)
unit: $(UNITS)
	@printf '%s\n' $(UNITS) | xargs -P $(shell nproc) -n 1 tests/unit/whole

# --- demo --------------------------------------------------------------

.PHONY: demo
# KEEP=1 leaves it running and tells how to join.
demo:
	@deploy/install-deps demo
	@KEEP=$(KEEP) deploy/demo

# --- checks ------------------------------------------------------------
# The tree proves itself by `make check`; each part runs by itself too.

PYTHON := /usr/bin/python3
PYTEST := $(PYTHON) -B -m pytest -q -rs -p no:cacheprovider
JOBS := -j$(shell nproc)

.PHONY: check scenario asan torture trial mutants bench
check:
	@deploy/install-deps check
	@MAKE='$(MAKE)' tests/check

# TESTS="-k restart" picks some.  Each file goes to one of SIDE_BY_SIDE
# workers; every site has addresses of its own.
SIDE_BY_SIDE ?= 6
SCENARIOS := -n $(SIDE_BY_SIDE) --dist loadfile tests/scenario
scenario: all
	@SALLYPORT_BIN=$(BUILD)/bin $(PYTEST) $(SCENARIOS) $(TESTS)

# What fails side by side is tried once more, alone: real servers are slow at
# times when five sites share two cores.  Both runs are printed, and who fails
# twice has failed.
PYTEST_AGAIN := $(PYTHON) -B -m pytest -q -rs \
	-o cache_dir=$(CURDIR)/$(BUILD)/pytest
.PHONY: scenario-twice scenario-plain
scenario-twice: all
	@SALLYPORT_BIN=$(BUILD)/bin $(PYTEST_AGAIN) $(SCENARIOS) $(TESTS) || \
	{ echo "== what failed, once more, alone"; \
	SALLYPORT_BIN=$(BUILD)/bin $(PYTEST_AGAIN) --lf --lfnf=none \
		tests/scenario $(TESTS); }
# What has to be seen without sanitizers as well: see the marker `once`.
scenario-plain:
	@$(MAKE) -s scenario-twice TESTS='-m "not once" $(TESTS)'

asan:
	@$(MAKE) -s $(JOBS) SANITIZE=1 all unit-build

# The scenarios in which something is torn down, over and over.
TORTURE_ROUNDS ?= 20
torture: all
	@SALLYPORT_ROUNDS=$(TORTURE_ROUNDS) SALLYPORT_BIN=$(BUILD)/bin \
		$(PYTEST) -rP tests/scenario -m torture $(TESTS)

# The guides followed on booted Debian hosts, and each port of the firewalls
# swept: root, a Debian mirror and some minutes.  TESTS picks.
trial: deb
	@deploy/install-deps trial
	@tests/trial/make-base build/trial/base build/deb/*.deb
	@SALLYPORT_BIN=$(BUILD)/bin $(PYTEST) -x tests/trial $(TESTS)
	@SALLYPORT_SWEEP=all SALLYPORT_BIN=$(BUILD)/bin $(PYTEST) \
		tests/scenario/test_firewall.py -k "gets_in"

# Broken variants of our own code; the scenarios must find each of them.
# MUTANTS="ping copy" picks some.
mutants: all
	@$(PYTHON) -B tests/mutants/run $(MUTANTS)

BENCH_SECONDS ?= 10
bench: all
	@SALLYPORT_BIN=$(BUILD)/bin $(PYTHON) -B tests/bench/bench \
		--seconds $(BENCH_SECONDS)

ROOMS := common proto edge-proxy frontend-gateway deploy tests
SOURCES = $(sort $(shell find $(ROOMS) -name '*.[ch]'))
TIDY := $(patsubst %.c,$(BUILD)/tidy/%.ok,$(SRC_COMMON) $(SRC_PROTO) \
	$(SRC_EDGE) $(SRC_GATEWAY) $(SRC_COMMAND) \
	$(wildcard edge-proxy/main.c) $(wildcard frontend-gateway/main.c))
CPPCHECK := cppcheck --quiet $(JOBS) --std=c11 --error-exitcode=1 \
	--enable=warning,performance,portability --inline-suppr \
	--suppress=missingInclude --suppress=unknownMacro \
	$(filter-out -D_GNU_SOURCE -DSALLYPORT_VERSION%,$(CPPFLAGS))

.PHONY: lint lint-format tidy lint-cppcheck format
lint: lint-format tidy lint-cppcheck
lint-format:
	@clang-format --dry-run -Werror $(SOURCES)
tidy: $(TIDY)
# States the analyzer looks at in one function before it turns to the next.
# Its own limit, 225000, costs twice the time; `make lint TIDY_NODES=225000`
# after a change that is hard to follow.
TIDY_NODES ?= 100000
# After the object, so that a changed header counts.
$(BUILD)/tidy/%.ok: $(BUILD)/obj/%.o .clang-tidy
	@mkdir -p $(@D)
	@echo "TIDY $*.c"
	@clang-tidy --quiet $*.c -- $(CPPFLAGS) $(PKG_CFLAGS) -std=c17 \
		-Xclang -analyzer-config -Xclang max-nodes=$(TIDY_NODES) \
		2>/dev/null
	@touch $@
# Tests have functions of the same name, of which it takes one for the other.
lint-cppcheck: $(BUILD)/tidy/cppcheck.ok
$(BUILD)/tidy/cppcheck.ok: $(SOURCES)
	@mkdir -p $(@D)
	@echo "CPPCHECK"
	@$(CPPCHECK) common proto edge-proxy frontend-gateway deploy
	@$(CPPCHECK) --suppress=ctunullpointer tests/unit tests/fuzz
	@touch $@
format:
	@clang-format -i $(SOURCES)

# --- fuzzing -----------------------------------------------------------
# tests/fuzz/fuzz_<what>.c; seeds in tests/fuzz/corpus/<what>/, what is found
# beyond them stays in build/fuzz.

# make fuzz takes FUZZ_SECONDS a target; fuzz-short, which is part of make check,
# a fixed number of runs from a fixed seed.
FUZZ_SECONDS ?= 20
FUZZ_SHORT_RUNS := 3000
FUZZ_FLAGS := -timeout=5 -rss_limit_mb=1024 -verbosity=0 -print_final_stats=0
fuzz_seeds = tests/fuzz/corpus/$(1) $(if $(filter sip,$(1)),\
	tests/torture-messages)
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
.PHONY: fuzz fuzz-short fuzz-build fuzz-run fuzz-run-short
fuzz:
	@$(MAKE) -s $(JOBS) FUZZ=1 fuzz-build
	@$(MAKE) -s FUZZ=1 fuzz-run
fuzz-short:
	@$(MAKE) -s $(JOBS) FUZZ=1 fuzz-run-short
fuzz-build: $(patsubst %,$(BUILD)/bin/fuzz_%,$(FUZZERS))
$(BUILD)/bin/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(LIB_EDGE) \
		$(LIB_GATEWAY) $(LIB_COMMAND) $(LIB_PROTO) $(LIB_COMMON)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -fsanitize=fuzzer -Wl,--as-needed -o $@ $^ \
		$(LIBS_EDGE) $(LIBS_GATEWAY) $(LIBS_COMMAND)
# The dictionaries libFuzzer recommends at the end are of no use to anybody.
FUZZ_LONG := $(patsubst %,fuzz-long-%,$(FUZZERS))
.PHONY: $(FUZZ_LONG)
fuzz-run: $(FUZZ_LONG)
$(FUZZ_LONG): fuzz-long-%: $(BUILD)/bin/fuzz_%
	@echo "== $*, $(FUZZ_SECONDS) s"
	@mkdir -p $(BUILD)/corpus/$* tests/fuzz/corpus/$*
	@$< $(FUZZ_FLAGS) -max_total_time=$(FUZZ_SECONDS) \
		-artifact_prefix=$(BUILD)/found-$*- \
		$(BUILD)/corpus/$* $(call fuzz_seeds,$*) \
		2>$(BUILD)/$*.log || { cat $(BUILD)/$*.log; exit 1; }
FUZZ_SHORT := $(patsubst %,fuzz-short-%,$(FUZZERS))
.PHONY: $(FUZZ_SHORT)
fuzz-run-short: $(FUZZ_SHORT)
$(FUZZ_SHORT): fuzz-short-%: $(BUILD)/bin/fuzz_%
	@rm -rf $(BUILD)/short/$*; mkdir -p $(BUILD)/short/$*
	@$< $(FUZZ_FLAGS) -seed=1 -runs=$(FUZZ_SHORT_RUNS) \
		-artifact_prefix=$(BUILD)/found-$*- \
		$(BUILD)/short/$* $(call fuzz_seeds,$*) \
		2>$(BUILD)/$*.log || { cat $(BUILD)/$*.log; exit 1; }
	@echo "fuzz $*: $(FUZZ_SHORT_RUNS) runs, nothing found"

# --- installation ------------------------------------------------------

PREFIX ?= /usr/local
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
SYSCONFDIR ?= /etc
DAEMONS := sallyport-edge sallyport-gateway
WATCHER := sallyport-test-im
.PHONY: install deb
install: all
	@install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin \
		$(DESTDIR)$(UNITDIR) \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(TMPFILESDIR) \
		$(DESTDIR)$(PREFIX)/share/man/man7 \
		$(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/share/doc/sallyport/examples
	@install -m 755 $(DAEMON_BINS) $(DESTDIR)$(PREFIX)/sbin
	@install -m 755 $(COMMAND_BIN) $(DESTDIR)$(PREFIX)/bin
	@install -m 644 deploy/sallyport.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/sallyport
	@set -e; for d in $(DAEMONS); do \
		sed 's#/usr/sbin/#$(PREFIX)/sbin/#' deploy/systemd/$$d.service \
			>$(DESTDIR)$(UNITDIR)/$$d.service; \
		chmod 644 $(DESTDIR)$(UNITDIR)/$$d.service; \
	done
	@sed 's#/usr/bin/#$(PREFIX)/bin/#' deploy/systemd/$(WATCHER).service \
		>$(DESTDIR)$(UNITDIR)/$(WATCHER).service
	@chmod 644 $(DESTDIR)$(UNITDIR)/$(WATCHER).service
	@install -m 644 deploy/systemd/$(WATCHER).timer $(DESTDIR)$(UNITDIR)
	@install -d $(DESTDIR)$(SYSCONFDIR)/default
	@test -e $(DESTDIR)$(SYSCONFDIR)/default/$(WATCHER) || \
		install -m 644 deploy/default/$(WATCHER) \
		$(DESTDIR)$(SYSCONFDIR)/default
	@install -m 644 edge-proxy/sallyport-edge.8 \
		frontend-gateway/sallyport-gateway.8 deploy/sallyport.8 \
		$(DESTDIR)$(PREFIX)/share/man/man8
	@install -m 644 frontend-gateway/sallyport-admin-api.7 \
		$(DESTDIR)$(PREFIX)/share/man/man7
	@install -m 644 frontend-gateway/admin/openapi.json \
		$(DESTDIR)$(PREFIX)/share/doc/sallyport
	@$(COMMAND_BIN) events --manual \
		>$(DESTDIR)$(PREFIX)/share/man/man7/sallyport-events.7
	@install -m 644 deploy/sysusers.d/sallyport.conf \
		$(DESTDIR)$(SYSUSERSDIR)
	@install -m 644 deploy/tmpfiles.d/sallyport-gateway.conf \
		$(DESTDIR)$(TMPFILESDIR)
	@install -m 644 deploy/examples/*.json \
		$(DESTDIR)$(PREFIX)/share/doc/sallyport/examples
	@install -d $(DESTDIR)$(PREFIX)/share/sallyport \
		$(DESTDIR)$(PREFIX)/share/doc/sallyport/examples/sites
	@install -m 644 deploy/examples/sites/*.json \
		$(DESTDIR)$(PREFIX)/share/doc/sallyport/examples/sites
	@install -m 644 deploy/GUIDE-*.md deploy/ACCEPTANCE.md \
		$(DESTDIR)$(PREFIX)/share/doc/sallyport
	@install -m 755 deploy/acme-hook \
		$(DESTDIR)$(PREFIX)/share/sallyport
	@install -m 644 deploy/ports.json \
		$(DESTDIR)$(PREFIX)/share/sallyport

deb: all
	@deploy/build-deb $(VERSION) $(BUILD) build/deb

.PHONY: clean
clean:
	rm -rf build

-include $(patsubst %.c,$(BUILD)/obj/%.d,$(SRC_COMMON) $(SRC_PROTO) \
	$(SRC_EDGE) $(SRC_GATEWAY) $(SRC_COMMAND) $(SRC_UNIT) $(SRC_UNIT_LIB) \
	$(SRC_UNIT_CHAT_RIG) $(SRC_UNIT_ROUTE_RIG) \
	edge-proxy/main.c frontend-gateway/main.c \
	$(wildcard tests/fuzz/fuzz_*.c))
