# Mereo. `make help` lists the targets and the knobs.

# ---- Knobs --------------------------------------------------------------------------------------

SANITIZE ?=
DEBUG    ?= 0
OPENMP   ?= 1
V        ?= 0
PREFIX   ?= /usr/local

comma := ,
empty :=
space := $(empty) $(empty)

ifeq ($(origin CXX),default)
CXX := g++
# Only clang's OpenMP runtime tells ThreadSanitizer about its barriers.
ifneq ($(findstring thread,$(SANITIZE)),)
CXX := $(shell command -v clang++ || command -v clang++-14 || echo clang++)
endif
endif

# One folder per variant, so that none undoes another's work: build, build/debug, build/address-undefined ...
VARIANT := $(subst $(comma),-,$(SANITIZE))
ifneq ($(DEBUG),0)
VARIANT += debug
endif
ifeq ($(OPENMP),0)
VARIANT += serial
endif
VARIANT := $(subst $(space),-,$(strip $(VARIANT)))
BUILD   ?= $(if $(VARIANT),build/$(VARIANT),build)

ifeq ($(filter -j% --jobserver%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
endif

ifeq ($(V),0)
Q := @
say = @printf '  %-7s %s\n' $(1) $(2)
else
say = @:
endif

# ---- Flags --------------------------------------------------------------------------------------

# No -ffast-math, no -march=native; contraction is off so that every build computes the same bits.
OPTIMIZE := -O3
ifneq ($(DEBUG),0)
OPTIMIZE := -O0 -g
endif
ifneq ($(SANITIZE),)
OPTIMIZE := $(if $(filter 0,$(DEBUG)),-O2,-O0) -g
SANITIZE_FLAGS := -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
endif
OPENMP_FLAGS := $(if $(filter 0,$(OPENMP)),-Wno-unknown-pragmas,-fopenmp)

BASE_FLAGS := -std=c++20 -Wall -Wextra -ffp-contract=off $(OPENMP_FLAGS) $(SANITIZE_FLAGS)
INCLUDES   := -Iinclude -Isrc
FLAGS       = $(BASE_FLAGS) $(INCLUDES) $(OPTIMIZE) $(CPPFLAGS) $(CXXFLAGS)
LINK_FLAGS  = $(OPENMP_FLAGS) $(SANITIZE_FLAGS) $(LDFLAGS)
LIBS       := -lz

# Per-ISA objects are optimised even in a debug build: at -O0 their inline functions become weak
# symbols, of which the linker keeps one copy for all instruction sets.
ISA_OPTIMIZE := $(if $(filter -O0,$(OPTIMIZE)),-O2 -g,$(OPTIMIZE))
FLAGS_sse2   := -march=x86-64
FLAGS_avx2   := -march=x86-64-v3
FLAGS_avx512 := -march=x86-64-v4 -mprefer-vector-width=512
FLAGS_neon   :=

MACHINE := $(shell $(CXX) -dumpmachine 2>/dev/null || uname -m)
ifneq ($(filter x86_64% amd64%,$(MACHINE)),)
ISAS := sse2 avx2 avx512
else ifneq ($(filter aarch64% arm64%,$(MACHINE)),)
ISAS := neon
endif

# ---- Sources ------------------------------------------------------------------------------------

ISA_SOURCES := $(wildcard src/*/*_isa.cpp)
SOURCES     := $(filter-out $(ISA_SOURCES),$(wildcard src/*/*.cpp))
TESTS       := $(wildcard tests/*.cpp)
GRADIENTS   := $(wildcard tests/gradients/*.cpp)
PROGRAMS    := $(patsubst tools/%.cpp,%,$(wildcard tools/*.cpp))

OBJ             := $(BUILD)/obj
KERNEL_OBJECTS  := $(foreach isa,$(ISAS),$(ISA_SOURCES:%.cpp=$(OBJ)/$(isa)/%.o))
LIBRARY_OBJECTS := $(SOURCES:%.cpp=$(OBJ)/%.o) $(KERNEL_OBJECTS)
DOUBLE_OBJECTS  := $(SOURCES:%.cpp=$(OBJ)/double/%.o)
TEST_OBJECTS    := $(TESTS:%.cpp=$(OBJ)/%.o)
GRADIENT_OBJECTS := $(patsubst %.cpp,$(OBJ)/double/%.o,tests/main.cpp $(GRADIENTS))
PROGRAM_OBJECTS := $(PROGRAMS:%=$(OBJ)/tools/%.o)
OBJECTS         := $(LIBRARY_OBJECTS) $(DOUBLE_OBJECTS) $(TEST_OBJECTS) $(GRADIENT_OBJECTS) $(PROGRAM_OBJECTS)

# ---- Building -----------------------------------------------------------------------------------

.PHONY: all clean help FORCE
.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

all: $(BUILD)/libmereo.a $(PROGRAMS:%=$(BUILD)/%) $(BUILD)/tests $(BUILD)/tests-double

$(BUILD)/libmereo.a: $(LIBRARY_OBJECTS)
$(BUILD)/double/libmereo.a: $(DOUBLE_OBJECTS)
%/libmereo.a:
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/tests: $(TEST_OBJECTS) $(BUILD)/libmereo.a
	$(call say,LINK,$@)
	$(Q)$(CXX) $(LINK_FLAGS) -o $@ $^ $(LIBS)

$(BUILD)/tests-double: $(GRADIENT_OBJECTS) $(BUILD)/double/libmereo.a
	$(call say,LINK,$@)
	$(Q)$(CXX) $(LINK_FLAGS) -o $@ $^ $(LIBS)

$(PROGRAMS:%=$(BUILD)/%): $(BUILD)/%: $(OBJ)/tools/%.o $(BUILD)/libmereo.a
	$(call say,LINK,$@)
	$(Q)$(CXX) $(LINK_FLAGS) -o $@ $^ $(if $(filter bench,$*),-lbenchmark) $(LIBS)

define isa_rule
$(OBJ)/$(1)/%.o: %.cpp $(BUILD)/flags
	$$(call say,$(1),$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CXX) $$(BASE_FLAGS) $$(INCLUDES) $$(ISA_OPTIMIZE) $$(CPPFLAGS) $$(CXXFLAGS) $$(FLAGS_$(1)) -fno-exceptions -DMEREO_ISA=$(1) -MMD -MP -c -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(eval $(call isa_rule,$(isa))))

$(OBJ)/double/%.o: %.cpp $(BUILD)/flags
	$(call say,DOUBLE,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) $(FLAGS) -DMEREO_DOUBLE $(if $(filter tests/%,$<),-Itests) -MMD -MP -c -o $@ $<

$(OBJ)/%.o: %.cpp $(BUILD)/flags
	$(call say,CXX,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) $(FLAGS) $(if $(filter tests/%,$<),-Itests) -MMD -MP -c -o $@ $<

# Changes only when the compiler or a flag does.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CXX) $(FLAGS) $(ISA_OPTIMIZE) $(foreach isa,$(ISAS),$(FLAGS_$(isa)))' | cmp -s - $@ || \
	printf '%s\n' '$(CXX) $(FLAGS) $(ISA_OPTIMIZE) $(foreach isa,$(ISAS),$(FLAGS_$(isa)))' > $@

-include $(OBJECTS:.o=.d)

clean:
	rm -rf build
