# SPDX-License-Identifier: BSD-3-Clause
# knp: NoPorts, moved into the Linux kernel. `make help` lists the targets.
include version.mk

V ?= 0
Q := $(if $(filter 1,$(V)),,@)
B ?= build
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= gcc
WERROR ?= -Werror

PKGS := libssl libcrypto jansson sqlite3
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
HARDEN_CFLAGS := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
HARDEN_LDFLAGS := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wvla $(WERROR)
BASE_CFLAGS := -std=gnu11 -g $(WARN) -fno-strict-aliasing -D_GNU_SOURCE -DNP_VERSION='"$(NP_VERSION)"' \
	-Iuserspace/lib -Iinclude
CFLAGS ?= -O2
ALL_CFLAGS = $(BASE_CFLAGS) $(CFLAGS) $(HARDEN_CFLAGS) $(PKG_CFLAGS)
SAN_CFLAGS = $(BASE_CFLAGS) -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer -Iselftests $(PKG_CFLAGS)
# libev ships no pkg-config file. Programs that never touch BPF are not linked to libbpf (--as-needed).
LIB_BASE := -lbpf -lev -lpthread
LIB_JSON := -ljansson
LIB_SSL := -lssl -lcrypto
LIB_SQLITE := -lsqlite3
LIB_YAML := -lyaml

all: programs
.PHONY: all programs harness test demo bench install clean help check-layers check fuzz

# Every folder adds to LIB_SRCS, PROGRAMS, HARNESS and TESTS.
include bpf/rules.mk
include userspace/rules.mk
include selftests/rules.mk
include tools/rules.mk

programs: $(PROGRAMS:%=$(B)/bin/%)
harness: $(HARNESS:%=$(B)/harness/%)

help:
	@echo 'make                build every program into $(B)/bin'
	@echo 'make demo           the main job, live: ssh to a device with no open ports (SHELL_IN=1 stays in a shell)'
	@echo 'make test           install what is missing, build, run every test suite (TAP)'
	@echo 'make bench          run the benchmarks, BENCH=name for one; results in $(B)/bench/NAME.json'
	@echo 'make fuzz           run every fuzz target for FUZZ_SECS seconds each (default 20)'
	@echo 'make install        install into DESTDIR/PREFIX (default /usr/local)'
	@echo 'make check-layers   who may include whom (design rule)'
	@echo 'make clean          remove $(B)'
	@echo 'Variables: V=1 shows commands, JOBS, CC, CFLAGS, B (build folder), PREFIX, DESTDIR'

demo:
	$(Q)tools/deps.sh demo
	$(Q)$(MAKE) -j$(JOBS) --no-print-directory all
	$(Q)tools/demo.sh

test:
	$(Q)tools/deps.sh test
	$(Q)$(MAKE) -j$(JOBS) --no-print-directory all check-layers
	$(Q)$(MAKE) -j$(JOBS) --no-print-directory tests
	$(Q)selftests/run.sh

bench:
	$(Q)tools/deps.sh bench
	$(Q)$(MAKE) -j$(JOBS) --no-print-directory all harness benches
	$(Q)tools/bench/bench.sh $(BENCH)

check-layers:
	$(Q)tools/check-layers.sh

install: programs
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(PROGRAMS:%=$(B)/bin/%) $(DESTDIR)$(PREFIX)/bin/

clean:
	rm -rf $(B)
