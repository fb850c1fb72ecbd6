// Shows how training goes: one line written over and over on a terminal, a line now and then in a
// pipe.
#pragma once

#include <mereo/train.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <string>
#include <sys/ioctl.h>
#include <unistd.h>

namespace cli {

// --- Ctrl-C and SIGTERM

inline volatile std::sig_atomic_t stop_signal = 0;

/// The first signal asks for an end after saving; the second one does not ask.
inline void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = [](int number) {
    if (stop_signal)
      _exit(128 + number);
    stop_signal = number;
  };
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

// --- the progress line

/// "3:07" or "2:03:07".
inline std::string duration(double seconds) {
  if (!(seconds >= 0 && seconds < 1e8))
    return "?";
  const long s = std::lround(seconds);
  char text[48];
  if (s < 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld", s / 60, s % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  return text;
}

/// A line that is written over and over, a few times a second on a terminal, every ten seconds
/// elsewhere.
class ProgressLine {
public:
  explicit ProgressLine(bool quiet) : quiet_(quiet), terminal_(isatty(STDOUT_FILENO) == 1) {}

  bool quiet() const { return quiet_; }

  /// Is it time to show something again?
  bool due() {
    if (quiet_)
      return false;
    const auto now = Clock::now();
    if (now - shown_ < (terminal_ ? std::chrono::milliseconds(200) : std::chrono::seconds(10)))
      return false;
    shown_ = now;
    return true;
  }

  void show(const std::string& line) {
    if (terminal_)
      std::printf("\r\033[K%.*s", columns(), line.c_str());
    else
      std::puts(line.c_str());
    std::fflush(stdout);
  }

  /// With a bar of the share that is done between the two, where there is room.
  void show(const std::string& before, double done, const std::string& after) {
    const int room = columns() - int(before.size() + after.size()) - 3;
    show(before + bar(std::min(room, 20), done) + after);
  }

  /// Takes the line away.
  void clear() {
    if (terminal_ && !quiet_)
      std::fputs("\r\033[K", stdout);
  }

private:
  using Clock = std::chrono::steady_clock;

  /// Characters that a line may have.
  int columns() const {
    if (!terminal_)
      return 1000;
    winsize size{};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;
  }

  /// "[===>    ] ", or nothing where that would be too short to tell anything.
  static std::string bar(int width, double done) {
    if (width < 4)
      return "";
    const auto full = std::size_t(width * done), all = std::size_t(width);
    return "[" + (std::string(full, '=') + ">" + std::string(all, ' ')).substr(0, all) + "] ";
  }

  bool quiet_, terminal_;
  Clock::time_point shown_ = Clock::now();
};

/// How training goes.
class Progress : public mereo::TrainListener {
public:
  explicit Progress(bool quiet) : line_(quiet) {}

  void started(const mereo::TrainStart& start) override {
    if (line_.quiet())
      return;
    std::printf("instruction set %s, threads %d\n", start.isa.c_str(), start.threads);
    std::int64_t elements = 0;
    for (const mereo::LayerSize& layer : start.layers) {
      std::printf("  %-20s %12lld parameters\n", layer.name.c_str(), (long long)(layer.elements));
      elements += layer.elements;
    }
    std::printf("  %-20s %12lld\n", "together", (long long)(elements));
    const mereo::MemoryNeed& need = start.memory;
    const auto mib = [](std::int64_t bytes) { return double(bytes) / (1 << 20); };
    std::printf("memory %.0f MiB: parameters %.0f, gradients %.0f, optimiser %.0f, "
                "activations %.0f, data %.0f\n",
                mib(need.total()), mib(need.parameters), mib(need.gradients), mib(need.optimizer),
                mib(need.activations), mib(need.data));
    std::printf("%lld pictures to train on, %lld for validation; %lld steps an epoch\n",
                (long long)(start.training), (long long)(start.validation),
                (long long)(start.batches));
    if (start.first_step > 0)
      std::printf("resumed after step %lld, in epoch %lld\n", (long long)(start.first_step),
                  (long long)(start.first_epoch + 1));
    std::fflush(stdout);
  }

  void stepped(const mereo::TrainProgress& p) override {
    if (!line_.due())
      return;
    char before[64], after[192];
    std::snprintf(before, sizeof before, "epoch %lld/%lld ", (long long)(p.epoch + 1),
                  (long long)(p.epochs));
    std::snprintf(after, sizeof after,
                  "%lld/%lld  loss %.4f  error %.2f %%  %.0f images/s  left %s",
                  (long long)(p.batch), (long long)(p.batches), p.mean_loss, p.mean_error_percent,
                  p.images_per_second, duration(p.seconds_left).c_str());
    line_.show(before, double(p.batch) / double(p.batches), after);
  }

  void evaluated(std::int64_t done, std::int64_t count) override {
    if (!line_.due())
      return;
    char line[96];
    std::snprintf(line, sizeof line, "judging %lld/%lld pictures", (long long)(done),
                  (long long)(count));
    line_.show(line);
  }

  void epoch_finished(const mereo::EpochResult& e) override {
    line_.clear();
    if (line_.quiet())
      return;
    char judged[64] = "";
    if (!std::isnan(e.validation_error_percent))
      std::snprintf(judged, sizeof judged, "  validation error %.2f %%%s",
                    e.validation_error_percent, e.best ? " (best)" : "");
    char rate[32] = ""; // nothing to tell when the epoch was only judged here
    if (!std::isnan(e.images_per_second))
      std::snprintf(rate, sizeof rate, "  %.0f images/s", e.images_per_second);
    std::printf("epoch %lld/%lld  loss %.4f  training error %.2f %%%s%s  %s\n",
                (long long)(e.epoch), (long long)(e.epochs), e.loss, e.training_error_percent,
                judged, rate, duration(e.seconds).c_str());
    std::fflush(stdout);
  }

  bool stop() override { return stop_signal != 0; }

  /// Takes the progress line away.
  void clear() { line_.clear(); }

private:
  ProgressLine line_;
};

} // namespace cli
