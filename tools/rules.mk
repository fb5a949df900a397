# SPDX-License-Identifier: BSD-3-Clause
# tools/bench/NAME.c with a main: a benchmark program, its parts are NAME_*.c beside it.
BENCHES := $(patsubst tools/bench/%.c,%,$(shell grep -l '^int main' tools/bench/*.c 2>/dev/null))

.PHONY: benches
benches: $(BENCHES:%=$(B)/bench/%)

define bench_rule
$(1)_BOBJS := $(patsubst %.c,$(B)/%.o,tools/bench/$(1).c $(wildcard tools/bench/$(1)_*.c))
$(B)/bench/$(1): $$($(1)_BOBJS) $(LIBNP)
	@mkdir -p $$(@D)
	@[ '$(V)' = 1 ] || echo '  LD      $$@'
	$(Q)$(CC) $(HARDEN_LDFLAGS) -o $$@ $$($(1)_BOBJS) $(LIBNP) $(LIB_SSL) $(LIB_JSON) $(LIB_SQLITE) $(LIB_YAML) $(LIB_BASE)
DEPS += $$($(1)_BOBJS:.o=.d)
endef
$(foreach b,$(BENCHES),$(eval $(call bench_rule,$(b))))
