# SPDX-License-Identifier: BSD-3-Clause
# Libraries are one archive per layer folder; programs link all of them, the linker takes what it needs.
LIB_DIRS := atserver noports relay at splice store tls kern cli net json crypto ev base
LIB_SRCS := $(foreach d,$(LIB_DIRS),$(wildcard userspace/lib/$(d)/*.c))
LIB_OBJS := $(LIB_SRCS:%.c=$(B)/%.o)
SAN_OBJS := $(LIB_SRCS:%.c=$(B)/san/%.o)
LIBNP := $(B)/libnp.a
LIBNP_SAN := $(B)/san/libnp.a

PROGRAMS := $(foreach p,atdirectoryd atserverd srvd sshnpd sshnp npt srv at_activate npctl,$(if $(wildcard userspace/$(p)/main.c),$(p)))

# Archives are made anew so that a deleted source leaves no member behind; thin keeps that cheap.
$(LIBNP): $(LIB_OBJS)
	$(Q)rm -f $@ && ar rcT $@ $^
$(LIBNP_SAN): $(SAN_OBJS)
	$(Q)rm -f $@ && ar rcT $@ $^

$(B)/%.o: %.c
	@mkdir -p $(@D)
	@[ '$(V)' = 1 ] || echo '  CC      $<'
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/san/%.o: %.c
	@mkdir -p $(@D)
	@[ '$(V)' = 1 ] || echo '  CC.SAN  $<'
	$(Q)$(CC) $(SAN_CFLAGS) -MMD -MP -c -o $@ $<

define program_rule
$(1)_OBJS := $$(patsubst %.c,$(B)/%.o,$$(wildcard userspace/$(1)/*.c))
$(B)/bin/$(1): $$($(1)_OBJS) $(LIBNP)
	@mkdir -p $$(@D)
	@[ '$(V)' = 1 ] || echo '  LD      $$@'
	$(Q)$(CC) $(HARDEN_LDFLAGS) -o $$@ $$($(1)_OBJS) $(LIBNP) $(LIB_SSL) $(LIB_JSON) $(LIB_SQLITE) $(LIB_YAML) $(LIB_BASE)
DEPS += $$($(1)_OBJS:.o=.d)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

DEPS += $(LIB_OBJS:.o=.d) $(SAN_OBJS:.o=.d)
-include $(DEPS)
