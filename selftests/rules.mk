# SPDX-License-Identifier: BSD-3-Clause
# unit/test_*.c: one program each, with ASan and UBSan. harness/*.c: helper programs of the shell tests.
UNIT := $(patsubst selftests/unit/%.c,%,$(wildcard selftests/unit/test_*.c))
HARNESS := $(patsubst selftests/harness/%.c,%,$(shell grep -l '^int main' selftests/harness/*.c 2>/dev/null))
FUZZ := $(patsubst selftests/fuzz/%.c,%,$(wildcard selftests/fuzz/fuzz_*.c))
UNIT_HELPERS := $(patsubst %.c,$(B)/san/%.o,$(filter-out $(wildcard selftests/unit/test_*.c),$(wildcard selftests/unit/*.c)))

.PHONY: tests
tests: $(UNIT:%=$(B)/unit/%) $(FUZZ:%=$(B)/corpus/%) harness

$(B)/unit/%: $(B)/san/selftests/unit/%.o $(UNIT_HELPERS) $(LIBNP_SAN)
	@mkdir -p $(@D)
	@[ '$(V)' = 1 ] || echo '  LD.SAN  $@'
	$(Q)$(CC) -fsanitize=address,undefined -o $@ $< $(UNIT_HELPERS) $(LIBNP_SAN) $(LIB_SSL) $(LIB_JSON) $(LIB_SQLITE) $(LIB_YAML) $(LIB_BASE)

# A harness program NAME.c may have parts NAME_*.c beside it.
define harness_rule
$(1)_OBJS := $(patsubst %.c,$(B)/%.o,selftests/harness/$(1).c $(wildcard selftests/harness/$(1)_*.c))
$(B)/harness/$(1): $$($(1)_OBJS) $(LIBNP)
	@mkdir -p $$(@D)
	@[ '$(V)' = 1 ] || echo '  LD      $$@'
	$(Q)$(CC) $(HARDEN_LDFLAGS) -o $$@ $$($(1)_OBJS) $(LIBNP) $(LIB_SSL) $(LIB_JSON) $(LIB_SQLITE) $(LIB_YAML) $(LIB_BASE)
DEPS += $$($(1)_OBJS:.o=.d)
endef
$(foreach h,$(HARNESS),$(eval $(call harness_rule,$(h))))

# Fuzz targets are libFuzzer programs (clang); the same sources run their seed corpus under `make test`.
FUZZ_SECS ?= 20
FUZZ_CFLAGS = $(BASE_CFLAGS) -O1 -fno-omit-frame-pointer -Iselftests $(PKG_CFLAGS) -fsanitize=address,undefined
FUZZ_OBJS := $(LIB_SRCS:%.c=$(B)/fuzz/obj/%.o)
$(B)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	@[ '$(V)' = 1 ] || echo '  CC.FUZZ $<'
	$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<
$(B)/fuzz/libnp.a: $(FUZZ_OBJS)
	$(Q)rm -f $@ && ar rcT $@ $^
$(B)/fuzz/%: $(B)/fuzz/obj/selftests/fuzz/%.o $(B)/fuzz/libnp.a
	@[ '$(V)' = 1 ] || echo '  LD.FUZZ $@'
	$(Q)clang -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIB_SSL) $(LIB_JSON) $(LIB_SQLITE) $(LIB_YAML) $(LIB_BASE)
$(B)/corpus/%: $(B)/san/selftests/fuzz/%.o $(B)/san/selftests/fuzz/corpus_main.o $(LIBNP_SAN)
	@mkdir -p $(@D)
	@[ '$(V)' = 1 ] || echo '  LD.SAN  $@'
	$(Q)$(CC) -fsanitize=address,undefined -o $@ $^ $(LIB_SSL) $(LIB_JSON) $(LIB_SQLITE) $(LIB_YAML) $(LIB_BASE)

.PHONY: fuzzers
fuzzers: $(FUZZ:%=$(B)/fuzz/%)
fuzz:
	$(Q)tools/deps.sh fuzz
	$(Q)$(MAKE) --no-print-directory fuzzers
	$(Q)selftests/fuzz/run.sh $(FUZZ_SECS) $(FUZZ:%=$(B)/fuzz/%)

-include $(UNIT:%=$(B)/san/selftests/unit/%.d) $(FUZZ:%=$(B)/san/selftests/fuzz/%.d) $(FUZZ:%=$(B)/fuzz/obj/selftests/fuzz/%.d) \
	$(FUZZ_OBJS:.o=.d) $(UNIT_HELPERS:.o=.d) $(B)/san/selftests/fuzz/corpus_main.d
.PRECIOUS: $(B)/%.o $(B)/san/%.o $(B)/fuzz/obj/%.o
