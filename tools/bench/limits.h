// What this machine can do at most, measured on the instruction set and the threads in use.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

namespace bench {

/// Multiplying and adding in registers, GFLOP/s; measured once for each setting.
double peak();

/// The same at the clock that some work has. A processor that moves data as well as it multiplies
/// runs at a lower clock (measured on Sapphire Rapids: 190 instead of 220 GFLOP/s a core), returns
/// to the higher one within some milliseconds, and drifts: hence short measurements between rounds
/// of the work, and their median.
class PeakOfWork {
public:
  /// Whether there is none of the last 50 milliseconds.
  bool due() const;
  /// Right after a round.
  void measure();
  double median() const;

private:
  using Clock = std::chrono::steady_clock;
  std::vector<double> measured_;
  Clock::time_point last_;
};

/// GB/s of arrays that no cache holds.
struct Bandwidth {
  double read;   // of x alone
  double update; // of y += a x: two reads and a write
  double best() const { return read > update ? read : update; }
};
/// Measured once for each number of threads.
const Bandwidth& bandwidth();

/// One and all.
std::vector<int> thread_counts();

/// All of it, on every instruction set.
void print_limits();

/// The shortest of some runs, in seconds: what can be done, not what disturbed it.
double best_time(int runs, const std::function<void()>& work);

} // namespace bench
