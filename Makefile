# Sallyport.  `make` builds, `make demo` shows, `make check` proves.
# SANITIZE=1 builds everything apart, under build/asan, with ASan and UBSan.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VERSION := 0.1.0
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif

ifeq ($(SANITIZE),1)
BUILD := build/asan
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
else
BUILD := build
SAN_FLAGS :=
endif

PKGS_COMMON := libuv openssl expat jansson libidn libidn2
PKGS_EDGE := libunbound libseccomp
PKGS_GATEWAY := libosip2 sqlite3
PKGS := $(PKGS_COMMON) $(PKGS_EDGE) $(PKGS_GATEWAY)

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith \
	-Wwrite-strings -Wvla -Wformat=2 -Wundef -Wcast-qual -Wswitch-enum \
	-Werror
CPPFLAGS += -I. -D_GNU_SOURCE -DSALLYPORT_VERSION='"$(VERSION)"'
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=c17 $(CFLAGS) $(WARN) -fstack-protector-strong \
	-fPIE $(SAN_FLAGS)
ifneq ($(SANITIZE),1)
CPPFLAGS += -D_FORTIFY_SOURCE=2
else
CPPFLAGS += -DSALLYPORT_SANITIZED=1
endif
# Library headers are system headers: their warnings are not ours.
PKG_CFLAGS = $(subst -I,-isystem ,$(shell pkg-config --cflags $(PKGS) 2>/dev/null))
LDFLAGS += -pie -Wl,-z,relro,-z,now $(SAN_FLAGS)
LIBS_COMMON = $(shell pkg-config --libs $(PKGS_COMMON))
LIBS_EDGE = $(shell pkg-config --libs $(PKGS_EDGE)) $(LIBS_COMMON)
LIBS_GATEWAY = $(shell pkg-config --libs $(PKGS_GATEWAY)) $(LIBS_COMMON)

# --- sources -----------------------------------------------------------

SRC_COMMON := $(wildcard common/*.c)
SRC_PROTO := $(wildcard proto/*.c)
SRC_EDGE := $(filter-out edge-proxy/main.c,$(wildcard edge-proxy/*.c))
GATEWAY_DIRS := . sip translate conversation presence policy store admin
SRC_GATEWAY := $(filter-out frontend-gateway/./main.c,\
	$(foreach d,$(GATEWAY_DIRS),$(wildcard frontend-gateway/$(d)/*.c)))
SRC_UNIT := $(wildcard tests/unit/test_*.c)
SRC_UNIT_LIB := $(filter-out $(SRC_UNIT),$(wildcard tests/unit/*.c))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIB_COMMON := $(BUILD)/lib/libcommon.a
LIB_PROTO := $(BUILD)/lib/libproto.a
LIB_EDGE := $(BUILD)/lib/libedge.a
LIB_GATEWAY := $(BUILD)/lib/libgateway.a
BINS := $(if $(wildcard edge-proxy/main.c),$(BUILD)/bin/sallyport-edge) \
	$(if $(wildcard frontend-gateway/main.c),$(BUILD)/bin/sallyport-gateway)
UNITS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(SRC_UNIT))

.PHONY: all
all: $(BINS)

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
$(LIB_GATEWAY): $(call obj,$(SRC_GATEWAY))
	$(archive)

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

# --- tests -------------------------------------------------------------

$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(call obj,$(SRC_UNIT_LIB)) \
		$(LIB_EDGE) $(LIB_GATEWAY) $(LIB_PROTO) $(LIB_COMMON)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_EDGE) $(LIBS_GATEWAY) -lcmocka

.PHONY: unit-build unit
unit-build: $(UNITS)
unit: $(UNITS)
	@set -e; for t in $(UNITS); do echo "== $$t"; timeout 120 ./$$t; done

.PHONY: clean
clean:
	rm -rf build

-include $(patsubst %.c,$(BUILD)/obj/%.d,$(SRC_COMMON) $(SRC_PROTO) \
	$(SRC_EDGE) $(SRC_GATEWAY) $(SRC_UNIT) $(SRC_UNIT_LIB) \
	edge-proxy/main.c frontend-gateway/main.c)
