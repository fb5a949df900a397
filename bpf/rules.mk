# SPDX-License-Identifier: BSD-3-Clause
# BPF objects are built for the host's UAPI headers alone and are embedded by userspace/lib/kern/bpfblob.c.
BPF_CLANG ?= clang
BPF_STRIP ?= llvm-strip
BPF_CFLAGS = -std=gnu11 -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Wshadow $(WERROR) -Iinclude \
	-idirafter /usr/include/$(shell $(CC) -print-multiarch)
BPF_OBJS := $(patsubst bpf/%.bpf.c,$(B)/bpf/%.bpf.o,$(wildcard bpf/*.bpf.c))

$(B)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	@[ '$(V)' = 1 ] || echo '  BPF     $<'
	$(Q)$(BPF_CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $(@:.o=.d) -c -o $@ $< && $(BPF_STRIP) -g $@

BLOB_OBJS := $(foreach d,$(B) $(B)/san $(B)/fuzz/obj,$(d)/userspace/lib/kern/bpfblob.o)
$(BLOB_OBJS): $(BPF_OBJS)
$(BLOB_OBJS): BASE_CFLAGS += -DNP_BPF_DIR='"$(B)/bpf"'
-include $(BPF_OBJS:.o=.d)

# The tests of the express back end drive it with the load generator.
tests: $(B)/bench/npload
