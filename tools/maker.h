// Making data sets, with their progress.
#pragma once

#include "cli.h"
#include "progress.h"

#include <functional>
#include <utility>

namespace cli {

/// Tells how many of something are done, how fast, and when the rest will be.
class Maker {
public:
  Maker(std::string name, const char* unit, bool quiet)
      : name_(std::move(name)), unit_(unit), line_(quiet) {}

  /// False when a signal asks for an end.
  bool operator()(std::int64_t done, std::int64_t count) {
    if (line_.due()) {
      const double rate = double(done) / seconds();
      char after[96];
      std::snprintf(after, sizeof after, "%lld/%lld %s  %.0f %s/s  left %s", (long long)(done),
                    (long long)(count), unit_, rate, unit_,
                    duration(double(count - done) / rate).c_str());
      line_.show(double(done) / double(count), {{name_ + " ", 0}, {after, 1}});
    }
    return stop_signal == 0;
  }

  void finish(bool made, const std::string& folder) {
    line_.clear();
    if (made && !line_.quiet())
      std::printf("%s in %s, made in %s\n", name_.c_str(), folder.c_str(),
                  duration(seconds()).c_str());
    std::fflush(stdout);
  }

private:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

  std::string name_;
  const char* unit_;
  ProgressLine line_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The exit code of a program that was stopped while it made something.
inline int stopped_making() {
  std::printf("stopped; what was not yet done is not there\n");
  return 128 + stop_signal;
}

/// A part of the set toys; false when stopped.
inline bool make_toys_part(const std::string& folder, mereo::Split split,
                           const mereo::ToysOptions& options, bool quiet) {
  Maker maker(split == mereo::Split::train ? "toys to train on" : "toys to test on", "pairs",
              quiet);
  const bool made = mereo::make_toys(folder, split, options, std::ref(maker));
  maker.finish(made, folder);
  return made;
}

} // namespace cli
