# Mereo. `make help` lists the targets and the knobs.

# ---- Knobs --------------------------------------------------------------------------------------

SANITIZE ?=#            e.g. address,undefined or thread (which switches to clang)
DEBUG    ?= 0#          1: no optimisation but in kernels, debug information
OPENMP   ?= 1#          0: one thread, no OpenMP needed
V        ?= 0#          1: show the commands
FUZZ_SECONDS ?= 30#     for each reader in make fuzz
PREFIX   ?= /usr/local# where install puts things, below DESTDIR
STRICT   ?= 0#          1: make check and the tests of pages fail when a tool they need is not here
ARGS     ?=#            passed on to the program by train, reproduce, bench, bench-compare and signature

PYTHON   ?= $(firstword $(wildcard /usr/bin/python3) python3)

ifeq ($(origin CXX),default)
CXX := g++
# Only with clang's OpenMP runtime does ThreadSanitizer know about the barriers.
ifneq ($(findstring thread,$(SANITIZE)),)
CXX := $(shell command -v clang++ || command -v clang++-14 || echo clang++)
endif
endif

# Each variant has a folder of its own: build, build/debug, build/address-undefined, ...
comma := ,
space := $(subst ,, )
VARIANT := $(subst $(comma),-,$(SANITIZE))
ifneq ($(DEBUG),0)
VARIANT += debug
endif
ifeq ($(OPENMP),0)
VARIANT += serial
endif
BUILD ?= build$(addprefix /,$(subst $(space),-,$(strip $(VARIANT))))

ifeq ($(MAKELEVEL),0)
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
OPTIMIZE := $(if $(filter 0,$(DEBUG)),-O1 -g1,-O0 -g)
SANITIZE_FLAGS := -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
endif
OPENMP_FLAGS := $(if $(filter 0,$(OPENMP)),-Wno-unknown-pragmas,-fopenmp)

# g++ 12 takes "text" + std::string for an overlapping copy (GCC PR 105651).
WARNINGS   := -Wall -Wextra $(if $(findstring clang,$(CXX)),,-Wno-restrict)
BASE_FLAGS := -std=c++20 $(WARNINGS) -ffp-contract=off $(OPENMP_FLAGS) $(SANITIZE_FLAGS)
INCLUDES   := -Iinclude -Isrc
ifeq ($(shell uname -s),Darwin)
BREW       := $(shell brew --prefix)
INCLUDES   += -isystem $(BREW)/include
LDFLAGS    += -L$(BREW)/lib
endif
FLAGS       = $(BASE_FLAGS) $(INCLUDES) $(OPTIMIZE) $(CPPFLAGS) $(CXXFLAGS)
LINK_FLAGS  = $(OPENMP_FLAGS) $(SANITIZE_FLAGS) $(LDFLAGS)
LIBS       := -lz

# Per-ISA objects are optimised even in a debug build: at -O0 their inline functions become weak
# symbols, of which the linker keeps one copy for all instruction sets. With sanitizers -O1 must do:
# at -O2 g++ takes minutes over the unrolled kernels.
ISA_FLAGS     = $(FLAGS) $(if $(filter -O0,$(OPTIMIZE)),-O2) -fno-exceptions
FLAGS_sse2   := -march=x86-64
# No more than what dispatch.cpp asks the processor for.
FLAGS_avx2   := -mavx2 -mfma -mbmi2
FLAGS_avx512 := -mavx512f -mavx512cd -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512
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
PROGRAMS     = $(filter-out $(if $(HAVE_BENCHMARK),,bench) $(if $(HAVE_HTTPLIB),,explore), \
  $(patsubst tools/%.cpp,%,$(wildcard tools/*.cpp)))
BENCHMARKS  := $(wildcard tools/bench/*.cpp)
INSTALLED    = $(filter train evaluate predict explain explore render,$(PROGRAMS))
HEADERS     := $(wildcard include/mereo/*.h)
# Styles, scripts and pages that are compiled in: src/explain/report.css is "explain/report.css.h".
ASSETS      := $(patsubst src/%,$(BUILD)/assets/%.h,$(wildcard src/*/*.css src/*/*.js)) \
  $(patsubst tools/%,$(BUILD)/assets/%.h,$(wildcard tools/explore/*))

OBJ             := $(BUILD)/obj
KERNEL_OBJECTS  := $(foreach isa,$(ISAS),$(ISA_SOURCES:%.cpp=$(OBJ)/$(isa)/%.o))
LIBRARY_OBJECTS := $(SOURCES:%.cpp=$(OBJ)/%.o) $(KERNEL_OBJECTS)
DOUBLE_OBJECTS  := $(SOURCES:%.cpp=$(OBJ)/double/%.o)
TEST_OBJECTS    := $(TESTS:%.cpp=$(OBJ)/%.o)
GRADIENT_OBJECTS := $(patsubst %.cpp,$(OBJ)/double/%.o,tests/main.cpp $(GRADIENTS))
# Which programs there are is known after the probing below.
PROGRAM_OBJECTS  = $(PROGRAMS:%=$(OBJ)/tools/%.o)
BENCH_OBJECTS   := $(BENCHMARKS:%.cpp=$(OBJ)/%.o)
OBJECTS          = $(LIBRARY_OBJECTS) $(DOUBLE_OBJECTS) $(TEST_OBJECTS) $(GRADIENT_OBJECTS) $(PROGRAM_OBJECTS) \
  $(BENCH_OBJECTS)

# ---- Dependencies -------------------------------------------------------------------------------

# Probed once per variant; the result is a makefile that says which optional libraries are here.
# test and the targets that run a program install what is missing, all others only report it.
CONFIG := $(BUILD)/config.mk
PROBE   = CXX='$(CXX)' CPPFLAGS='$(CPPFLAGS) $(INCLUDES)' LDFLAGS='$(LDFLAGS)' PYTHON='$(PYTHON)' \
          LINK_FLAGS='$(OPENMP_FLAGS) $(SANITIZE_FLAGS)' tools/deps.sh

NO_BUILD := help clean deps deps-lint deps-dev data format goldens uninstall check-% fuzz fuzz-%
ifneq ($(filter-out $(NO_BUILD),$(or $(MAKECMDGOALS),all)),)
include $(CONFIG)
endif

$(CONFIG): tools/deps.sh
	@$(PROBE) $(if $(filter test train reproduce bench bench-compare signature,$(MAKECMDGOALS)),install,check) $@

.PHONY: deps deps-lint deps-dev
deps: ## install what building and testing need, by the package manager, or print the command
	@$(PROBE) install $(CONFIG)
deps-lint: ## the same, and clang-format, shellcheck, CMake, pkg-config and chromium
	@$(PROBE) lint $(CONFIG)
deps-dev: ## the same, and what contributors need: clang, clang-format, valgrind, shellcheck, CMake, chromium, PyTorch
	@$(PROBE) dev $(CONFIG)

# ---- Building -----------------------------------------------------------------------------------

.PHONY: all FORCE
.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

all: $(BUILD)/libmereo.a $(PROGRAMS:%=$(BUILD)/%) $(BUILD)/tests $(BUILD)/tests-double ## everything (the default)

$(BUILD)/libmereo.a: $(LIBRARY_OBJECTS)
$(BUILD)/double/libmereo.a: $(DOUBLE_OBJECTS)
%/libmereo.a: $(BUILD)/sources
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

# So that tests can count the library's allocations, and make them fail: tests/allocations.h.
ifneq ($(shell uname -s),Darwin)
WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=free
# ThreadSanitizer's own operator new is not weak.
WRAP += $(if $(findstring thread,$(SANITIZE)),-Wl$(comma)-z$(comma)muldefs)
endif

$(BUILD)/tests: $(TEST_OBJECTS) $(BUILD)/libmereo.a $(BUILD)/sources
	$(call say,LINK,$@)
	$(Q)$(CXX) $(LINK_FLAGS) $(WRAP) -o $@ $(filter-out %/sources,$^) $(LIBS)

$(BUILD)/tests-double: $(GRADIENT_OBJECTS) $(BUILD)/double/libmereo.a $(BUILD)/sources
	$(call say,LINK,$@)
	$(Q)$(CXX) $(LINK_FLAGS) -o $@ $(filter-out %/sources,$^) $(LIBS)

$(BUILD)/bench: $(BENCH_OBJECTS) $(BUILD)/sources
$(PROGRAMS:%=$(BUILD)/%): $(BUILD)/%: $(OBJ)/tools/%.o $(BUILD)/libmereo.a
	$(call say,LINK,$@)
	$(Q)$(CXX) $(LINK_FLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(if $(filter bench,$*),-lbenchmark) \
	  $(if $(filter explore,$*),$(HTTPLIB_LIBS)) $(LIBS)

define isa_rule
$(OBJ)/$(1)/%.o: %.cpp $(BUILD)/flags
	$$(call say,$(1),$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CXX) $$(ISA_FLAGS) $$(FLAGS_$(1)) -DMEREO_ISA=$(1) -MMD -MP -c -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(eval $(call isa_rule,$(isa))))

# A file as a C++ string.
define asset_rule
$(BUILD)/assets/%.h: $(1)/%
	@mkdir -p $$(@D)
	@{ printf 'R"mereo('; cat $$<; printf ')mereo"\n'; } > $$@
endef
$(foreach folder,src tools,$(eval $(call asset_rule,$(folder))))

# Only for the gradient checks, so that compiling it fast matters more than its speed.
$(OBJ)/double/%.o: %.cpp $(BUILD)/flags | $(ASSETS)
	$(call say,DOUBLE,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) $(FLAGS) -I$(BUILD)/assets -O1 -DMEREO_DOUBLE $(if $(filter tests/%,$<),-Itests) -MMD -MP -c -o $@ $<

$(OBJ)/%.o: %.cpp $(BUILD)/flags | $(ASSETS)
	$(call say,CXX,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) $(FLAGS) -I$(BUILD)/assets $(if $(filter tests/%,$<),-Itests) \
	  $(if $(filter tools/explore.cpp,$<),$(HTTPLIB_FLAGS)) -MMD -MP -c -o $@ $<

# Written only when their content changes: the flags, on which objects depend, and the list of
# sources, on which archives and links do (so that a deleted source leaves them).
$(BUILD)/flags: CONTENT = $(CXX) $(shell $(CXX) -dumpfullversion 2>/dev/null) $(filter-out -W%,$(ISA_FLAGS)) \
  $(LINK_FLAGS) $(foreach isa,$(ISAS),$(FLAGS_$(isa)))
$(BUILD)/sources: CONTENT = $(LIBRARY_OBJECTS) $(TEST_OBJECTS) $(GRADIENT_OBJECTS) $(BENCH_OBJECTS)
$(BUILD)/flags $(BUILD)/sources: FORCE
	@mkdir -p $(@D)
	@echo "$(CONTENT)" | cmp -s - $@ || echo "$(CONTENT)" > $@

-include $(OBJECTS:.o=.d)

# ---- Running ------------------------------------------------------------------------------------

.PHONY: test train data reproduce bench bench-compare signature goldens

test: all ## install what is missing, build, run every test
	@MAKE='$(MAKE)' CXX='$(CXX)' SANITIZE='$(SANITIZE)' tools/run_tests.sh $(BUILD)

train: $(INSTALLED:%=$(BUILD)/%) ## install what is missing, build, fetch MNIST, train on it, or else on toys
	@tools/fetch.sh mnist || true
	@$(BUILD)/train $(ARGS)

# Without MNIST it does what needs none, names the rest at the end, and fails. Sets are complete when
# the file is there that is written last.
reproduce: $(BUILD)/lab $(BUILD)/render ## run all experiments, three seeds, about three hours; results into README.md
	@tools/fetch.sh mnist || true
	@[ -e data/toys/toys-testing-dat.mat ] || $(BUILD)/render toys
	@[ -e data/faces/scrambled-images-idx3-ubyte ] || $(BUILD)/render faces
	@$(BUILD)/lab all --readme README.md $(ARGS)

data: ## fetch MNIST into data/
	@tools/fetch.sh mnist

ifneq ($(HAVE_BENCHMARK),)
bench: $(BUILD)/bench ## time the kernels and the networks (build/bench --help)
	@$(BUILD)/bench $(ARGS)
bench-compare: $(BUILD)/bench ## PyTorch and Mereo in turn: ratios of time and memory
	@$(PYTHON) tools/bench_torch.py --bench $(BUILD)/bench $(ARGS)
else
bench bench-compare:
	@echo 'google-benchmark is not here: make deps-dev' >&2; exit 1
endif

signature: $(BUILD)/tests ## print the hash of a short training run: it moves when numbers do
	@$(BUILD)/tests --no-intro=true --test-case='signature*' $(ARGS)

goldens: ## make tests/golden/ anew with PyTorch
	@$(PYTHON) tools/make_goldens.py
	@$(PYTHON) tools/make_matrix_goldens.py
	@$(PYTHON) tools/make_cnn_goldens.py
	@$(PYTHON) tools/make_dc_ign_goldens.py

# The fuzzers, in a build of their own. What they find is kept in build/fuzz/corpus, a crash in
# build/fuzz; one that is fixed belongs in tests/fuzz/seeds.
FUZZERS  := idx norb affnist checkpoint json image explore
FUZZ_CXX  = $(shell command -v clang++ || command -v clang++-14)
fuzz_build = +@$(MAKE) --no-print-directory CXX='$(FUZZ_CXX)' SANITIZE=fuzzer-no-link,address,undefined OPENMP=0 BUILD=build/fuzz \
  $(1:%=build/fuzz/fuzz-%)

.PHONY: fuzz fuzz-clang $(FUZZERS:%=fuzz-%)
fuzz: fuzz-clang ## fuzz the readers of files, FUZZ_SECONDS each; make fuzz-image: one of them (needs clang)
	$(call fuzz_build,$(FUZZERS))
	@status=0; for name in $(FUZZERS); do tools/fuzz.sh $$name $(FUZZ_SECONDS) || status=1; done; exit $$status

fuzz-clang:
	@echo 'int main() {}' | $(or $(FUZZ_CXX),false) -fsanitize=fuzzer-no-link,address,undefined -x c++ - -o /dev/null 2>/dev/null || \
	  { echo 'make fuzz needs clang++ and its libFuzzer: make deps-dev'; exit 1; }

$(FUZZERS:%=fuzz-%): fuzz-%: fuzz-clang
	$(call fuzz_build,$*)
	@tools/fuzz.sh $* $(FUZZ_SECONDS)

$(FUZZERS:%=$(BUILD)/fuzz-%): $(BUILD)/fuzz-%: tests/fuzz/fuzz.cpp tests/fuzz/targets.h $(BUILD)/libmereo.a
	$(call say,LINK,$@)
	$(Q)$(CXX) $(FLAGS) -Itests -DTARGET=$* -fsanitize=fuzzer $(LINK_FLAGS) -o $@ $< $(BUILD)/libmereo.a $(LIBS)

# ---- Checking -----------------------------------------------------------------------------------

.PHONY: check check-floors check-headers check-symbols check-format check-shell check-layout format

FORMATTED = $(shell find src include tests tools -name '*.h' -o -name '*.cpp' -o -name '*.c')
COMPILERS := $(sort $(CXX) $(foreach cxx,g++ clang++ clang++-14,$(shell command -v $(cxx) >/dev/null && echo $(cxx))))

check: check-floors check-headers check-symbols check-format check-shell check-layout ## the structure of the sources

# Who includes whom: tools/floors.txt.
check-floors:
	@tools/check_floors.sh

# Each public header is the only include of a program, in both number types, for every compiler here;
# what C programs include, in C too.
check-headers: $(HEADERS:include/mereo/%.h=$(BUILD)/headers/%.ok)
	@for header in c mereo; do echo "#include <mereo/$$header.h>" | $(CC) -std=c99 -pedantic -Wall -Wextra -Werror \
	  -Iinclude -fsyntax-only -x c - || exit 1; done
$(BUILD)/headers/%.ok: include/mereo/%.h $(HEADERS) Makefile
	@mkdir -p $(@D)
	@for cxx in $(COMPILERS); do for number in FLOAT DOUBLE; do \
	  echo '#include <mereo/$*.h>' | $$cxx -std=c++20 -Wall -Wextra -Werror -Iinclude -DMEREO_$$number \
	    -fsyntax-only -x c++ - || exit 1; done; done
	@touch $@

# An inline function left in a per-ISA object is a weak symbol, of which the linker keeps one copy
# for all instruction sets: on an older CPU the program may then die in code for a newer one.
check-symbols: $(KERNEL_OBJECTS)
	@nm -AC $^ </dev/null >$(BUILD)/symbols
	@! grep -E ' [WVu] ' $(BUILD)/symbols || { echo 'weak symbols in per-ISA objects'; exit 1; }

check-format:
	@if command -v clang-format-14 >/dev/null; then clang-format-14 --dry-run -Werror $(FORMATTED); \
	else echo 'clang-format-14 is not here: formatting not checked'; [ '$(STRICT)' != 1 ]; fi

check-shell:
	@if command -v shellcheck >/dev/null; then shellcheck -x -S warning tools/*.sh $(wildcard tests/*.sh tests/*/*.sh) .ci/run; \
	else echo 'shellcheck is not here: scripts not checked'; fi

# Nothing new at the top level.
check-layout:
	@! git ls-files --cached --others --exclude-standard 2>/dev/null | cut -d/ -f1 | sort -u | grep -vE \
	  '^(\..*|src|include|tests|tools|data|Makefile|README\.md|LICENSE)$$' || { echo 'is new at the top level'; exit 1; }

format: ## format all sources
	@clang-format-14 -i $(FORMATTED)

# ---- Installing ---------------------------------------------------------------------------------

.PHONY: install uninstall clean help

TO      := $(DESTDIR)$(PREFIX)
VERSION  = $(shell sed -n 's/.*version = "\(.*\)".*/\1/p' include/mereo/core.h)
# A C program has to link what C++ links by itself.
STDLIB  := $(if $(filter Darwin,$(shell uname -s)),-lc++,-lstdc++ -lm)
FILL_IN  = -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@STDLIB@|$(STDLIB)|' \
  -e 's|@OPENMP@|$(filter -fopenmp,$(OPENMP_FLAGS))|'

install: $(BUILD)/libmereo.a $(INSTALLED:%=$(BUILD)/%) ## library, headers, mereo.pc, CMake package, programs (mereo-train ...) below PREFIX
	@mkdir -p $(TO)/lib/pkgconfig $(TO)/lib/cmake/Mereo $(TO)/include/mereo $(TO)/bin
	@install -m 644 $(BUILD)/libmereo.a $(TO)/lib
	@install -m 644 $(HEADERS) $(TO)/include/mereo
	@sed $(FILL_IN) tools/mereo.pc.in > $(TO)/lib/pkgconfig/mereo.pc
	@for file in MereoConfig MereoConfigVersion; do \
	  sed $(FILL_IN) tools/$$file.cmake.in > $(TO)/lib/cmake/Mereo/$$file.cmake; done
	@for program in $(INSTALLED); do install -m 755 $(BUILD)/$$program $(TO)/bin/mereo-$$program; done
	@echo 'installed below $(TO)'

uninstall: ## remove them
	@rm -rf $(TO)/include/mereo $(TO)/lib/libmereo.a $(TO)/lib/pkgconfig/mereo.pc $(TO)/lib/cmake/Mereo $(TO)/bin/mereo-*

clean: ## remove build/
	@rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' Makefile
	@echo; echo 'Knobs (make KNOB=value):'
	@awk -F '[?=# ]+' '/^[A-Z_]+ +\?=.*# / { text = $$0; sub(/[^#]*# */, "", text); printf "  %-12s %s\n", $$1, text }' Makefile
