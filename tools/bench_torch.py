#!/usr/bin/env python3
"""Times a network in PyTorch and in Mereo on this machine, in turn, and prints the ratios.

    make bench-compare
    make bench-compare ARGS='--network matrix-capsnet'
    python3 tools/bench_torch.py --rounds 5 --families capsnet capsnet-tile3 --json compare.json

Both get what suits them. PyTorch runs in its best form for each case, found first: four layouts of the
votes, channels-last images or not, and the vector width of its own kernels; with multi-tensor Adam,
and where this system has them OpenBLAS on the threads that PyTorch uses and an allocator that keeps its
memory. Each figure comes from a process of its own. Run it on an idle machine; it takes some minutes.
"""

import argparse
import ctypes.util
import glob
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent

@dataclass
class Network:
    """What is timed of it."""
    worker: Path
    # Words, the worker's case, and Mereo's benchmark; "{}" in that is the family.
    cases: list
    # The words, and the case, of the one whose memory is compared.
    memory: tuple
    # The ways in which Mereo computes it.
    families: list


NETWORKS = {
    "capsnet": Network(
        HERE / "torch_capsnet.py",
        [("training step, batch 128", "train:128", "{}/train/batch:128"),
         ("training step, batch 16", "train:16", "{}/train/batch:16"),
         ("inference, batch 128", "infer:128", "{}/infer/batch:128"),
         ("inference, batch 1", "infer:1", "{}/infer/batch:1"),
         ("votes and routing, forward and backward, batch 128", "routing:128", "routing/step/batch:128")],
        ("peak resident memory of training, batch 128", "train:128"), ["capsnet"]),
    "matrix-capsnet": Network(
        HERE / "torch_matrix_capsnet.py",
        [(f"{size}, {iterations} iterations: {words}", f"{what}-{size}-{iterations}:{batch}",
          f"matrix-{size}-{iterations}/{what}/batch:{batch}")
         for what, words, size, iterations, batch in [
             ("train", "training step, batch 64", "small", 2, 64), ("train", "training step, batch 64", "small", 3, 64),
             ("train", "training step, batch 16", "paper", 2, 16), ("train", "training step, batch 16", "paper", 3, 16),
             ("infer", "inference, batch 128", "small", 2, 128), ("infer", "inference, batch 1", "small", 2, 1),
             ("infer", "inference, batch 16", "paper", 2, 16), ("infer", "inference, batch 1", "paper", 2, 1)]],
        ("peak resident memory of training, paper, batch 16", "train-paper-3:16"), ["matrix-capsnet"]),
}

# What the other libraries read so that they, too, use no later instruction set than this.
LIMITED = {"avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell"}}

# OpenBLAS on OpenMP threads, where Debian and its kin put it; and an allocator.
OPENBLAS = next(iter(glob.glob("/usr/lib/*/openblas-openmp") + glob.glob("/usr/lib*/openblas-openmp")), None)
JEMALLOC = ctypes.util.find_library("jemalloc")


def stop(message):
    sys.exit(f"bench_torch.py: {message}")


# ---- processes --------------------------------------------------------------------------------------

def bound_threads(threads):
    """Unbound threads sometimes share a core."""
    return dict(OMP_NUM_THREADS=str(threads), OMP_PROC_BIND="true", OMP_PLACES="cores")


def torch_environment(a, capability, allocator=True):
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith("OPENBLAS_")}  # an inherited core type can halve OpenBLAS
    environment.update(bound_threads(a.threads), OPENBLAS_NUM_THREADS=str(a.threads),
                       ATEN_CPU_CAPABILITY=capability, **LIMITED.get(a.isa, {}))
    if OPENBLAS:
        before = environment.get("LD_LIBRARY_PATH")
        environment["LD_LIBRARY_PATH"] = OPENBLAS + (":" + before if before else "")
    if allocator and JEMALLOC:
        environment["LD_PRELOAD"] = JEMALLOC
        environment["MALLOC_CONF"] = "thp:always,dirty_decay_ms:-1,muzzy_decay_ms:-1,oversize_threshold:0"
    return environment


def run(command, environment):
    result = subprocess.run([str(word) for word in command], env=environment, capture_output=True, text=True)
    if result.returncode:
        said = (result.stderr or result.stdout).strip().splitlines()
        stop(f"{Path(str(command[0])).name} failed: {said[-1] if said else 'no message'}")
    return result.stdout


def torch_run(a, environment, *arguments):
    output = run([a.python, a.network.worker, "--threads", a.threads, *arguments], environment)
    return json.loads(output.splitlines()[-1])


def mereo_names(a):
    """Benchmark names without what google-benchmark adds."""
    lines = run([a.bench, "--threads", a.threads, "--benchmark_list_tests"], os.environ).split()
    return [line.removesuffix("/real_time") for line in lines]


def mereo_run(a, name):
    """Seconds of a step, and the most memory in MiB where the system tells."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        run([a.bench, "--no-limits", "--threads", a.threads, f"--benchmark_filter=^{name}(/real_time)?$",
             f"--benchmark_min_time={a.seconds}", f"--benchmark_out={out}"],
            {**os.environ, **bound_threads(a.threads)})
        entry = json.loads(out.read_text())["benchmarks"][0]
    factor = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[entry["time_unit"]]
    return entry["real_time"] * factor, entry.get("peak_MiB")


# ---- the comparison ---------------------------------------------------------------------------------

def tune(a):
    """The fastest form and vector width of each case: {case: (form, width, seconds)}."""
    widths = ["avx2", "avx512"] if a.isa == "avx512" else ["avx2"] if a.isa == "avx2" else ["default"]
    best = {}
    for width in widths:
        for case, times in torch_run(a, torch_environment(a, width), "--tune",
                                     *(case for _, case, _ in a.network.cases)).items():
            form = min(times, key=times.get)
            if case not in best or times[form] < best[case][2]:
                best[case] = (form, width, times[form])
    return best


def families_of(a, benchmark):
    """A part that is the same in every family is timed once."""
    return a.families if "{}" in benchmark else a.families[:1]


def mereo_name(family, benchmark, suffix):
    return benchmark.format(family) + suffix


def measure(a, best, suffix):
    """A list of rounds, each {(what, words): (seconds, MiB)}; what is "torch" or a family."""
    rounds = []
    for number in range(a.rounds):
        results = {}
        for words, case, benchmark in a.network.cases:
            form, width, _ = best[case]
            environment = torch_environment(a, width)

            def torch():
                answer = torch_run(a, environment, "--case", case, "--form", form, "--seconds", a.seconds)
                return answer["seconds"], answer["peak_mib"]

            runs = {"torch": torch}
            for family in families_of(a, benchmark):
                name = mereo_name(family, benchmark, suffix)
                runs[family] = lambda name=name: mereo_run(a, name)
            for what in list(runs) if number % 2 == 0 else reversed(list(runs)):
                results[what, words] = runs[what]()
                report(a, f"round {number + 1}: {words}, {what}: {1e3 * results[what, words][0]:.2f} ms")
        rounds.append(results)
    return rounds


def ordinary_memory(a, best):
    """With the system's own allocator PyTorch is slower, but may need less."""
    case = a.network.memory[1]
    form, width, _ = best[case]
    environment = torch_environment(a, width, allocator=False)
    return torch_run(a, environment, "--case", case, "--form", form, "--seconds", 0)["peak_mib"]


def report(a, text):
    if not a.quiet:
        print(text, file=sys.stderr, flush=True)


# ---- printing ---------------------------------------------------------------------------------------

def spread(values, digits):
    """"median (lowest to highest)"."""
    low, middle, high = (f"{x:.{digits}f}" for x in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} to {high})"


def digits_for(value):
    return 0 if value >= 100 else 1 if value >= 10 else 2


def processor():
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def print_table(a, about, best, rounds, plain_memory):
    print(f"{time.strftime('%Y-%m-%d')}, {processor()}, {a.threads} thread{'s' if a.threads > 1 else ''}, "
          f"{platform.system()} {platform.release()}. PyTorch {about['torch']} with {about['blas']}"
          f"{' and jemalloc' if JEMALLOC else ''}; Mereo {about['mereo']}, "
          f"{a.isa}. Medians of {a.rounds} rounds (lowest to highest), in each of which every figure is "
          "from a new process, PyTorch's and Mereo's in turn.\n")
    print("| work | PyTorch | Mereo | ratio |")
    print("| --- | --- | --- | --- |")

    def times(what, words):
        return [1e3 * results[what, words][0] for results in rounds]

    for words, case, benchmark in a.network.cases:
        slow = times("torch", words)
        digits = digits_for(statistics.median(slow))
        form, width, _ = best[case]
        for family in families_of(a, benchmark):
            fast = times(family, words)
            ratios = [x / y for x, y in zip(slow, fast)]
            print(f"| {words}{label(a, family, benchmark)} | {spread(slow, digits)} ms, {form}, {width} | "
                  f"{spread(fast, digits_for(statistics.median(fast)))} ms | "
                  f"**{statistics.median(ratios):.1f}x** ({min(ratios):.1f} to {max(ratios):.1f}) |")
    title, memory_case = a.network.memory
    words, _, benchmark = next(case for case in a.network.cases if case[1] == memory_case)
    theirs = [min(results["torch", words][1], plain_memory) for results in rounds]
    for family in a.families:
        ours = [results[family, words][1] for results in rounds]
        if None in ours:
            continue
        ratios = [y / x for x, y in zip(theirs, ours)]
        print(f"| {title}{label(a, family, benchmark)} | {spread(theirs, 0)} MiB | {spread(ours, 0)} MiB | "
              f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f}) |")
    print(f"\nPyTorch's form is the layout of its votes and the vector width of its kernels. Its memory is "
          f"the less of two allocators': {plain_memory:.0f} MiB with the system's.")


def label(a, family, benchmark):
    return f" ({family})" if len(a.families) > 1 and "{}" in benchmark else ""


def processors():
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def version():
    """Of the sources."""
    try:
        return subprocess.run(["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True,
                              check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "of unknown version"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=HERE.parent / "build/bench", help="Mereo's benchmark program")
    parser.add_argument("--python", default=sys.executable, help="the Python that has PyTorch [this one]")
    parser.add_argument("--threads", type=int, default=processors())
    parser.add_argument("--isa", choices=list(LIMITED), help="avx2: hold both to AVX2 [the best]")
    parser.add_argument("--network", choices=list(NETWORKS), default="capsnet")
    parser.add_argument("--families", nargs="+", metavar="FAMILY",
                        help="of Mereo's capsnet: capsnet as it is by default, capsnet-direct, capsnet-tile3")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="at least so long for each figure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    a = parser.parse_args()
    a.network = NETWORKS[a.network]
    a.families = a.families or a.network.families
    return a


def check_tools(a):
    """Complains about what is missing; the end of the names of all benchmarks, and what runs here."""
    if not Path(a.bench).is_file():
        stop(f"there is no {a.bench} (make build/bench; it needs google-benchmark: make deps-dev)")
    probe = subprocess.run([a.python, "-c", "import torch"], capture_output=True, text=True)
    if probe.returncode:
        stop(f"{a.python} has no PyTorch (Debian: apt-get install python3-torch libopenblas0-openmp "
             "libjemalloc2; or --python, or make PYTHON=...)")
    for package, found in (("libjemalloc2", JEMALLOC), ("libopenblas0-openmp", OPENBLAS)):
        if not found:
            report(a, f"note: {package} is not here; with it PyTorch is faster")
    names = mereo_names(a)
    isas = [name.split("/")[-2] for name in names]
    a.isa = a.isa or isas[0]
    suffix = f"/{a.isa}/threads:{a.threads}"
    for family in a.families:
        for _, _, benchmark in a.network.cases:
            if mereo_name(family, benchmark, suffix) not in names:
                stop(f"{a.bench} has no benchmark {mereo_name(family, benchmark, suffix)} (what a network does by "
                     "default is the family capsnet)")
    about = torch_run(a, torch_environment(a, "default"), "--about")
    return suffix, {**about, "mereo": version()}


def main():
    a = arguments()
    suffix, about = check_tools(a)
    report(a, "finding PyTorch's best forms")
    best = tune(a)
    rounds = measure(a, best, suffix)
    plain_memory = ordinary_memory(a, best)
    if a.json:
        a.json.write_text(json.dumps(dict(
            about=about, isa=a.isa, threads=a.threads, best=best, ordinary_memory_mib=plain_memory,
            rounds=[{f"{what}: {words}": value for (what, words), value in results.items()}
                    for results in rounds]), indent=2) + "\n")
    print_table(a, about, best, rounds, plain_memory)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
